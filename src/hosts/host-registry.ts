import { CircuitBreaker } from './circuit-breaker.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { RateLimiter, type TotalRateLimiter } from './rate-limiter.ts';
import { ResourcePressure } from './resource-pressure.ts';

/** What holds for every host. */
interface HostRules {
  /** Requests under way to one host at most. */
  readonly perHost: number;
  /** Requests for each ms; Infinity for no limit. */
  readonly perMs: number;
  /** Failures in a row that open the breaker; 0 means never. */
  readonly breaker: number;
}

/** What one request has shown of its host. */
export type HostSignal =
  | { readonly kind: 'answer' }
  /** 429 or 503, with the time that Retry-After asks for. */
  | { readonly kind: 'push-back'; readonly waitMs: number }
  /** It could not be connected to, or did not answer in time. */
  | { readonly kind: 'failure'; readonly isTimeout: boolean; readonly error: string }
  /** It was not sent, since this machine has run out of descriptors, memory or ports. */
  | { readonly kind: 'shortage' }
  /** It broke off, or was ended by fanout: nothing to learn. */
  | { readonly kind: 'nothing' };

/** All that is known of one host. */
class Host {
  readonly #limit: ConcurrencyLimit;
  readonly #breaker: CircuitBreaker;
  readonly #pace: RateLimiter;
  #pausedUntil = 0;
  #underWay = 0;

  constructor(rules: HostRules) {
    this.#limit = new ConcurrencyLimit(rules.perHost);
    this.#breaker = new CircuitBreaker(rules.breaker);
    this.#pace = new RateLimiter(rules.perMs);
  }

  /** Why nothing more is sent to it; `undefined` while something is. */
  get downReason(): string | undefined {
    return this.#breaker.isDown ? this.#breaker.lastError : undefined;
  }

  /** Whether nothing more is sent to it for now, or at all. */
  isParked(now: number): boolean {
    return this.#breaker.isOpen || this.#pausedUntil > now;
  }

  /** What would be lost by forgetting it: a count of failures is little, what changes what is sent to it is much. */
  evictionPriority(now: number): 'nothing' | 'little' | 'much' {
    const isWaiting = this.#pausedUntil > now || this.#pace.openAt > now;
    if (this.#underWay > 0 || isWaiting || this.#limit.isLowered || this.#breaker.isOpen) return 'much';
    return this.#breaker.isQuiet ? 'nothing' : 'little';
  }

  /** When its next job may go; see `Gate.laneOpenAt`. A host that is down is open: what is left for it fails at once. */
  openAt(inFlight: number): number {
    if (this.#breaker.isDown) return 0;
    if (inFlight >= this.#limit.current) return Number.POSITIVE_INFINITY;
    return Math.max(this.#pausedUntil, this.#pace.openAt, this.#breaker.openAt(inFlight));
  }

  taken(now: number): void {
    this.#underWay += 1;
    this.#pace.taken(now);
    this.#breaker.taken(now);
  }

  observe(observation: HostSignal, startedAt: number, now: number): void {
    this.#underWay -= 1;
    switch (observation.kind) {
      case 'answer':
        this.#breaker.answer();
        this.#limit.succeed();
        break;
      case 'push-back':
        this.#breaker.answer();
        this.#limit.pushBack(startedAt, now);
        this.#pausedUntil = Math.max(this.#pausedUntil, now + observation.waitMs);
        break;
      case 'failure':
        this.#breaker.fail(observation.error, now);
        if (observation.isTimeout) this.#limit.pushBack(startedAt, now);
        break;
      case 'shortage':
      case 'nothing':
        break;
    }
  }
}

export interface HostRegistryOptions extends HostRules {
  /** Requests under way over all hosts at most. */
  readonly concurrency: number;
  /** Requests for each ms over all hosts; Infinity for no limit. */
  readonly totalPerMs: number;
  /** The pace over all hosts that others keep, too; one of its own if left out. */
  readonly pace?: TotalRateLimiter | undefined;
  /** Jobs that the queue holds: a count of failures is kept at least as long as jobs of its host may wait there. */
  readonly window: number;
}

/** The lane of jobs that are not sent anywhere. */
const NOWHERE = '';

/** Hosts that are remembered at most. */
const MAX_HOSTS = 100_000;

/**
 * What is known of each host, and the gate of the queue: it says when the next job of a host may go.
 *
 * Memory is bounded: a host is forgotten as soon as nothing is under way for it and nothing about it is worth knowing.
 * Of those with failures that have not opened their breaker, as many are kept as the queue holds jobs; of those with a
 * limit, a pause or an open breaker 100,000. The ones that were asked longest ago go first.
 */
export class HostRegistry {
  readonly #options: HostRegistryOptions;
  readonly #pace: TotalRateLimiter;
  readonly #shortages: ResourcePressure;
  /** Hosts that are asked or hold something back, in the order in which they came to be. */
  readonly #hosts = new Map<string, Host>();
  /** Idle hosts with a few failures, the one that was asked longest ago first. */
  readonly #suspects = new Map<string, Host>();

  constructor(options: HostRegistryOptions) {
    this.#options = options;
    this.#pace = options.pace ?? new RateLimiter(options.totalPerMs);
    this.#shortages = new ResourcePressure(options.concurrency);
  }

  /** Hosts remembered. */
  get size(): number {
    return this.#hosts.size + this.#suspects.size;
  }

  /** How many of them get nothing just now: it looks at each. */
  countParked(now: number): number {
    let count = 0;
    for (const host of this.#hosts.values()) if (host.isParked(now)) count += 1;
    return count;
  }

  /** How many starts have met a shortage of this machine's. */
  get shortages(): number {
    return this.#shortages.count;
  }

  nextAllowedAt(_now: number, inFlight: number): number {
    return Math.max(this.#pace.openAt, this.#shortages.openAt(inFlight));
  }

  laneNextAllowedAt(key: string, inFlight: number): number {
    return this.#hosts.get(key)?.openAt(inFlight) ?? 0;
  }

  /** A job of the lane was taken. Each is followed by one `observe`. */
  onDispatch(key: string, now: number): void {
    if (key === NOWHERE) return;
    const host = this.#hosts.get(key) ?? this.#add(key, now);
    // What is left for a host that is down is not sent, so it costs the rate of the others nothing.
    if (host.downReason === undefined) this.#pace.taken(now);
    host.taken(now);
  }

  /** Tells what a job that was taken, and sent at `startedAt`, has shown. */
  observe(key: string, observation: HostSignal, startedAt: number, now: number): void {
    if (observation.kind === 'shortage') this.#shortages.recordExhausted(startedAt, now);
    else if (observation.kind !== 'nothing') this.#shortages.succeeded();
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    host.observe(observation, startedAt, now);
    const worth = host.evictionPriority(now);
    if (worth === 'much') return;
    this.#hosts.delete(key);
    if (worth === 'nothing') return;
    this.#suspects.set(key, host);
    if (this.#suspects.size > this.#options.window) dropFirst(this.#suspects);
  }

  /** Why nothing more is sent to a host; `undefined` while something is. */
  downReason(key: string): string | undefined {
    return this.#hosts.get(key)?.downReason;
  }

  #add(key: string, now: number): Host {
    const host = this.#suspects.get(key) ?? new Host(this.#options);
    this.#suspects.delete(key);
    this.#hosts.set(key, host);
    if (this.#hosts.size > MAX_HOSTS) this.#forgetOne(now);
    return host;
  }

  /** Looks at the oldest few for one that is not worth knowing any more; if all are, the oldest goes. */
  #forgetOne(now: number): void {
    let looks = 0;
    for (const [key, host] of this.#hosts) {
      if (host.evictionPriority(now) !== 'much') {
        this.#hosts.delete(key);
        return;
      }
      if (++looks === 16) break;
    }
    dropFirst(this.#hosts);
  }
}

function dropFirst(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
