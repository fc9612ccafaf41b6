import { STATUS_CODES } from 'node:http';
import type { BodyError } from '../bodies/body-sink.ts';
import { keptBody } from '../bodies/revalidation.ts';
import { durationText } from '../config/parse/numbers.ts';
import type { RecordKey } from '../config/parse/record-format.ts';
import type { HostSignal } from '../hosts/retry-policy.ts';
import type { AttemptOutcome, HttpResponse } from '../http/attempt.ts';
import type { Failure } from '../model/failure.ts';
import type { Job, KeptFile } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import type { FailedResult, FileNote, KeptBody, OkResult, Result } from '../model/result.ts';
import type { RequestTask } from './request-task.ts';

/** The result of a task that counts as OK, mostly by its response. */
export function okResult(task: RequestTask, response: HttpResponse | undefined): OkResult {
  return toResult(task, response, true, undefined);
}

/** The result of a task that failed for good. */
export function failedResult(task: RequestTask, failure: Failure, response?: HttpResponse): FailedResult {
  return toResult(task, response, false, failure);
}

/** The result of a task whose work threw an error: a bug. */
export function crashedResult(task: RequestTask, error: unknown): FailedResult {
  if (!(error instanceof Error)) return failedResult(task, { kind: 'internal', message: String(error) });
  const { name, message, stack } = error;
  const where = stack === undefined ? {} : { stack };
  return failedResult(task, { kind: 'internal', message: `${name}: ${message}`, ...where });
}

/** The result of a job for which nothing was sent; `method` is the method of its request. */
export function unsentResult(job: Job, method: string, failure: Failure, now: number): Result {
  return {
    index: job.index,
    source: job.source,
    line: job.line,
    column: job.column,
    input: job.input,
    id: job.id,
    url: job.url,
    method,
    ok: false,
    attempts: 0,
    redirects: [],
    bytes: 0,
    truncated: false,
    startedAt: Math.floor(now),
    durationMs: 0,
    totalMs: 0,
    failure,
  };
}

/** The result of a job that is not valid, or of a file: it is OK if it was found, and the place in it that the URL names. */
export function unfetchedResult(job: Job, method: string, now: number): Result {
  const { invalid, unmet } = job;
  if (invalid !== undefined) return unsentResult(job, method, { kind: 'invalid', message: invalid }, now);
  if (unmet === undefined) return unsentOk(job, method, now);
  return unsentResult(job, method, { kind: 'expectation', message: unmet }, now);
}

function unsentOk(job: Job, method: string, now: number): OkResult {
  const unsent = unsentResult(job, method, { kind: 'internal', message: '' }, now);
  return { ...unsent, ok: true, warning: undefined, failure: undefined };
}

/** The result of a job that is not fetched, since the file for its body exists. */
export function existingResult(job: Job, method: string, body: KeptBody, now: number): OkResult {
  return { ...unsentOk(job, method, now), body, file: 'existing' };
}

/** The result of a job that was not fetched, because the run was stopped; see `isNotFetched()`. */
export function notFetchedResult(job: Job, method: string, now: number): Result {
  return unsentResult(job, method, { kind: 'aborted', message: 'not fetched: the run was stopped' }, now);
}

/** Adds the saved body to a result that is not given out yet. Copying it would cost as much as half a request. */
export function addBody(result: Result, { note, ...body }: KeptBody): void {
  const given: { body?: KeptBody; file?: FileNote } = result as object;
  given.body = body;
  if (note !== undefined) given.file = note;
}

/** The result of a job whose file was to be refreshed: what a failure leaves of it, and what a response without a body lacks. */
export function refreshed(result: Result, kept: KeptFile): Result {
  if (result.ok) {
    const isTyped = result.file !== 'unchanged' || result.contentType !== undefined;
    return isTyped ? result : { ...result, contentType: kept.contentType };
  }
  if (result.body !== undefined) return result;
  const { failure, status, url, finalUrl = url } = result;
  const isDeleted = failure.kind === 'status' && (status === 404 || status === 410);
  const body = { ...keptBody(kept), ...(kept.url === finalUrl ? {} : { url: kept.url }) };
  if (!isDeleted) return { ...result, body, file: 'kept' };
  const message = `${failure.message}: deleted on the server, but kept as ${printable(kept.path, 300)}`;
  return { ...result, body, file: 'deleted', failure: { ...failure, message } };
}

/** The result of a URL whose body could not be saved or is not what was asked for. */
export function toBodyFailure(result: Result, { kind, code, message }: BodyError): Result {
  const failure = { kind, ...(code === undefined ? {} : { code }), message };
  return { ...result, ok: false, warning: undefined, failure };
}

/** Why an attempt failed, as the log shows it. */
export function reasonOf({ status, failure }: Result): string {
  const message = failure?.message ?? '';
  return status === undefined ? message : `${status} ${message}`.trimEnd();
}

/** Adds what was requested of its response to a result that is not given out yet. */
export function addFacts(
  result: Result,
  response: HttpResponse,
  keeps: readonly RecordKey[],
  url: string,
): void {
  if (keeps.length === 0) return;
  const { headers, peer, inspector } = response;
  const facts: { -readonly [Key in RecordKey]?: Result[Key] } = result;
  if (keeps.includes('headers')) facts.headers = headers;
  if (keeps.includes('address') && peer?.address !== undefined) facts.address = peer.address;
  // The TLS of an http URL is that of a proxy.
  if (keeps.includes('tls') && peer?.tls !== undefined && url.startsWith('https:')) {
    const { validTo } = peer.tls;
    const daysLeft = validTo === undefined ? undefined : daysUntil(validTo, result.startedAt);
    facts.tls = { ...peer.tls, ...(daysLeft === undefined ? {} : { daysLeft }) };
  }
  const title = keeps.includes('title') ? inspector?.title : undefined;
  if (title !== undefined) facts.title = title;
}

const DAY_MS = 24 * 3600 * 1000;

/** Whole days from `now`, in ms since the epoch, to a time in the format of `Date.toISOString()`. */
export function daysUntil(time: string, now: number): number {
  return Math.floor((Date.parse(time) - now) / DAY_MS);
}

/**
 * The failure of a response with an unwanted status: `Not Found`, or what is expected, if that cannot be told from the status.
 *
 * @param wanted the statuses that count as OK
 * @param isOwn whether the job itself names them
 */
export function statusFailure(response: HttpResponse, wanted: object, isOwn: boolean): Failure {
  const { status } = response;
  if (isOwn || (status >= 200 && status < 300)) {
    const message = `status ${status}, expected ${printable(String(wanted), 100)}`;
    return { kind: isOwn ? 'expectation' : 'status', message };
  }
  return { kind: 'status', message: statusReason(response) };
}

/** The reason of a status in words. */
export function statusReason(response: HttpResponse): string {
  const reason = response.statusText || STATUS_CODES[response.status] || 'unwanted status';
  return printable(reason, 200);
}

// Reserves the key: an object that gets a key later is slow.
const NO_BODY: KeptBody | undefined = undefined;

/** Lists every key: spreading costs as much as half a request. */
function toResult<Ok extends boolean, F extends Failure | undefined>(
  task: RequestTask,
  response: HttpResponse | undefined,
  ok: Ok,
  failure: F,
) {
  const { job, hop } = task;
  return {
    index: job.index,
    source: job.source,
    line: job.line,
    column: job.column,
    input: job.input,
    id: job.id,
    url: job.url,
    finalUrl: hop.url === job.url ? undefined : hop.url,
    method: task.method,
    decidedBy: task.isHeadRefused ? 'GET' : undefined,
    ok,
    status: response?.status,
    attempts: task.attempts,
    redirects: task.redirects,
    bytes: response?.bytes ?? 0,
    truncated: response?.isTruncated ?? false,
    lenient: response?.isLenient === true || undefined,
    contentType: contentTypeOf(response),
    // Rounded as in the record, so that a report of a run and a report of its records are the same.
    startedAt: Math.floor(task.startedAt),
    durationMs: tenths(task.elapsedMs),
    ttfbMs: task.ttfbMs === undefined ? undefined : tenths(task.ttfbMs),
    totalMs: task.attempts === 0 ? 0 : tenths(task.startedAt - task.firstStartedAt + task.elapsedMs),
    body: NO_BODY,
    failure,
  };
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function contentTypeOf(response: HttpResponse | undefined): string | undefined {
  const header = response?.headers['content-type'];
  const type = Array.isArray(header) ? header[0] : header;
  return type === undefined ? undefined : printable(type, 200);
}

/** Nothing to learn. */
export const NEUTRAL: HostSignal = { kind: 'neutral' };
const RESPONSE: HostSignal = { kind: 'response' };

/** What an outcome shows of its host. `pauseMs` is the Retry-After that is obeyed. */
export function toHostSignal(
  { response, failed, isStale, streams }: AttemptOutcome,
  pauseMs: number,
): HostSignal {
  if (failed?.isResourceExhausted === true) return { kind: 'exhausted' };
  if (response === undefined && isStale) return NEUTRAL;
  if (response !== undefined) {
    const { status } = response;
    const isPushBack = status === 429 || status === 503 || (status === 403 && pauseMs > 0);
    if (isPushBack) return { kind: 'push-back', waitMs: pauseMs, isRate: status === 429 };
    if (failed?.failure.kind === 'timeout') return { kind: 'response', isSlow: true, streams };
    return streams === undefined ? RESPONSE : { kind: 'response', streams };
  }
  const failure = failed?.failure;
  switch (failure?.kind) {
    case 'tls':
      // A host with a bad certificate is up.
      if (failed?.isRetryable === false) return RESPONSE;
      return { kind: 'failure', isTimeout: false, error: failure.message };
    case 'connect':
    case 'dns':
    case 'protocol':
    case 'reset':
    case 'timeout': {
      const { kind, message } = failure;
      return { kind: 'failure', isTimeout: kind === 'timeout', isReset: kind === 'reset', error: message };
    }
    default:
      return NEUTRAL;
  }
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Why a host gets no more requests: its Retry-After is too long. */
export function waitText(waitMs: number): string {
  const seconds = Math.ceil(waitMs / 1000);
  const wait = waitMs > YEAR_MS ? 'more than a year' : durationText(seconds * 1000);
  return `the server asks to wait ${wait} (see --max-retry-after)`;
}
