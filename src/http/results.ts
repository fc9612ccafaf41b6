import { STATUS_CODES } from 'node:http';
import type { Failure } from '../model/failure.ts';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import type { FailedResult, OkResult, Result } from '../model/result.ts';
import type { Answer, Reply } from './attempt.ts';
import type { Task } from './task.ts';

/** The result of a task that was answered as wished. */
export function okResult(task: Task, reply: Reply): OkResult {
  return { ...outcome(task, reply.answer), ok: true };
}

/** The result of a task that will not be tried again. */
export function failedResult(task: Task, failure: Failure, answer?: Answer): FailedResult {
  return { ...outcome(task, answer), ok: false, failure };
}

/** The result of a job for which nothing was sent. */
export function unsentResult(job: Job, failure: Failure, now: number): Result {
  return {
    ...identity(job),
    method: job.method ?? 'GET',
    ok: false,
    attempts: 0,
    redirects: [],
    bytes: 0,
    truncated: false,
    startedAt: now,
    durationMs: 0,
    failure,
  };
}

/** The failure that an answer with an unwanted status is. */
export function statusFailure(answer: Answer): Failure {
  const reason = answer.statusText || STATUS_CODES[answer.status] || 'unwanted status';
  return { kind: 'status', message: printable(reason, 200) };
}

function outcome(task: Task, answer: Answer | undefined): Omit<OkResult, 'ok'> {
  const type = answer?.headers['content-type'];
  const contentType = Array.isArray(type) ? type[0] : type;
  return {
    ...identity(task.job),
    ...(task.hop.url === task.job.url ? undefined : { finalUrl: task.hop.url }),
    method: task.first.method,
    ...(answer === undefined ? undefined : { status: answer.status }),
    attempts: task.attempts,
    redirects: task.redirects,
    bytes: answer?.bytes ?? 0,
    truncated: answer?.isTruncated ?? false,
    ...(contentType === undefined ? undefined : { contentType: printable(contentType, 200) }),
    startedAt: task.startedAt,
    durationMs: task.elapsedMs,
    ...(task.ttfbMs === undefined ? undefined : { ttfbMs: task.ttfbMs }),
  };
}

function identity(job: Job): Pick<OkResult, 'index' | 'source' | 'line' | 'id' | 'url'> {
  const { index, source, line, id, url } = job;
  return id === undefined ? { index, source, line, url } : { index, source, line, id, url };
}
