/** A job as an object: the form of a JSON line, and of an item handed to the library. */
export interface JobInput {
  /** An `http:` or `https:` URL. A user name and password in it become an `authorization` header. */
  readonly url: string;
  /** Request method; a standard one may be in any case. `CONNECT` is refused. */
  readonly method?: string | undefined;
  /** Request headers of this job alone; names in any case, values in latin1. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Request body, sent as UTF-8. */
  readonly body?: string | undefined;
  /**
   * What its answer must be to count as OK: `status` (in place of the run's), `contains`, `notContains`, `matches`,
   * `header` (`Name: value`) and `maxTime`. A redirect is not followed when `status` names its status.
   */
  readonly expect?:
    | {
        readonly status?: number | string | readonly (number | string)[] | undefined;
        readonly contains?: string | readonly string[] | undefined;
        readonly notContains?: string | readonly string[] | undefined;
        readonly matches?: string | readonly string[] | undefined;
        readonly header?: string | readonly string[] | undefined;
        readonly maxTime?: number | string | undefined;
      }
    | undefined;
  /** A name of your own, handed through to the record. */
  readonly id?: string | undefined;
  /** The name of the file that the body is saved in, relative to the directory of `--save-dir`; without that it has no meaning. */
  readonly save?: string | undefined;
}
