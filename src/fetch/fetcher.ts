import { BodyError } from '../bodies/body-sink.ts';
import type { RecordKey } from '../config/parse/record-format.ts';
import type { Outcome } from '../core/pipeline.ts';
import type { HostRegistry } from '../hosts/host-registry.ts';
import {
  BUSY_STATUSES,
  backoffMs,
  decideRetry,
  type FailedAttempt,
  type HostEnd,
  type HostSignal,
  isIdempotent,
  isSafe,
  type RetryPolicy,
  refusesRange,
  requestedWaitMs,
} from '../hosts/retry-policy.ts';
import type { AttemptOutcome, AttemptRequest, HeldBody, HttpResponse } from '../http/attempt.ts';
import type { ConnectionUse } from '../http/connection.ts';
import { type CookiePolicy, takeCookies, withCookies } from '../http/cookies.ts';
import type { Hop } from '../http/hop.ts';
import { nextHop } from '../http/redirect.ts';
import type { Transport } from '../http/transport.ts';
import type { Failure } from '../model/failure.ts';
import type { Result } from '../model/result.ts';
import type { RunLog } from '../model/run-event.ts';
import { hostOf, originOf } from '../model/url.ts';
import type { RequestTask } from './request-task.ts';
import { type ResponseValidator, WRONG_BODY_CODE } from './response-validator.ts';
import {
  addBody,
  addFacts,
  failedResult,
  NEUTRAL,
  reasonOf,
  refreshed,
  toBodyFailure,
  toHostSignal,
  unfetchedResult,
  waitText,
} from './task-result.ts';

/** Everything that decides what follows an outcome. */
export interface FetchPolicy extends RetryPolicy {
  readonly maxRedirects: number;
  /** Whether a response that the strict parser refuses is read again by a lenient one. */
  readonly isLenient: boolean;
  /** Whether a HEAD that is refused is followed by one GET of the URL. */
  readonly headFallsBack: boolean;
  readonly cookies?: CookiePolicy;
  /** The time limit of an attempt in ms, if it is not that of the transport. */
  readonly timeoutFor?: ((task: RequestTask) => number) | undefined;
  /** Whether a redirect to this URL is not followed. */
  readonly excludes?: ((url: string) => boolean) | undefined;
}

export interface FetcherOptions {
  readonly transport: Transport;
  readonly hosts: HostRegistry;
  readonly policy: FetchPolicy;
  readonly validator: ResponseValidator;
  /** Whether bodies are kept, so that there may be files to close. */
  readonly keepsBodies?: boolean;
  /** Keys that results have because they were requested. */
  readonly keeps?: readonly RecordKey[] | undefined;
  /** Whether another job waits for this host. */
  readonly hasMore: (host: string) => boolean;
  /** Whether the run is stopping: nothing is retried any more. */
  readonly isStopping: () => boolean;
  /** Milliseconds since the epoch, on a clock that never goes back. */
  readonly now: () => number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Receives retries, and each request if it wants them. */
  readonly log?: RunLog | undefined;
}

/** What follows one hop. */
export type Step = Exclude<Outcome<RequestTask, Result>, { readonly isElsewhere: true }>;

/** It must not throw. */
type OnStep = (step: Step) => void;

/**
 * How often a request of a task is sent again that the server refused without processing it. That uses up no retries; each
 * further refusal is a failed attempt like any other.
 */
const MAX_REFUSALS = 3;

/**
 * How often a server may fail without a byte when it is asked for the rest of a body. Then the whole is requested, since some
 * servers cannot send a part. A server that refuses the part in a response does not get a second request for it.
 */
const MAX_FAILED_RESUMES = 2;

/** How often a hop is sent again whose outcome is lost. That uses up no retries. */
const MAX_LOSSES = 3;
/** Losses from which on a hop is not sent together with another one of this kind, since one of them may be the cause. */
const SUSPECT_LOSSES = 2;

/** Time in ms after which a task fails for which this machine never had a free descriptor, memory or port. */
const MAX_EXHAUSTED_MS = 120_000;

/**
 * The state machine of one URL: sends one hop of a task and decides what follows: the next hop of a redirect, a GET after a
 * refused HEAD, the whole body instead of its rest, a retry, or the result. Nothing else decides that.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  /** Steps in progress whose bodies are kept. */
  #capturing = 0;
  #onBodiesClosed: (() => void) | undefined;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** Sends the next hop of a task that the scheduler released. Calls back once, which may be before it returns. */
  step(task: RequestTask, onStep: OnStep): void {
    const { hosts, now } = this.#options;
    const { job } = task;
    const { kept } = job;
    const done: OnStep =
      kept === undefined
        ? onStep
        : (step) => onStep('result' in step ? { result: refreshed(step.result, kept) } : step);
    const end = hosts.endOf(task.host);
    if (job.invalid !== undefined || job.isLocal === true)
      done({ result: unfetchedResult(job, task.method, now()) });
    else if (end === undefined) this.#send(task, done);
    else done({ result: this.#unsent(task, end) });
  }

  /**
   * What becomes of a task that waits when the run stops: the failure of its last attempt, or `undefined`, which counts as not
   * fetched, if it has none or waits between two redirects.
   */
  abandon(task: RequestTask): Result | undefined {
    return task.fallback;
  }

  /** Resolves when the files of all bodies are closed. Call when the transport is closed. */
  async bodiesClosed(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onBodiesClosed = resolve;
      if (this.#capturing === 0) resolve();
    });
  }

  #send(task: RequestTask, onStep: OnStep): void {
    const { keepsBodies = false, now, policy } = this.#options;
    const startedAt = now();
    if (!task.isInAttempt) task.begin(startedAt);
    if (this.#skipsStrictParser(task)) task.isLenient = true;
    const request: AttemptRequest = {
      hop: withCookies(task.hop, policy.cookies, task.cookies),
      elapsedMs: task.elapsedMs,
      timeoutMs: policy.timeoutFor?.(task),
      use: this.#connectionUse(task),
      job: task.job,
      isHeadRefused: task.isHeadRefused,
      mayResume: task.failedResumes < MAX_FAILED_RESUMES,
      isSuspect: task.losses >= SUSPECT_LOSSES,
    };
    const done = keepsBodies ? this.#countedUntil(onStep) : onStep;
    this.#attempt(request, done, (outcome) => {
      if (isRepeatedAtOnce(request, outcome)) this.#sendFresh(task, request, outcome, startedAt, done);
      else this.#next(task, outcome, startedAt, done);
    });
  }

  #countedUntil(onStep: OnStep): OnStep {
    this.#capturing += 1;
    return (step) => {
      this.#capturing -= 1;
      if (this.#capturing === 0) this.#onBodiesClosed?.();
      onStep(step);
    };
  }

  /** Sends a request. A bug becomes the step. */
  #attempt(request: AttemptRequest, onStep: OnStep, use: (outcome: AttemptOutcome) => void): void {
    try {
      this.#options.transport.attempt(request, (outcome, bug) => {
        if (outcome === undefined) onStep({ error: bug });
        else use(outcome);
      });
    } catch (error) {
      onStep({ error });
    }
  }

  /**
   * Repeats a request on a new connection: the server had closed the kept one, or it did not tell its end from a cut. It
   * counts as the same attempt.
   */
  #sendFresh(
    task: RequestTask,
    request: AttemptRequest,
    stale: AttemptOutcome,
    startedAt: number,
    onStep: OnStep,
  ): void {
    const elapsedMs = request.elapsedMs + stale.durationMs;
    const send = () =>
      this.#attempt({ ...request, elapsedMs, use: 'fresh' }, onStep, (outcome) => {
        const ttfbMs = outcome.ttfbMs === undefined ? undefined : stale.durationMs + outcome.ttfbMs;
        const durationMs = stale.durationMs + outcome.durationMs;
        this.#next(task, { ...outcome, ttfbMs, durationMs }, startedAt, onStep);
      });
    if (stale.body === undefined) send();
    else void stale.body.drop().then(send);
  }

  /** What follows an outcome, once its body is where it belongs. */
  #next(task: RequestTask, outcome: AttemptOutcome, startedAt: number, onStep: OnStep): void {
    const { body } = outcome;
    let step: Step;
    try {
      step = this.#judge(task, outcome, startedAt);
    } catch (error) {
      step = { error };
    }
    if (body === undefined) onStep(step);
    else finishBody(task, step, body).then(onStep, (error: unknown) => onStep({ error }));
  }

  /** Reports the outcome to the host, and decides. */
  #judge(task: RequestTask, outcome: AttemptOutcome, startedAt: number): Step {
    const { hosts, keeps = [], now, policy } = this.#options;
    const followsResume = task.isResuming && task.redirects.length > 0;
    task.isResuming = followsResume || outcome.body?.isResumed === true;
    const { response, failed } = outcome;
    const { hop } = task;
    if (response !== undefined) task.addCookies(takeCookies(policy.cookies, hop.url, response.headers));
    task.addCertificate(response?.peer);
    if (this.#options.log?.hasRequests === true) this.#logRequest(task, outcome);
    // Also an outcome that waited in a thread is news from now.
    const endedAt = Math.max(startedAt + outcome.durationMs, now());
    const waitMs = response === undefined ? 0 : requestedWaitMs(response.status, response.headers, endedAt);
    const signal = this.#toHostSignal(task, outcome, waitMs);
    if (signal.kind === 'push-back' || signal.kind === 'failure') {
      this.#recordNews(task, signal, startedAt, endedAt);
    } else hosts.record(task.host, signal, startedAt, endedAt);
    if (failed?.isResourceExhausted === true) return this.#postpone(task, failed.failure, endedAt);
    if (failed?.isLost === true) return this.#sendAgain(task, failed.failure);
    task.recordHop(outcome.ttfbMs, outcome.durationMs);
    const step = this.#mustAskForWhole(task, outcome, waitMs)
      ? { again: task, at: 0 }
      : this.#orWhole(task, this.#decide(task, outcome, waitMs), outcome);
    if (response !== undefined && 'result' in step) addFacts(step.result, response, keeps, hop.url);
    this.#closeUnneeded(hop, outcome, step);
    return step;
  }

  /** What says more about the host than about the URL uses up none of its retries. */
  #recordNews(task: RequestTask, signal: HostSignal, startedAt: number, endedAt: number): void {
    const { hosts, policy } = this.#options;
    const mayRetry = task.countedAttempts <= policy.retries;
    const isOfHost = hosts.isNews(task.host, signal, { startedAt, endedAt, mayRetry, last: task.news });
    hosts.record(task.host, signal, startedAt, endedAt);
    task.recordNews(hosts.newsMark(task.host), isOfHost);
  }

  /** Closes the connection of a hop if there are many, unless the next hop, a retry or another job can use it. */
  #closeUnneeded(hop: Hop, outcome: AttemptOutcome, step: Step): void {
    const { transport, hasMore } = this.#options;
    if (!transport.isCrowded || hasMore(hostOf(hop.url))) return;
    const staysAtOrigin = 'again' in step && originOf(step.again.hop.url) === originOf(hop.url);
    if (!staysAtOrigin) transport.closeOneIdle(hop, outcome);
  }

  #decide(task: RequestTask, { response, failed }: AttemptOutcome, waitMs: number): Step {
    const { isStopping, validator } = this.#options;
    const mayRepeat = task.refusals < MAX_REFUSALS && !isStopping();
    if (failed?.isUnprocessed === true && response === undefined && mayRepeat) {
      task.refuse();
      return { again: task, at: this.#options.now() + backoffMs(task.refusals, this.#options.random) };
    }
    if (failed?.isUnparsable === true && this.#mayReadLeniently(task)) {
      task.isLenient = true;
      return { again: task, at: 0 };
    }
    if (failed !== undefined || response === undefined) {
      const failure = failed?.failure ?? { kind: 'internal', message: 'neither a response nor a failure' };
      const isTransient = failed?.isRetryable === true;
      const result = failedResult(task, failure, response);
      if (CONNECTED_KINDS.has(failure.kind) && this.#mayAskWithGet(task))
        return this.#askWithGet(task, result);
      return this.#retry(task, { status: undefined, isTransient, waitMs: 0 }, result);
    }
    const { status, headers } = response;
    if (response.isUnchanged) return { result: validator.accepted(task, response) };
    if (validator.isFollowed(task.job, status, headers)) return this.#redirect(task, response);
    if (validator.isAccepted(task, status)) return { result: validator.accepted(task, response) };
    const result = validator.unaccepted(task, response);
    if (status >= 400 && this.#mayAskWithGet(task)) return this.#askWithGet(task, result);
    if (result.ok) return { result };
    return this.#retry(task, { status, isTransient: true, waitMs }, result, response);
  }

  #mayAskWithGet({ hop }: RequestTask): boolean {
    return this.#options.policy.headFallsBack && hop.method === 'HEAD' && !this.#options.isStopping();
  }

  /** Many servers refuse HEAD, with any status or none, and send the page. The number of retries does not limit this. */
  #askWithGet(task: RequestTask, refusal: Result): Step {
    task.isHeadRefused = true;
    return this.#again(task, refusal, 0);
  }

  /** Whether the server refuses to send a part, so that the whole is requested. Counts the failures without a response. */
  #mustAskForWhole(task: RequestTask, { response, failed, body }: AttemptOutcome, waitMs: number): boolean {
    if (body?.isResumed !== true || body.mustRestart) return false;
    if (failed === undefined && response !== undefined && waitMs === 0 && refusesRange(response.status)) {
      task.failedResumes = MAX_FAILED_RESUMES;
      task.isResuming = false;
      return true;
    }
    const hasNoBody = response === undefined || response.bytes === 0;
    if (failed === undefined || !hasNoBody || !CONNECTED_KINDS.has(failed.failure.kind)) return false;
    if (failed.isUnparsable === true && this.#mayReadLeniently(task)) return false;
    // A failure that is final would end every later run, too.
    task.failedResumes = failed.isRetryable ? task.failedResumes + 1 : MAX_FAILED_RESUMES;
    task.isResuming = failed.isRetryable;
    return !failed.isRetryable;
  }

  /**
   * One more attempt, for the whole body, if the request for its rest may be why this one failed: otherwise every later run
   * would fail, too. The number of retries does not limit it, and it has a timeout of its own.
   */
  #orWhole(task: RequestTask, step: Step, { response, failed, body }: AttemptOutcome): Step {
    const { random, isStopping } = this.#options;
    if (!task.isResuming || !('result' in step) || step.result.ok || isStopping()) return step;
    if (body?.mustRestart === true || step.result.failure.kind === 'blocked') return step;
    const isDueToRange =
      step.result.failure.code === WRONG_BODY_CODE ||
      (failed === undefined
        ? response !== undefined && !isSuccess(response.status) && !BUSY_STATUSES.has(response.status)
        : (response?.bytes ?? 0) === 0 && CONNECTED_KINDS.has(failed.failure.kind));
    if (!isDueToRange) return step;
    task.failedResumes = MAX_FAILED_RESUMES;
    return this.#again(task, step.result, backoffMs(task.attempts, random));
  }

  /** A request that must not be sent twice uses no kept connection, which the server may be closing. */
  #connectionUse({ hop, isLenient }: RequestTask): ConnectionUse {
    if (isLenient) return 'lenient';
    return isIdempotent(hop.method) ? 'any' : 'fresh';
  }

  /** A request that changes something is not sent again because of its parser: a second DELETE would be a 404. */
  #skipsStrictParser({ hop }: RequestTask): boolean {
    return this.#options.policy.isLenient && !isSafe(hop.method);
  }

  #mayReadLeniently({ hop, isLenient }: RequestTask): boolean {
    return this.#options.policy.isLenient && isSafe(hop.method) && !isLenient;
  }

  #redirect(task: RequestTask, response: HttpResponse): Step {
    const { policy, validator } = this.#options;
    const { maxRedirects } = policy;
    const { location = '' } = response.headers;
    const target = Array.isArray(location) ? (location[0] ?? '') : location;
    const fail = (message: string): Step => ({
      result: failedResult(task, { kind: 'redirect', message }, response),
    });
    const next = nextHop(task.hop, response.status, target, task.hostHeaders);
    if ('url' in next && policy.excludes?.(next.url)) {
      return { result: validator.unfollowed(task, response, next.url) };
    }
    if (task.redirects.length >= maxRedirects) return fail(`more than ${maxRedirects} redirects`);
    if ('refused' in next) return fail(next.refused);
    task.follow(next, { status: response.status, url: task.hop.url });
    return { again: task, at: 0 };
  }

  /** Another attempt as the retry policy says, or else this failure. */
  #retry(
    task: RequestTask,
    failed: Pick<FailedAttempt, 'status' | 'isTransient' | 'waitMs'>,
    result: Result,
    response?: HttpResponse,
  ): Step {
    const { policy, random, isStopping, validator, hosts } = this.#options;
    const attempts = task.countedAttempts;
    const decision = decideRetry(policy, { ...failed, attempts, method: task.method }, random);
    if (decision === 'wait-too-long' && response !== undefined) {
      return { result: validator.refused(task, response, waitText(failed.waitMs)) };
    }
    if (typeof decision === 'string' || isStopping() || hosts.servesNobody(task.host)) return { result };
    const end = hosts.endOf(task.host);
    return end !== undefined
      ? { result: this.#unsent(task, end) }
      : this.#again(task, result, decision.delayMs);
  }

  #again(task: RequestTask, result: Result, delayMs: number): Step {
    this.#options.log?.write({ kind: 'retry', url: task.hop.url, reason: reasonOf(result), delayMs });
    task.startOver(result);
    return { again: task, at: delayMs === 0 ? 0 : this.#options.now() + delayMs };
  }

  #logRequest({ hop }: RequestTask, { response, failed, durationMs }: AttemptOutcome): void {
    const outcome = failed === undefined ? String(response?.status) : failed.failure.message;
    this.#options.log?.write({ kind: 'request', method: hop.method, url: hop.url, outcome, durationMs });
  }

  /** This machine could not start the hop; the limiter of the scheduler says when it may try again. */
  #postpone(task: RequestTask, failure: Failure, now: number): Step {
    const { transport } = this.#options;
    // Idle connections hold descriptors, but no port that another connection could have.
    if (failure.code !== 'EADDRNOTAVAIL') transport.closeIdle();
    task.exhaustedSince ??= now;
    if (now - task.exhaustedSince >= MAX_EXHAUSTED_MS) {
      const minutes = MAX_EXHAUSTED_MS / 60_000;
      const message = `this machine had no room for a connection for ${minutes} minutes: ${failure.message}`;
      return { result: failedResult(task, { ...failure, message }) };
    }
    return this.#takeBack(task, 0);
  }

  /** What sent the hop has ended without an outcome. It may have been sent, and this very URL may be the reason. */
  #sendAgain(task: RequestTask, failure: Failure): Step {
    const { now, policy, random } = this.#options;
    task.losses += 1;
    const mayRepeat = policy.retriesAllMethods || isIdempotent(task.hop.method);
    if (!mayRepeat || task.losses > MAX_LOSSES) return { result: failedResult(task, failure) };
    return this.#takeBack(task, now() + backoffMs(task.losses, random));
  }

  /** Sends a hop again at `at`, as if it had not been sent. */
  #takeBack(task: RequestTask, at: number): Step {
    task.withdraw();
    if (!this.#options.isStopping()) return { again: task, at };
    return task.fallback === undefined ? { isDropped: true } : { result: task.fallback };
  }

  /** The result of a task whose host gets no more requests. */
  #unsent(task: RequestTask, { kind, reason }: HostEnd): Result {
    const { hosts, now, validator } = this.#options;
    hosts.record(task.host, NEUTRAL, now(), now());
    if (task.attempts === 0) task.startedAt = now();
    return kind === 'down'
      ? failedResult(task, { kind, message: `last error: ${reason}` })
      : validator.blocked(task, task.attempts === 0 ? `not sent: ${reason}` : reason);
  }

  #toHostSignal(task: RequestTask, outcome: AttemptOutcome, waitMs: number): HostSignal {
    const { policy, validator } = this.#options;
    if (outcome.failed?.isUnparsable === true && this.#mayReadLeniently(task)) return NEUTRAL;
    if (waitMs <= policy.maxRetryAfterMs) return toHostSignal(outcome, waitMs);
    const isWanted = outcome.response !== undefined && validator.isAccepted(task, outcome.response.status);
    // A status that is accepted refuses nothing.
    return isWanted ? toHostSignal(outcome, 0) : { kind: 'refusal', reason: waitText(waitMs) };
  }
}

/** Kinds of failures of a server that has been connected to. */
const CONNECTED_KINDS: ReadonlySet<string> = new Set(['protocol', 'reset', 'timeout']);

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

function isRepeatedAtOnce({ hop }: AttemptRequest, { isStale, isUnwatched }: AttemptOutcome): boolean {
  return (isStale || isUnwatched === true) && isIdempotent(hop.method);
}

/**
 * Decides what becomes of the body: that of a result is put in its place, any other is dropped. If the server did not send
 * the rest that was asked for, the hop is sent again, for the whole.
 */
async function finishBody(task: RequestTask, step: Step, body: HeldBody): Promise<Step> {
  if (!('result' in step) || body.mustRestart) {
    await body.drop();
    if (!('result' in step)) return step;
    task.failedResumes += 1; // so that it ends, even if the partial file cannot be removed
    task.isResuming = false;
    return { again: task, at: 0 };
  }
  const { result } = step;
  try {
    const kept = await body.end(result.ok, !result.truncated);
    if (kept !== undefined) addBody(result, kept);
    return step;
  } catch (error) {
    await body.drop();
    if (!(error instanceof BodyError)) throw error;
    if (error.isLost && isIdempotent(task.hop.method)) return { again: task, at: 0 };
    if (error.kind === 'protocol' && body.isResumed) {
      task.failedResumes = MAX_FAILED_RESUMES;
      return { again: task, at: 0 };
    }
    return { result: toBodyFailure(result, error) };
  }
}
