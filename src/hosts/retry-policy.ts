import { printable } from '../model/printable.ts';

/** What one request showed about its host. */
export type HostSignal =
  /**
   * The host responded, whatever the status. `isSlow` if its body timed out. `streams` is how many requests the one connection
   * to it may carry, if it is one of HTTP/2.
   */
  | { readonly kind: 'response'; readonly isSlow?: boolean; readonly streams?: number | undefined }
  /** 429 or 503. `waitMs` is the time that Retry-After asks for. `isRate` if it is 429: too many requests for now. */
  | { readonly kind: 'push-back'; readonly waitMs: number; readonly isRate?: boolean }
  /** A push-back that asks for a longer wait than is allowed: the host is asked nothing more. */
  | { readonly kind: 'refusal'; readonly reason: string }
  /** There was no response. A reset or a timeout is also a sign of overload. */
  | {
      readonly kind: 'failure';
      readonly isTimeout: boolean;
      readonly isReset?: boolean;
      readonly error: string;
    }
  /** Nothing was sent: this machine has run out of file descriptors, memory or ports. */
  | { readonly kind: 'exhausted' }
  /** Nothing to learn: the request was not sent, was cut off, or was cancelled. */
  | { readonly kind: 'neutral' };

/** Why nothing more is sent to a host: it is down, or asks for a longer wait than is allowed. */
export interface HostEnd {
  readonly kind: 'down' | 'blocked';
  /** The last error of a host that is down, or the wait that the host asks for. */
  readonly reason: string;
}

/** What a host had done when it pushed back a URL, or did not respond to it. */
export interface NewsMark {
  readonly host: string;
  readonly count: number;
}

/** An attempt that was pushed back or got no response. */
export interface Attempted {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Whether its URL has retries left. */
  readonly mayRetry: boolean;
  /** The last time that this happened to its URL. */
  readonly last: NewsMark | undefined;
}

/** The state of a circuit breaker, for another process. Times are in ms, before or after the moment at which it was read. */
export type BreakerState = { readonly error: string } & (
  | { readonly name: 'down' }
  | ({ readonly name: 'closed'; readonly failures: number } & BreakerTimes)
  | ({ readonly name: 'open'; readonly probes: number; readonly waitMs: number } & BreakerTimes)
);

interface BreakerTimes {
  /** Since the last sign of life, or since the first failed request was sent. */
  readonly sinceMs: number;
  /** Since the first request failed. */
  readonly firstMs: number;
}

/** What is known of a host, for another process that sends requests to it next. It has no dates: clocks differ. */
export interface HostState {
  /** The rest of the pause that the host asked for. */
  readonly pauseMs?: number;
  /** Requests at a time, if push-backs have lowered that, and the time between two. */
  readonly limit?: number;
  readonly gapMs?: number;
  /** Until the rate allows the next request. */
  readonly slotMs?: number;
  readonly breaker?: BreakerState;
  /** That of push-backs without anything served. */
  readonly service?: BreakerState;
  readonly end?: HostEnd;
}

/** What is retried, and how often. */
export interface RetryPolicy {
  /** Attempts after the first one. */
  readonly retries: number;
  readonly retryStatuses: { has(status: number): boolean };
  readonly retriesNetworkFailures: boolean;
  /** Whether methods that are not idempotent are retried too. */
  readonly retriesAllMethods: boolean;
  /** The longest Retry-After that is waited for, in ms. */
  readonly maxRetryAfterMs: number;
}

/** What a retry depends on. */
export interface FailedAttempt {
  /** Attempts so far, this one included, without those that were given back. */
  readonly attempts: number;
  /** The method of the job. */
  readonly method: string;
  /** The unwanted status; `undefined` if the network failed. */
  readonly status: number | undefined;
  /** Whether a network failure may go away. */
  readonly isTransient: boolean;
  /** The wait in ms that the server asks for. */
  readonly waitMs: number;
}

/**
 * Retry after `delayMs`; or do not, since it is pointless, or since the server asks for a longer wait than is allowed, which
 * ends the whole host.
 */
export type RetryDecision = { readonly delayMs: number } | 'final' | 'wait-too-long';

/** The whole retry policy. `random` gives a number from 0 up to, not including, 1. */
export function decideRetry(policy: RetryPolicy, failed: FailedAttempt, random: () => number): RetryDecision {
  const { attempts, method, status, isTransient, waitMs } = failed;
  if (waitMs > policy.maxRetryAfterMs) return 'wait-too-long';
  // A 403 that asks for a wait means what a 429 does.
  const retried = status === 403 && waitMs > 0 ? 429 : status;
  const mayHelp =
    retried === undefined ? policy.retriesNetworkFailures && isTransient : policy.retryStatuses.has(retried);
  if (!mayHelp) return 'final';
  if (attempts > policy.retries || !(policy.retriesAllMethods || isIdempotent(method))) return 'final';
  return { delayMs: Math.max(waitMs, backoffMs(attempts, random)) };
}

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Whether sending a request of this method twice has the effect of sending it once (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

// RFC 9110, 9.2.1.
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether a request with this method changes nothing on the server. */
export function isSafe(method: string): boolean {
  return SAFE.has(method);
}

/** Statuses of a server that is busy or down, which say nothing of the request. */
export const BUSY_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/** Whether the status of a response to a request for a part may be due to the Range header. */
export function refusesRange(status: number): boolean {
  return status >= 400 && !BUSY_STATUSES.has(status);
}

const BASE_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

/**
 * Time in ms before the next attempt, after `attempts` (from 1) that failed: exponential, capped, and half of it random
 * (equal jitter: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffMs(attempts: number, random: () => number): number {
  const maxMs = Math.min(MAX_BACKOFF_MS, BASE_MS * 2 ** Math.max(0, attempts - 1));
  return (maxMs * (1 + random())) / 2;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The wait in ms that a response asks for: the Retry-After of a 429 or 503, or else the end of the rate limit that a 429, 503
 * or 403 says is used up; 0 if there is none. A date counts from the Date of the response, since the clock of the server may
 * differ from ours.
 */
export function requestedWaitMs(status: number, headers: Headers, now: number): number {
  if (status !== 429 && status !== 503 && status !== 403) return 0;
  const { 'retry-after': retryAfter, date } = headers;
  const sentAt = (typeof date === 'string' ? parseHttpDate(date) : undefined) ?? now;
  // A proxy may add a header of its own: the longest wait counts.
  const waits = [retryAfter ?? []].flat().flatMap((header) => retryAfterMs(header, sentAt) ?? []);
  return status !== 403 && waits.length > 0 ? Math.max(...waits) : rateLimitResetMs(headers, sentAt);
}

/** Above this, the reset of a rate limit is a time in seconds since the epoch; a thousand times as much is one in ms. */
const MIN_EPOCH_S = 100_000_000;

/** `x-ratelimit-reset` with `x-ratelimit-remaining: 0`, in ms from `sentAt`: seconds, or a time since the epoch. */
function rateLimitResetMs(headers: Headers, sentAt: number): number {
  const { 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset } = headers;
  if (typeof remaining !== 'string' || typeof reset !== 'string') return 0;
  if (!/^0+$/.test(remaining.trim()) || !/^\d{1,15}(?:\.\d+)?$/.test(reset.trim())) return 0;
  const seconds = Number(reset);
  if (seconds < MIN_EPOCH_S) return seconds * 1000;
  const at = seconds < MIN_EPOCH_S * 1000 ? seconds * 1000 : seconds;
  return Math.max(0, at - sentAt);
}

/**
 * The wait in ms that a Retry-After header asks for (RFC 9110, 10.2.3), counted from `now` in ms since the epoch;
 * `undefined` if it is neither seconds nor an HTTP date.
 */
export function retryAfterMs(header: string, now: number): number | undefined {
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  const date = parseHttpDate(text);
  return date === undefined ? undefined : Math.max(0, date - now);
}

/** An HTTP date (RFC 9110, 5.6.7) in ms since the epoch; `undefined` if it is none. */
function parseHttpDate(text: string): number | undefined {
  // An HTTP date starts with the name of a day; `Date.parse` takes much else for a date.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  // The asctime form is in GMT without saying so, and ends in the year.
  const date = Date.parse(/ \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(date) ? undefined : date;
}

/** A pause, or the time since a failure, is not longer than this. */
const MAX_MS = 24 * 3_600_000;

/** The state of a host as another process has sent it, without what is not valid. */
export function toHostState(value: unknown): HostState {
  const fields: Record<string, unknown> = { ...Object(value) };
  const { limit } = fields;
  const [pauseMs, gapMs, slotMs] = [fields.pauseMs, fields.gapMs, fields.slotMs].map(toMs);
  const [breaker, service] = [fields.breaker, fields.service].map(toBreakerState);
  const end: Record<string, unknown> = { ...Object(fields.end) };
  return {
    ...(pauseMs !== undefined && { pauseMs }),
    ...(isCount(limit) && limit > 0 && { limit }),
    ...(gapMs !== undefined && { gapMs }),
    ...(slotMs !== undefined && { slotMs }),
    ...(breaker && { breaker }),
    ...(service && { service }),
    ...((end.kind === 'down' || end.kind === 'blocked') && {
      end: { kind: end.kind, reason: printable(String(end.reason ?? ''), 300) },
    }),
  };
}

function toBreakerState(value: unknown): BreakerState | undefined {
  const { name, failures, probes, ...fields }: Record<string, unknown> = { ...Object(value) };
  const error = printable(String(fields.error ?? ''), 300);
  if (name === 'down') return { name, error };
  const [sinceMs = 0, firstMs = 0, waitMs = 0] = [fields.sinceMs, fields.firstMs, fields.waitMs].map(toMs);
  const times = { sinceMs, firstMs, error };
  if (name === 'closed' && isCount(failures)) return { name, failures, ...times };
  return name === 'open' && isCount(probes) ? { name, probes, waitMs, ...times } : undefined;
}

function toMs(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? Math.min(MAX_MS, value) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
