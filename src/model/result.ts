import type { Readable } from 'node:stream';
import type { Failure } from './failure.ts';

/** The headers of a response: names in lower case, bytes as latin1, and a list where a name came more than once. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** One redirect that was followed: its status, and the URL that it came from. */
export interface Redirect {
  readonly status: number;
  readonly url: string;
}

/** A body that was saved to a file or is included in the result. */
export interface KeptBody {
  /** File name relative to the save directory, with `/` between its parts. */
  readonly path?: string | undefined;
  /** Length in bytes, as saved or included. */
  readonly bytes: number;
  /** Hash of these bytes, in lower-case hex. */
  readonly sha256?: string | undefined;
  /** The `ETag` and `Last-Modified` of a body that was saved, as they came. `--refresh` sends them. */
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** The URL that the file came from, if it is older than the response, and not from the URL of the response. */
  readonly url?: string | undefined;
  /** The body, if it is text. */
  readonly text?: string | undefined;
  /** The body, if it is not text. */
  readonly base64?: string | undefined;
  /** The body, if it was requested in this form. Not part of the record. */
  readonly buffer?: Buffer | undefined;
  /** What becomes of `file` of the result. Not part of the record. */
  readonly note?: FileNote | undefined;
  /** The body as a stream, if it was requested in this form. Not part of the record. */
  readonly stream?: Readable | undefined;
}

/** The TLS connection that a response came over, and the certificate of its server. */
export interface TlsFacts {
  /** `TLSv1.3` or `TLSv1.2`. */
  readonly protocol: string;
  /** Its name in the standards. */
  readonly cipher: string;
  /** The protocol that was selected by ALPN: `h2` or `http/1.1`. */
  readonly alpn?: string | undefined;
  /** Whom the certificate is for, and who signed it, such as `O=Example, CN=example.com`. */
  readonly subject?: string | undefined;
  readonly issuer?: string | undefined;
  /** In the format of `Date.toISOString()`. */
  readonly validFrom?: string | undefined;
  readonly validTo?: string | undefined;
  /** Whole days from the start of the last attempt to `validTo`; below 0 if the certificate has expired. */
  readonly daysLeft?: number | undefined;
}

/**
 * - `existing`: the file was there, and its URL was not fetched (`--skip-existing`).
 * - With `--refresh`, if there was a file: `unchanged`, or `changed` and replaced; `deleted` on the server, which responds with
 *   404 or 410, or `kept` since the URL failed otherwise. The last two keep the file.
 */
export const FILE_NOTES = ['existing', 'unchanged', 'changed', 'deleted', 'kept'] as const;

export type FileNote = (typeof FILE_NOTES)[number];

/** The places in a page that a fragment can name. */
export interface PageAnchors {
  readonly names: ReadonlySet<string>;
  /** Whether these are all of its names. */
  readonly isComplete: boolean;
  /** Whether a fragment also names what is the same in lower case. */
  readonly ignoresCase?: boolean;
}

/** How a result compares with the run that the baseline was made from. */
type BaselineVerdict = 'new' | 'known' | 'fixed';

interface BaseResult {
  readonly index: number;
  readonly source: string;
  readonly line: number;
  /** Of a link in a document: its column in the line, from 1. */
  readonly column?: number | undefined;
  /** The URL as it was read, if that was requested and it is not `url`. */
  readonly input?: string | undefined;
  readonly id?: string | undefined;
  /** The URL of the job. */
  readonly url: string;
  /** The URL of the last response, if it is not `url`. */
  readonly finalUrl?: string | undefined;
  readonly method: string;
  /** The method of the last attempt, if it is not `method`: GET, since the server refused HEAD. */
  readonly decidedBy?: string | undefined;
  /** Status of the last response, if there was one. */
  readonly status?: number | undefined;
  /** Number of attempts, 0 if nothing was sent. The hops of a redirect are part of one attempt. */
  readonly attempts: number;
  readonly redirects: readonly Redirect[];
  /** Decoded bytes of the body read in this run; for a resumed download, only the new part. */
  readonly bytes: number;
  /** Whether the body exceeded the size limit and was cut. */
  readonly truncated: boolean;
  readonly contentType?: string | undefined;
  /** Whether the response may break the rules of HTTP: the strict parser refused it, or did not read it. */
  readonly lenient?: boolean | undefined;
  /** Start of the last attempt, in ms since the epoch. */
  readonly startedAt: number;
  /** Duration of the last attempt in ms, until its last byte or its failure. */
  readonly durationMs: number;
  /** Time to the first byte of the response in ms, from the start of the last attempt. */
  readonly ttfbMs?: number | undefined;
  /** Duration of all attempts in ms, with the waits between them. */
  readonly totalMs: number;
  readonly body?: KeptBody | undefined;
  /** What `body` says of its file, unless this run has saved it as a new one. */
  readonly file?: FileNote | undefined;
  /** Headers of the last response, with lower-case names, if they were requested. */
  readonly headers?: ResponseHeaders | undefined;
  /** Address and port that the last response came from, if they were requested: those of the proxy, if there is one. */
  readonly address?: string | undefined;
  /** The TLS connection of the last response, if that was requested and the URL is https. */
  readonly tls?: TlsFacts | undefined;
  /** The title of the page, if it was requested and the body is HTML. */
  readonly title?: string | undefined;
  readonly baseline?: BaselineVerdict | undefined;
  /** Consecutive bad runs of this URL, this one included, if they are counted and too few to fail the run. */
  readonly badRuns?: number | undefined;
  /** The cluster worker that fetched it, which also has the saved body. */
  readonly worker?: string | undefined;
  /** What `--failed` repeats of a failed job, if a worker of a cluster sent it with the result. Not part of the record. */
  readonly request?: FailedRequest | undefined;
  /** Whether it comes from the journal and this run fetched nothing for it. Not part of the record. */
  readonly isResumed?: boolean | undefined;
  /**
   * With `--check-fragments`, of a response that counts as OK: the anchors of the page, `none` if it is not HTML, `unreadable` if
   * it was not decoded. Its redirects and fragment are not judged yet. No result that is given out has this.
   */
  readonly anchors?: PageAnchors | 'none' | 'unreadable' | undefined;
}

export interface OkResult extends BaseResult {
  readonly ok: true;
  /** A problem that the options accept, which would be a failure otherwise. */
  readonly warning?: Failure | undefined;
  readonly failure?: undefined;
}

export interface FailedResult extends BaseResult {
  readonly ok: false;
  readonly warning?: undefined;
  readonly failure: Failure;
}

/** What the list of `--failed` repeats of a job besides URL, method and id, without secrets. */
export interface FailedRequest {
  /** Headers, body, `save` and `expect`, as a JSON line has them. */
  readonly keys?: object | undefined;
  /** The whole line, of an invalid JSON job. */
  readonly line?: string | undefined;
  /** The names of headers that were left out, since they may be secret. */
  readonly omitted?: readonly string[] | undefined;
  /** Whether all of it was left out, since it did not fit into a message of the broker. */
  readonly isTooLarge?: boolean | undefined;
}

/** The result of one job. A failed URL is a value; branch on `ok` and `failure.kind`. */
export type Result = OkResult | FailedResult;

export type Verdict = 'OK' | 'WARN' | 'FAIL' | 'KNOWN';

/** The verdict in the first column of text output. A failure below `--flaky-after` is a warning. */
export function verdictOf(result: Result): Verdict {
  if (result.ok) return result.warning === undefined ? 'OK' : 'WARN';
  if (result.baseline === 'known') return 'KNOWN';
  return result.badRuns === undefined ? 'FAIL' : 'WARN';
}

/** Whether `--quiet` leaves this line in text output: failures that are not known, warnings, and known failures that are fixed. */
export function isShownQuietly(result: Result): boolean {
  const verdict = verdictOf(result);
  return verdict === 'FAIL' || verdict === 'WARN' || result.baseline === 'fixed';
}

/** Whether a result fails the run: a failure does, unless it is in the baseline or below `--flaky-after`. */
export function failsRun(result: Result): boolean {
  return !result.ok && result.baseline !== 'known' && result.badRuns === undefined;
}

/**
 * Whether the run was stopped before this URL was fetched: nothing was sent for it (`attempts` is 0), or its request was cut off.
 * Such a result counts neither as OK nor as failed.
 */
export function isNotFetched({ failure }: Result): boolean {
  return failure?.kind === 'aborted';
}

/**
 * The label in the second column of text output: the kind of the failure or warning, or the status if the kind is `status` or
 * there is neither; `-` without a status.
 */
export function outcomeLabel({ failure, warning, status }: Result): string {
  const problem = failure ?? warning;
  if (problem === undefined || (problem.kind === 'status' && status !== undefined))
    return String(status ?? '-');
  return problem.kind;
}

/** Comparison with earlier runs: `known`, `new`, `fixed`, `bad run 2`; usually none. */
export function historyNotes({ baseline, badRuns }: Result): readonly string[] {
  const notes: string[] = [];
  if (baseline !== undefined) notes.push(baseline);
  if (badRuns !== undefined) notes.push(`bad run ${badRuns}`);
  return notes;
}

/** Length of the whole body in bytes. For a resumed download, `bytes` has only the new part. */
export function bodyLength({ body, bytes }: Result): number {
  return body?.bytes ?? bytes;
}

/** The report formats. */
export const REPORT_KINDS = ['junit', 'json', 'markdown', 'html'] as const;

export type ReportKind = (typeof REPORT_KINDS)[number];

/** Statuses of redirects that say: use the new URL from now on (RFC 9110, sections 15.4.2 and 15.4.9). */
const PERMANENT: ReadonlySet<number> = new Set([301, 308]);

/**
 * The URL to write instead of that of a result: where the permanent redirects lead that its chain starts with. `undefined` if
 * there is none, or if the chain did not end in a page.
 */
export function movedTo({ url, finalUrl, redirects, ok, failure }: Result): string | undefined {
  if (!ok && failure.kind !== 'redirect') return undefined;
  const count = redirects.findIndex(({ status }) => !PERMANENT.has(status));
  if (count === 0 || redirects.length === 0) return undefined;
  const target = (count === -1 ? finalUrl : redirects[count]?.url) ?? url;
  return target === url ? undefined : target;
}
