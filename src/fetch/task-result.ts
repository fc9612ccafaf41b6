import { STATUS_CODES } from 'node:http';
import type { HttpResponse } from '../http/attempt.ts';
import type { Failure } from '../model/failure.ts';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import type { FailedResult, KeptBody, OkResult, Result } from '../model/result.ts';
import type { RequestTask } from './request-task.ts';

/** The result of a task that was answered as wished. */
export function okResult(task: RequestTask, answer: HttpResponse): OkResult {
  return outcome(task, answer, true, undefined);
}

/** The result of a task that will not be tried again. */
export function failedResult(task: RequestTask, failure: Failure, answer?: HttpResponse): FailedResult {
  return outcome(task, answer, false, failure);
}

/** The result of a task on which the work threw: a bug. */
export function crashedResult(task: RequestTask, error: unknown): FailedResult {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return failedResult(task, { kind: 'internal', message });
}

/** The result of a job for which nothing was sent; `method` is the one that it would have been sent with. */
export function unsentResult(job: Job, method: string, failure: Failure, now: number): Result {
  return {
    index: job.index,
    source: job.source,
    line: job.line,
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
    failure,
  };
}

/** Puts what was kept of its body into a result that is not yet given out: a copy would cost as much as half a request. */
export function addBody(result: Result, body: KeptBody): void {
  (result as { body?: KeptBody }).body = body;
}

/** The failure that an answer with an unwanted status is. */
export function statusFailure(answer: HttpResponse): Failure {
  const reason = answer.statusText || STATUS_CODES[answer.status] || 'unwanted status';
  return { kind: 'status', message: printable(reason, 200) };
}

// The place for it: an object that grows later is slow.
const NO_BODY: KeptBody | undefined = undefined;

/** Written out key by key: spreading costs as much as half a request. */
function outcome<Ok extends boolean, F extends Failure | undefined>(
  task: RequestTask,
  answer: HttpResponse | undefined,
  ok: Ok,
  failure: F,
) {
  const { job, hop } = task;
  return {
    index: job.index,
    source: job.source,
    line: job.line,
    id: job.id,
    url: job.url,
    finalUrl: hop.url === job.url ? undefined : hop.url,
    method: task.method,
    ok,
    status: answer?.status,
    attempts: task.attempts,
    redirects: task.redirects,
    bytes: answer?.bytes ?? 0,
    truncated: answer?.isTruncated ?? false,
    contentType: contentTypeOf(answer),
    // As the record has them, so that a report of the run and one of its records are the same.
    startedAt: Math.floor(task.startedAt),
    durationMs: tenths(task.elapsedMs),
    ttfbMs: task.ttfbMs === undefined ? undefined : tenths(task.ttfbMs),
    body: NO_BODY,
    failure,
  };
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function contentTypeOf(answer: HttpResponse | undefined): string | undefined {
  const header = answer?.headers['content-type'];
  const type = Array.isArray(header) ? header[0] : header;
  return type === undefined ? undefined : printable(type, 200);
}
