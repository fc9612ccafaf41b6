import { Breaker } from './breaker.ts';
import { Limit } from './limit.ts';
import { Pace } from './pace.ts';

/** What holds for every host. */
export interface HostRules {
  /** Requests under way to one host at most. */
  readonly perHost: number;
  /** Requests for each ms; Infinity for no limit. */
  readonly perMs: number;
  /** Failures in a row that open the breaker; 0 means never. */
  readonly breaker: number;
}

/** What one request has shown of its host. */
export type Observation =
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
export class Host {
  readonly #limit: Limit;
  readonly #breaker: Breaker;
  readonly #pace: Pace;
  #pausedUntil = 0;
  #underWay = 0;

  constructor(rules: HostRules) {
    this.#limit = new Limit(rules.perHost);
    this.#breaker = new Breaker(rules.breaker);
    this.#pace = new Pace(rules.perMs);
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
  worth(now: number): 'nothing' | 'little' | 'much' {
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

  observe(observation: Observation, startedAt: number, now: number): void {
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
