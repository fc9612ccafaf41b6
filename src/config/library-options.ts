import { deriveRunOptions } from './derive-run-options.ts';
import { libraryLayer, resolveOptions } from './option-sources.ts';
import { type RunOptions, runOptions } from './run-options.ts';

/** A number of ms, or text with a unit: `500ms`, `10s`, `2m`, `1h`. */
export type Duration = number | string;

/** A number of bytes, or text with a unit: `64kb`, `10mb`, `1gb` (1kb is 1024 bytes). */
export type Size = number | string;

/** Status codes, ranges and classes: `404`, `'200-299,304'`, `['2xx', 304]`. */
export type StatusList = number | string | readonly (number | string)[];

/** The options of the library. All are optional and have the defaults of the program. */
export interface FanoutOptions {
  /** Fetch each distinct URL once and count the others as skipped. Default: false. */
  readonly unique?: boolean | undefined;
  /** Take a line without a scheme as a URL of this one. Default: such a line is invalid. */
  readonly defaultScheme?: 'http' | 'https' | undefined;
  /** Request method. Default: GET, or POST with `data`. */
  readonly method?: string | undefined;
  /** Send HEAD, and GET once more where the answer is 405 or 501. Excludes `data` and other methods. Default: false. */
  readonly head?: boolean | undefined;
  /** Headers of every request: an object of names and values, or lines such as `'Accept: text/html'`. */
  readonly header?: Readonly<Record<string, string>> | readonly string[] | string | undefined;
  /**
   * Headers for one host alone: an object that has for each host what `header` takes, or lines such as
   * `'api.example.com X-Key: value'`. A host without a port stands for all of its ports.
   */
  readonly headerFor?:
    | Readonly<Record<string, Readonly<Record<string, string>> | readonly string[] | string>>
    | readonly string[]
    | string
    | undefined;
  /** Credentials, `NAME:PASSWORD`, for URLs that have none of their own. */
  readonly user?: string | undefined;
  /** Request body, as text; an `@` at its start has no meaning here. A form unless `header` has a content type. */
  readonly data?: string | undefined;
  /** The user-agent header; an empty one sends none. Default: `fanout/VERSION`. */
  readonly userAgent?: string | undefined;
  /** Redirects to follow, 0 or more; with 0 the redirect itself is judged by `accept`. Default: 10. */
  readonly maxRedirects?: number | undefined;
  /** Ask for compressed bodies and unpack them. Default: true. */
  readonly decompress?: boolean | undefined;
  /** Number of workers, 1 to 65535. Default: 32. */
  readonly concurrency?: number | undefined;
  /** Requests under way to one host at most. Default: no cap below `concurrency`. */
  readonly perHost?: number | undefined;
  /** Requests started over all hosts: `10/s`, `30/m`, `500/h`; a number is one for each second. Default: no limit. */
  readonly rate?: number | string | undefined;
  /** Requests started to one host, as `rate`. Default: no limit. */
  readonly hostRate?: number | string | undefined;
  /** Failures in a row to connect or to answer in time until a host is parked; 0 never parks it. Default: 5. */
  readonly breaker?: number | undefined;
  /** Jobs held between the reader and the workers, at least 4 for each worker. Default: 1000, or as many as that. */
  readonly queue?: number | undefined;
  /** Time for one attempt, from its start to the last byte, above 0. Default: `30s`. */
  readonly timeout?: Duration | undefined;
  /** Time to connect, above 0. Default: `10s`. */
  readonly connectTimeout?: Duration | undefined;
  /** Attempts after the first one, 0 or more. Default: 2. */
  readonly retries?: number | undefined;
  /** Status codes worth another attempt, and `network` for failures to get an answer. Default: `408,425,429,500,502,503,504,network`. */
  readonly retryOn?: StatusList | undefined;
  /** Retry POST, PATCH and others too. Default: GET, HEAD, OPTIONS, PUT, DELETE and TRACE alone. */
  readonly retryAllMethods?: boolean | undefined;
  /** Longest wait that a Retry-After header may ask for. Default: `60s`. */
  readonly maxRetryAfter?: Duration | undefined;
  /** Time for the whole run, above 0, or `none`. Default: `none`. */
  readonly deadline?: Duration | undefined;
  /** Bytes of a body that are read at most, above 0, or `none`; a saved one that is larger fails. Default: `10mb`, or none with `saveDir`. */
  readonly maxSize?: Size | undefined;
  /** Status codes that are OK, after redirects. Default: `200-299`. */
  readonly accept?: StatusList | undefined;
  /** Texts that the body must have in it. */
  readonly contains?: string | readonly string[] | undefined;
  /** Regular expressions, as text, that the body must match somewhere. */
  readonly matches?: string | readonly string[] | undefined;
  /** Texts that the body must not have in it. */
  readonly notContains?: string | readonly string[] | undefined;
  /** Headers that the answer must have: `Name: value`, or `Name:` for any value. */
  readonly expectHeader?: string | readonly string[] | undefined;
  /** An attempt that takes longer than this is a failure. Default: no limit but `timeout`. */
  readonly maxTime?: Duration | undefined;
  /** What an answer is that tells robots to go away. Default: `fail`. */
  readonly blocked?: 'fail' | 'warn' | 'ok' | undefined;
  /** Go through this proxy, `http://[user:password@]host:port` or `https://`. Default: none. */
  readonly proxy?: string | undefined;
  /** Speak HTTP/2 with https servers that offer it. Default: false. */
  readonly http2?: boolean | undefined;
  /** Accept any certificate of a server. Default: false. */
  readonly insecure?: boolean | undefined;
  /** Certificates to trust in place of Node's own: the PEM text itself, and not the name of a file. */
  readonly cacert?: string | undefined;
  /** A certificate for servers that ask for one: the PEM text itself. */
  readonly cert?: string | undefined;
  /** The private key of `cert`: the PEM text itself, without a passphrase. Default: the key in `cert`. */
  readonly key?: string | undefined;
  /** Stop after the first failure. Default: false. */
  readonly failFast?: boolean | undefined;
  /** Stop after so many failures, 1 or more. Default: never. */
  readonly maxFailures?: number | undefined;
  /** Addresses to connect to, whatever DNS says, as `'example.com:443:127.0.0.1'`; `*` is any host. Default: none. */
  readonly resolve?: string | readonly string[] | undefined;
  /** Name servers to ask, as `'127.0.0.1:5353'` or `'[::1]'`. Default: those of the system. */
  readonly dnsServer?: string | readonly string[] | undefined;
  /** Connect to IPv4 addresses alone. Excludes `ipv6`. Default: false. */
  readonly ipv4?: boolean | undefined;
  /** Connect to IPv6 addresses alone. Excludes `ipv4`. Default: false. */
  readonly ipv6?: boolean | undefined;
  /** Refuse to connect to addresses that are private, loopback, link-local or otherwise special. Default: false. */
  readonly denyPrivate?: boolean | undefined;
  /** Save the body of each URL that is OK as a file in this directory. Default: bodies are dropped. */
  readonly saveDir?: string | undefined;
  /** Save the bodies of answers that are not OK, too. Default: false. */
  readonly saveAll?: boolean | undefined;
  /** How the files are named, with the fields `{host}`, `{path}`, `{index}`, `{id}`, `{hash}`, `{ext}`, `{status}` and `{query}`. Default: `{host}{path}`. */
  readonly name?: string | undefined;
  /** Keep the beginning of a body that broke off, and ask for the rest only. Default: false. */
  readonly resumePartial?: boolean | undefined;
  /** Put each body up to this size, at most `64mb`, into `body.text` or `body.base64` of its result; `true` is `64kb`. Default: false. */
  readonly inlineBody?: Size | boolean | undefined;
}

/**
 * Resolves the options of the library. Throws `UsageError` on unknown keys and on values that the program would
 * refuse too. `version` is named in the default user agent.
 */
export function resolveRunOptions(options: FanoutOptions, version: string): RunOptions {
  return deriveRunOptions(resolveOptions(runOptions, [libraryLayer(runOptions, options)]), version);
}
