const FIRST_OPEN_MS = 1_000;
const MAX_OPEN_MS = 30_000;
const MAX_PROBES = 3;

type State =
  | { readonly name: 'closed'; readonly failures: number }
  | { readonly name: 'open'; readonly until: number; readonly failedProbes: number }
  | { readonly name: 'half-open'; readonly failedProbes: number }
  | { readonly name: 'down' };

const CLOSED: State = { name: 'closed', failures: 0 };

/**
 * The circuit breaker of one host (M. Nygard, "Release It!", 2007), with a fourth state, down.
 *
 * - Closed: `threshold` consecutive failures open it.
 * - Open: no requests for one second. Then one request is let through as a probe: it is half-open.
 * - Half-open: a failed probe opens it for twice as long; the third failed probe makes it down, which is final.
 * - Any response closes it.
 */
export class CircuitBreaker {
  readonly #threshold: number;
  #state: State = CLOSED;
  /** The last failure, for the messages of the jobs that fail because of it. */
  lastError = '';

  /** @param threshold consecutive failures that open it; 0 for never */
  constructor(threshold: number) {
    this.#threshold = threshold;
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

  /** A request starts. */
  onDispatch(now: number): void {
    if (this.#state.name !== 'open' || this.#state.until > now) return;
    this.#state = { name: 'half-open', failedProbes: this.#state.failedProbes };
  }

  recordSuccess(): void {
    this.#state = CLOSED;
  }

  recordFailure(error: string, now: number): void {
    this.lastError = error;
    if (this.#threshold === 0) return;
    const state = this.#state;
    if (state.name === 'closed') {
      const failures = state.failures + 1;
      this.#state = failures < this.#threshold ? { name: 'closed', failures } : open(0, now);
    } else if (state.name === 'half-open') {
      const failedProbes = state.failedProbes + 1;
      this.#state = failedProbes < MAX_PROBES ? open(failedProbes, now) : { name: 'down' };
    }
    // While it is open, failures are those of requests sent before it opened, and carry no new information.
  }
}

function open(failedProbes: number, now: number): State {
  const openMs = Math.min(MAX_OPEN_MS, FIRST_OPEN_MS * 2 ** failedProbes);
  return { name: 'open', until: now + openMs, failedProbes };
}
