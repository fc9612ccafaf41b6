import type { Limiter } from '../core/scheduler.ts';
import type { RunLog } from '../model/run-event.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { RateLimiter, type TotalRateLimiter } from './rate-limiter.ts';
import { ResourcePressure } from './resource-pressure.ts';

/** Limits that apply to each host. */
interface HostRules {
  /** Maximum number of requests in flight to one host. */
  readonly perHost: number;
  /** Requests per ms to one host; Infinity for no limit. */
  readonly perMs: number;
  /** Consecutive failures that open the circuit breaker; 0 for never. */
  readonly breakerThreshold: number;
}

export interface HostRegistryOptions extends HostRules {
  /** Maximum number of requests in flight over all hosts. */
  readonly concurrency: number;
  /** Requests per ms over all hosts; Infinity for no limit. */
  readonly totalPerMs: number;
  /** A rate limiter over all hosts that other threads share; if left out, one for `totalPerMs` is created. */
  readonly totalRateLimiter?: TotalRateLimiter | undefined;
  /** Capacity of the job queue: failure counts of a host are kept at least as long as the queue may hold jobs for it. */
  readonly window: number;
  /** Receives pauses, lowered limits and circuit breakers that open. */
  readonly log?: RunLog | undefined;
}

/** What one request showed about its host. */
export type HostSignal =
  /** The host responded, whatever the status. */
  | { readonly kind: 'response' }
  /** 429, 503, or a response that timed out. `waitMs` is the time that Retry-After asks for. */
  | { readonly kind: 'push-back'; readonly waitMs: number }
  /** A push-back that asks for a longer wait than is allowed: the host is asked nothing more. */
  | { readonly kind: 'refusal'; readonly reason: string }
  /** The connection failed, or no response came in time. */
  | { readonly kind: 'failure'; readonly isTimeout: boolean; readonly error: string }
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

/** The key of jobs that are not sent to any host. */
const NO_HOST = '';

/** Maximum number of hosts kept because of a limit, a pause or an open breaker. */
const MAX_HOSTS = 100_000;

/** How many of the oldest hosts are examined to find one that may be evicted. */
const EVICTION_LOOKS = 16;

/**
 * The state of each host, and the limiter of the scheduler: it says when the next request to a host may start.
 *
 * Memory is bounded. A host is forgotten as soon as it has nothing in flight and no state worth keeping. Hosts with only a
 * failure count are kept up to the capacity of the queue; hosts with a lowered limit, a pause or an open breaker up to
 * 100,000. The hosts that were used longest ago are evicted first.
 */
export class HostRegistry implements Limiter {
  readonly #options: HostRegistryOptions;
  readonly #totalRateLimiter: TotalRateLimiter;
  readonly #pressure: ResourcePressure;
  /** Hosts with requests in flight or with state that restricts them, in the order in which they were added. */
  readonly #hosts = new Map<string, Host>();
  /** Idle hosts with only a failure count, the one that was used longest ago first. */
  readonly #idleFailing = new Map<string, Host>();

  constructor(options: HostRegistryOptions) {
    this.#options = options;
    this.#totalRateLimiter = options.totalRateLimiter ?? new RateLimiter(options.totalPerMs);
    this.#pressure = new ResourcePressure(options.concurrency);
  }

  /** Number of hosts remembered. */
  get size(): number {
    return this.#hosts.size + this.#idleFailing.size;
  }

  /** Number of requests that could not start because this machine was out of resources. */
  get exhaustedCount(): number {
    return this.#pressure.exhaustedCount;
  }

  /** Number of hosts that get no requests at `now`. O(hosts). */
  countPaused(now: number): number {
    let count = 0;
    for (const host of this.#hosts.values()) if (host.isPaused(now)) count += 1;
    return count;
  }

  nextAllowedAt(_now: number, inFlight: number): number {
    return Math.max(this.#totalRateLimiter.nextAllowedAt, this.#pressure.nextAllowedAt(inFlight));
  }

  keyNextAllowedAt(key: string, inFlight: number): number {
    return this.#hosts.get(key)?.nextAllowedAt(inFlight) ?? 0;
  }

  /** A job was dispatched. A `record` may follow, and `onRelease` must. */
  onDispatch(key: string, now: number): void {
    if (key === NO_HOST) return;
    const host = this.#hosts.get(key) ?? this.#add(key, now);
    // Jobs of a host that gets no more requests end without one, so they use up no rate.
    if (host.end === undefined) this.#totalRateLimiter.onDispatch(now);
    host.onDispatch(now);
  }

  /** Records what a dispatched job, started at `startedAt`, showed about its host. */
  record(key: string, signal: HostSignal, startedAt: number, now: number): void {
    if (signal.kind === 'exhausted') this.#pressure.recordExhausted(startedAt, now);
    else if (signal.kind !== 'neutral') this.#pressure.recordSuccess();
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    const before = this.#options.log && host.restrictions();
    host.record(signal, startedAt, now);
    if (before !== undefined) this.#logChanges(key, before, host.restrictions(), now);
  }

  /** A dispatched job is no longer in flight, also if it was dropped or has failed by a bug. */
  onRelease(key: string, inFlight: number, now: number): void {
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    host.inFlight = inFlight;
    const retention = host.retention(now);
    if (retention === 'high') return;
    this.#hosts.delete(key);
    if (retention === 'none') return;
    this.#idleFailing.set(key, host);
    if (this.#idleFailing.size > this.#options.window) deleteFirst(this.#idleFailing);
  }

  /** Why nothing more is sent to a host; `undefined` while requests are still sent to it. */
  endOf(key: string): HostEnd | undefined {
    return this.#hosts.get(key)?.end;
  }

  #logChanges(host: string, before: Restrictions, after: Restrictions, now: number): void {
    const { log } = this.#options;
    const { limit, pausedUntil, openUntil, end, reason } = after;
    if (end !== undefined) {
      if (before.end === undefined) log?.write({ kind: end.kind, host, reason: end.reason });
      return;
    }
    if (limit < before.limit) log?.write({ kind: 'limit', host, limit });
    if (pausedUntil > Math.max(now, before.pausedUntil)) {
      log?.write({ kind: 'pause', host, pauseMs: pausedUntil - now });
    }
    if (openUntil > Math.max(now, before.openUntil)) {
      log?.write({ kind: 'breaker', host, pauseMs: openUntil - now, reason });
    }
  }

  #add(key: string, now: number): Host {
    const host = this.#idleFailing.get(key) ?? new Host(this.#options);
    this.#idleFailing.delete(key);
    this.#hosts.set(key, host);
    if (this.#hosts.size > MAX_HOSTS) this.#evict(now);
    return host;
  }

  /** Evicts one of the oldest hosts that no longer needs to be kept, or else the oldest. */
  #evict(now: number): void {
    let looks = 0;
    for (const [key, host] of this.#hosts) {
      if (host.retention(now) !== 'high') {
        this.#hosts.delete(key);
        return;
      }
      if (++looks === EVICTION_LOOKS) break;
    }
    deleteFirst(this.#hosts);
  }
}

/** What restricts requests to a host, for the log. */
interface Restrictions {
  readonly limit: number;
  readonly pausedUntil: number;
  /** When the circuit breaker lets the next request through; 0 if it is not open. */
  readonly openUntil: number;
  readonly end: HostEnd | undefined;
  /** The last failure. */
  readonly reason: string;
}

/** The limits and the state of one host. */
class Host {
  readonly #limit: ConcurrencyLimit;
  readonly #breaker: CircuitBreaker;
  readonly #rateLimiter: RateLimiter;
  #pausedUntil = 0;
  /** Jobs that were dispatched and not released. */
  inFlight = 0;
  #end: HostEnd | undefined;

  constructor(rules: HostRules) {
    this.#limit = new ConcurrencyLimit(rules.perHost);
    this.#breaker = new CircuitBreaker(rules.breakerThreshold);
    this.#rateLimiter = new RateLimiter(rules.perMs);
  }

  get end(): HostEnd | undefined {
    return this.#end;
  }

  restrictions(): Restrictions {
    const { isOpen, lastError } = this.#breaker;
    const openUntil = isOpen ? this.#breaker.nextAllowedAt(0) : 0;
    const pausedUntil = this.#pausedUntil;
    return { limit: this.#limit.current, pausedUntil, openUntil, end: this.#end, reason: lastError };
  }

  /** Whether Retry-After or the circuit breaker stops requests to it. */
  isPaused(now: number): boolean {
    return this.#end !== undefined || this.#breaker.isOpen || this.#pausedUntil > now;
  }

  /** How important it is to remember this host: a failure count is cheap to lose, limits and pauses are not. */
  retention(now: number): 'none' | 'low' | 'high' {
    const isWaiting = this.#pausedUntil > now || this.#rateLimiter.nextAllowedAt > now;
    if (
      this.#end !== undefined ||
      this.inFlight > 0 ||
      isWaiting ||
      this.#limit.isLowered ||
      this.#breaker.isOpen
    )
      return 'high';
    return this.#breaker.hasNoFailures ? 'none' : 'low';
  }

  /** As `Limiter.keyNextAllowedAt`. The remaining jobs of a host that gets no more requests are allowed, to end at once. */
  nextAllowedAt(inFlight: number): number {
    if (this.#end !== undefined) return 0;
    if (inFlight >= this.#limit.current) return Number.POSITIVE_INFINITY;
    return Math.max(
      this.#pausedUntil,
      this.#rateLimiter.nextAllowedAt,
      this.#breaker.nextAllowedAt(inFlight),
    );
  }

  onDispatch(now: number): void {
    this.inFlight += 1;
    this.#rateLimiter.onDispatch(now);
    this.#breaker.onDispatch(now);
  }

  record(signal: HostSignal, startedAt: number, now: number): void {
    switch (signal.kind) {
      case 'response':
        this.#breaker.recordSuccess();
        this.#limit.recordSuccess();
        break;
      case 'push-back':
        this.#breaker.recordSuccess();
        this.#limit.recordPushBack(startedAt, now);
        this.#pausedUntil = Math.max(this.#pausedUntil, now + signal.waitMs);
        break;
      case 'refusal':
        this.#breaker.recordSuccess();
        this.#end ??= { kind: 'blocked', reason: signal.reason };
        break;
      case 'failure':
        this.#breaker.recordFailure(signal.error, now);
        if (signal.isTimeout) this.#limit.recordPushBack(startedAt, now);
        if (this.#breaker.isDown) this.#end ??= { kind: 'down', reason: this.#breaker.lastError };
        break;
      case 'exhausted':
      case 'neutral':
        break;
    }
  }
}

function deleteFirst(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
