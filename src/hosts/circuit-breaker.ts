import type { BreakerState } from './retry-policy.ts';

const FIRST_OPEN_MS = 1_000;
const MAX_OPEN_MS = 30_000;

type State =
  | Failing<{ readonly name: 'closed'; readonly failures: number }>
  | Failing<{ readonly name: 'open'; readonly probes: number; readonly until: number }>
  | Failing<{ readonly name: 'half-open'; readonly probes: number; readonly probedAt: number }>
  | { readonly name: 'down' };

type Failing<S> = S & {
  /** The last sign of life, or when the first failed request was sent. */
  readonly since: number;
  /** When the first request failed. */
  readonly firstAt: number;
};

const CLOSED: State = { name: 'closed', failures: 0, since: 0, firstAt: 0 };

export interface BreakerRules {
  /** Failures in a row that open it; 0 for never. */
  readonly threshold: number;
  /** Time in ms without a success after which it is down. */
  readonly giveUpAfterMs: number;
  /** Probes that fail at least before it is down. */
  readonly minProbes: number;
}

/**
 * The circuit breaker of one host (M. Nygard, "Release It!", 2007), with a fourth state, down.
 *
 * - Closed: `threshold` failures in a row open it.
 * - Open: no requests for one second. Then one request is let through as a probe: it is half-open.
 * - Half-open: a failed probe opens it for twice as long, up to 30 s. If the first failed request was sent `giveUpAfterMs` ago
 *   or earlier, it is down, which is final unless an earlier request succeeds.
 * - Any success closes it.
 */
export class CircuitBreaker {
  readonly #rules: BreakerRules;
  #state: State = CLOSED;
  /** The last failure, for the messages of the jobs that fail because of it. */
  lastError = '';

  constructor(rules: BreakerRules) {
    this.#rules = rules;
  }

  get isDown(): boolean {
    return this.#state.name === 'down';
  }

  /** Whether it stops requests: it is open, half-open or down. */
  get isOpen(): boolean {
    return this.#state.name !== 'closed';
  }

  /** Whether it is as new: there is no state to remember. */
  get hasNoFailures(): boolean {
    return this.#state === CLOSED;
  }

  /** Of one that is half-open it is that before the probe, whose outcome is unknown. */
  state(now: number): BreakerState {
    const state = this.#state;
    if (state.name === 'down') return { name: 'down', error: this.lastError };
    const { since, firstAt } = state;
    const times = { sinceMs: now - since, firstMs: now - firstAt, error: this.lastError };
    if (state.name === 'closed') return { name: 'closed', failures: state.failures, ...times };
    const waitMs = state.name === 'open' ? Math.max(0, state.until - now) : 0;
    return { name: 'open', probes: state.probes, waitMs, ...times };
  }

  /** Ignores it if this breaker has failures of its own. */
  restore(state: BreakerState, now: number): void {
    if (this.#state !== CLOSED || this.#rules.threshold === 0) return;
    this.lastError = state.error;
    if (state.name === 'down') this.#state = { name: 'down' };
    else {
      const times = { since: now - state.sinceMs, firstAt: now - state.firstMs };
      if (state.name === 'open')
        this.#state = { name: 'open', probes: state.probes, until: now + state.waitMs, ...times };
      else if (state.failures > 0) this.#state = { name: 'closed', failures: state.failures, ...times };
    }
  }

  /** When the next request may start; Infinity while a probe is in flight. */
  nextAllowedAt(inFlight: number): number {
    switch (this.#state.name) {
      case 'open':
        return this.#state.until;
      case 'half-open':
        return inFlight > 0 ? Number.POSITIVE_INFINITY : 0;
      default:
        return 0;
    }
  }

  /** Whether a request that was sent at `startedAt` is the probe. */
  isProbe(startedAt: number): boolean {
    return this.#state.name === 'half-open' && startedAt >= this.#state.probedAt;
  }

  /** Probes that have failed since it opened. */
  get failedProbes(): number {
    return this.#state.name === 'half-open' ? this.#state.probes : 0;
  }

  /** A request starts. */
  onDispatch(now: number): void {
    const state = this.#state;
    if ((state.name !== 'open' || state.until > now) && state.name !== 'half-open') return;
    const { since, firstAt, probes } = state;
    this.#state = { name: 'half-open', since, firstAt, probes, probedAt: now };
  }

  /**
   * Records the success of a request that was sent at `startedAt`. One that was sent before the failures closes nothing, but
   * is a sign of life.
   */
  recordSuccess(startedAt: number, now: number): void {
    const state = this.#state;
    if (state === CLOSED) return;
    if (state.name === 'down' || startedAt >= state.firstAt) this.#state = CLOSED;
    else this.#state = { ...state, since: now };
  }

  /** Records the failure of a request that was sent at `startedAt`. */
  recordFailure(error: string, startedAt: number, now: number): void {
    this.lastError = error;
    const { threshold, giveUpAfterMs, minProbes } = this.#rules;
    if (threshold === 0) return;
    const state = this.#state;
    if (state.name === 'closed') {
      const failures = state.failures + 1;
      const since = failures === 1 ? startedAt : Math.min(state.since, startedAt);
      const firstAt = failures === 1 ? now : state.firstAt;
      // A request that was sent after the first failure is a probe, too, however few there are.
      const probes = startedAt >= firstAt ? failures - 1 : 0;
      if (probes >= minProbes && now - since >= giveUpAfterMs) this.#state = { name: 'down' };
      else if (failures < threshold) this.#state = { name: 'closed', failures, since, firstAt };
      else this.#open({ since, firstAt }, 0, now);
    } else if (this.isProbe(startedAt) && state.name === 'half-open') {
      const probes = state.probes + 1;
      if (probes >= minProbes && now - state.since >= giveUpAfterMs) this.#state = { name: 'down' };
      else this.#open(state, probes, now);
    }
    // Other failures are those of requests sent before it opened, and carry no new information.
  }

  /** The last probe is sent when it would be time to give up, not later. */
  #open({ since, firstAt }: Failing<object>, probes: number, now: number): void {
    const openMs = Math.min(MAX_OPEN_MS, FIRST_OPEN_MS * 2 ** probes);
    const leftMs = since + this.#rules.giveUpAfterMs - now;
    const until = now + (leftMs > 0 ? Math.min(openMs, Math.max(FIRST_OPEN_MS, leftMs)) : openMs);
    this.#state = { name: 'open', since, firstAt, probes, until };
  }
}
