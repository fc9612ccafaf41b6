import { BodyCapture, type BodyCaptureOptions } from '../bodies/body-capture.ts';
import { BodyError } from '../bodies/body-sink.ts';
import type { SaveRequest } from '../bodies/file-sink.ts';
import type { ResumePoint } from '../bodies/resume.ts';
import type { HostRegistry, HostSignal } from '../hosts/host-registry.ts';
import { backoffMs, isIdempotent, retryAfterMs } from '../hosts/retry-policy.ts';
import type { Agent } from '../http/agent.ts';
import { type AttemptOutcome, attempt, type HttpResponse } from '../http/attempt.ts';
import type { ProxyRoutes } from '../http/proxy.ts';
import { nextHop } from '../http/redirect.ts';
import type { Failure } from '../model/failure.ts';
import type { Result } from '../model/result.ts';
import type { RequestTask } from './request-task.ts';
import type { ResponseValidator } from './response-validator.ts';
import { addBody, failedResult, statusFailure, unsentResult } from './task-result.ts';

/** What a reply has shown of its host. `waitMs` is the pause that a Retry-After asks for, as far as it is obeyed. */
function toHostSignal(reply: AttemptOutcome, waitMs: number): HostSignal {
  const { answer, failed } = reply;
  if (failed?.isResourceExhausted === true) return { kind: 'shortage' };
  if (answer !== undefined) {
    const isPushBack = answer.status === 429 || answer.status === 503 || failed?.failure.kind === 'timeout';
    return isPushBack ? { kind: 'push-back', waitMs } : { kind: 'answer' };
  }
  const failure = failed?.failure;
  switch (failure?.kind) {
    case 'connect':
    case 'dns':
    case 'tls':
      return { kind: 'failure', isTimeout: false, error: failure.message };
    case 'timeout':
      return { kind: 'failure', isTimeout: true, error: failure.message };
    default:
      return { kind: 'nothing' };
  }
}

/** A set of status codes. */
interface StatusSet {
  has(status: number): boolean;
}

export interface FetchPolicy {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly isDecoded: boolean;
  /** Attempts after the first one. */
  readonly retries: number;
  readonly retryStatuses: StatusSet;
  readonly retriesNetworkFailures: boolean;
  readonly retriesAllMethods: boolean;
  /** Whether a HEAD that is answered with 405 or 501 is followed by a GET. */
  readonly headFallsBack: boolean;
  /** A Retry-After beyond this ends in a failure at once. */
  readonly maxRetryAfterMs: number;
}

interface FetcherOptions {
  readonly agent: Agent;
  readonly hosts: HostRegistry;
  readonly policy: FetchPolicy;
  /** Says which answers are OK. */
  readonly judge: ResponseValidator;
  readonly proxies?: ProxyRoutes | undefined;
  /** Whether another job of the lane waits for its turn. */
  readonly hasMore: (lane: string) => boolean;
  /** Milliseconds since the epoch, on a clock that never goes back. */
  readonly now: () => number;
  readonly random: () => number;
}

/** What became of one hop: the result, or the task again at a later time, with the result if that time is not given. */
export type Step =
  | { readonly result: Result }
  | {
      readonly again: RequestTask;
      readonly at: number;
      readonly otherwise?: Result;
      readonly isUntried?: boolean;
    };

/** Time in ms after which a task that has met nothing but shortages fails. */
const MAX_SHORT_MS = 120_000;

/** Takes a task one hop further: sends it, and decides between result, next hop and next attempt. */
export class Fetcher {
  readonly #options: FetcherOptions;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  step(task: RequestTask, keep?: BodyCapture): Promise<Step> {
    const { agent, hasMore, hosts, judge, policy, proxies, now } = this.#options;
    const { job } = task;
    if (job.invalid !== undefined) {
      const failure: Failure = { kind: 'invalid', message: job.invalid };
      return Promise.resolve({ result: unsentResult(job, task.method, failure, now()) });
    }
    const down = hosts.downReason(task.lane);
    if (down !== undefined) return Promise.resolve({ result: this.#giveUp(task, down) });
    const startedAt = now();
    if (!task.isUnderWay) task.begin(startedAt);
    return attempt(task.hop, {
      agent,
      now,
      timeoutMs: policy.timeoutMs,
      elapsedMs: task.elapsedMs,
      maxBytes: policy.maxBytes,
      isDecoded: policy.isDecoded,
      proxies,
      isLast: agent.isCrowded && !hasMore(task.lane),
      keep,
      readerFor: (status, headers) => judge.readerFor(job, status, headers),
      needsBody: (status, headers) => judge.needsBody(job, status, headers),
    }).then((reply) => {
      const waitMs = this.#wishedWaitMs(reply.answer);
      const pauseMs = waitMs > policy.maxRetryAfterMs ? 0 : waitMs;
      const endedAt = startedAt + reply.durationMs;
      hosts.observe(task.lane, toHostSignal(reply, pauseMs), startedAt, endedAt);
      if (reply.failed?.isResourceExhausted === true)
        return this.#postpone(task, reply.failed.failure, endedAt);
      task.shortSince = undefined;
      if (reply.ttfbMs !== undefined) task.ttfbMs = task.elapsedMs + reply.ttfbMs;
      task.elapsedMs += reply.durationMs;
      return this.#judge(task, reply);
    });
  }

  /** The host of the task is down: it fails without being sent. */
  #giveUp(task: RequestTask, reason: string): Result {
    const { hosts, now } = this.#options;
    hosts.observe(task.lane, { kind: 'nothing' }, now(), now());
    if (task.attempts === 0) task.startedAt = now();
    const made = task.attempts === 1 ? '1 attempt was made' : `${task.attempts} attempts were made`;
    const message = `${task.lane} is down, ${made}; the last error was: ${reason}`;
    return failedResult(task, { kind: 'circuit', message });
  }

  /** This machine could not even try; the gate of the queue says when it may again. */
  #postpone(task: RequestTask, failure: Failure, now: number): Step {
    // What is kept open holds descriptors, but no port that another connection could have.
    if (failure.code !== 'EADDRNOTAVAIL') this.#options.agent.closeIdle();
    task.shortSince ??= now;
    if (now - task.shortSince >= MAX_SHORT_MS) {
      const minutes = MAX_SHORT_MS / 60_000;
      const message = `this machine had no room for a connection for ${minutes} minutes: ${failure.message}`;
      return { result: failedResult(task, { ...failure, message }) };
    }
    task.withdraw();
    return { again: task, at: 0, isUntried: true };
  }

  #judge(task: RequestTask, reply: AttemptOutcome): Step {
    const { judge, policy } = this.#options;
    const { headFallsBack, retriesNetworkFailures } = policy;
    const { answer, failed } = reply;
    if (failed !== undefined || answer === undefined) {
      const failure = failed?.failure ?? { kind: 'internal', message: 'neither an answer nor a failure' };
      const mayRetry = retriesNetworkFailures && failed?.isRetryable === true;
      const result = failedResult(task, failure, answer);
      return mayRetry ? this.#again(task, result) : { result };
    }
    if (judge.isFollowed(task.job, answer.status, answer.headers)) return this.#redirect(task, answer);
    if (judge.isAccepted(task.job, answer.status)) return { result: judge.accepted(task, answer) };
    if (headFallsBack && task.hop.method === 'HEAD' && (answer.status === 405 || answer.status === 501)) {
      task.repeatAs('GET');
      return { again: task, at: 0 };
    }
    return this.#refuse(task, answer);
  }

  #redirect(task: RequestTask, answer: HttpResponse): Step {
    const { maxRedirects } = this.#options.policy;
    const { location = '' } = answer.headers;
    const target = Array.isArray(location) ? (location[0] ?? '') : location;
    const fail = (message: string): Step => ({
      result: failedResult(task, { kind: 'redirect', message }, answer),
    });
    if (task.redirects.length >= maxRedirects) return fail(`more than ${maxRedirects} redirects`);
    const next = nextHop(task.hop, answer.status, target, task.hostHeaders);
    if ('refused' in next) return fail(next.refused);
    task.follow(next, { status: answer.status, url: task.hop.url });
    return { again: task, at: 0 };
  }

  /** The answer has an unwanted status. */
  #refuse(task: RequestTask, answer: HttpResponse): Step {
    const { judge, policy } = this.#options;
    const { maxRetryAfterMs, retryStatuses } = policy;
    if (!retryStatuses.has(answer.status)) return { result: judge.refused(task, answer) };
    const failure = statusFailure(answer);
    const waitMs = this.#wishedWaitMs(answer);
    if (waitMs <= maxRetryAfterMs) return this.#again(task, judge.refused(task, answer), waitMs);
    const message = `${failure.message}: the server asks to wait ${Math.ceil(waitMs / 1000)}s`;
    return { result: failedResult(task, { ...failure, message }, answer) };
  }

  #wishedWaitMs(answer: HttpResponse | undefined): number {
    const header = answer?.headers['retry-after'];
    if (answer === undefined || header === undefined) return 0;
    const isObeyed = (answer.status === 429 || answer.status === 503) && typeof header === 'string';
    return isObeyed ? (retryAfterMs(header, this.#options.now()) ?? 0) : 0;
  }

  /** Another attempt, or the result if there are no more. */
  #again(task: RequestTask, result: Result, minWaitMs = 0): Step {
    const { policy, now, random } = this.#options;
    const mayRepeat = policy.retriesAllMethods || isIdempotent(task.method);
    if (task.attempts > policy.retries || !mayRepeat) return { result };
    const at = now() + Math.max(minWaitMs, backoffMs(task.attempts, random));
    task.startOver();
    return { again: task, at, otherwise: result };
  }
}

/** A fetcher that keeps bodies: one of an answer that is kept is in its place before there is a result. */
export class KeepingFetcher {
  readonly #fetcher: Fetcher;
  readonly #options: BodyCaptureOptions;

  constructor(fetcher: Fetcher, options: BodyCaptureOptions) {
    this.#fetcher = fetcher;
    this.#options = options;
  }

  step(task: RequestTask): Promise<Step> {
    if (task.job.invalid !== undefined) return this.#fetcher.step(task);
    const asked = { job: task.job, ...task.hop };
    const { saver, isSearched } = this.#options;
    // What is looked for may be in the beginning, which does not come again.
    const found = isSearched(task.job) ? undefined : saver?.find(asked);
    if (found === undefined) return this.#step(task, asked);
    return found.then((point) => this.#step(task, asked, point));
  }

  #step(task: RequestTask, asked: SaveRequest, point?: ResumePoint): Promise<Step> {
    const keep = new BodyCapture(this.#options, asked, point);
    return this.#fetcher.step(task, keep).then(
      (step) => settled(task, step, keep),
      (error) => {
        keep.drop();
        throw error;
      },
    );
  }
}

/** Decides what becomes of the body, now that its answer is judged. */
function settled(task: RequestTask, step: Step, keep: BodyCapture): Step {
  if (!('result' in step) || keep.isToRepeat) {
    keep.drop();
    return 'result' in step ? { again: task, at: 0 } : step;
  }
  const { result } = step;
  try {
    const body = keep.end(result.ok, !result.truncated);
    if (body !== undefined) addBody(result, body);
    return step;
  } catch (error) {
    keep.drop();
    if (!(error instanceof BodyError)) throw error;
    return { result: refused(result, error) };
  }
}

function refused(result: Result, { kind, code, message }: BodyError): Result {
  const failure = { kind, ...(code === undefined ? {} : { code }), message };
  return { ...result, ok: false, warning: undefined, failure };
}
