const FIRST_PARK_MS = 1_000;
const MAX_PARK_MS = 30_000;
const MAX_PROBES = 3;

type State =
  | { readonly name: 'closed'; readonly failures: number }
  | { readonly name: 'open'; readonly until: number; readonly failedProbes: number }
  | { readonly name: 'half-open'; readonly failedProbes: number }
  | { readonly name: 'down' };

const CLOSED: State = { name: 'closed', failures: 0 };

/**
 * The circuit breaker of one host (M. Nygard, "Release It!", 2007): closed, open, half-open, and at last down.
 *
 * So many failures in a row open it; it is parked for a second, then lets one job through as a probe. A failed probe
 * parks it for twice as long; after the third it is down for good. Any answer closes it.
 */
export class CircuitBreaker {
  readonly #threshold: number;
  #state: State = CLOSED;
  /** The last failure, to be told with what fails because of it. */
  lastError = '';

  /** `threshold`: failures in a row that open it; 0 means never. */
  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  get isDown(): boolean {
    return this.#state.name === 'down';
  }

  /** Whether it holds anything back. */
  get isOpen(): boolean {
    return this.#state.name !== 'closed';
  }

  /** Whether there is nothing to remember. */
  get isQuiet(): boolean {
    return this.#state === CLOSED;
  }

  /** When the next job may go: `now` or earlier for at once, Infinity while a probe is under way. */
  openAt(inFlight: number): number {
    switch (this.#state.name) {
      case 'open':
        return this.#state.until;
      case 'half-open':
        return inFlight > 0 ? Number.POSITIVE_INFINITY : 0;
      default:
        return 0;
    }
  }

  /** A job is let through. */
  taken(now: number): void {
    if (this.#state.name !== 'open' || this.#state.until > now) return;
    this.#state = { name: 'half-open', failedProbes: this.#state.failedProbes };
  }

  answer(): void {
    this.#state = CLOSED;
  }

  fail(error: string, now: number): void {
    this.lastError = error;
    if (this.#threshold === 0) return;
    const state = this.#state;
    if (state.name === 'closed') {
      const failures = state.failures + 1;
      this.#state = failures < this.#threshold ? { name: 'closed', failures } : park(0, now);
    } else if (state.name === 'half-open') {
      const failedProbes = state.failedProbes + 1;
      this.#state = failedProbes < MAX_PROBES ? park(failedProbes, now) : { name: 'down' };
    }
    // While it is open, what was sent before it opened still comes back, and says nothing new.
  }
}

function park(failedProbes: number, now: number): State {
  const parkMs = Math.min(MAX_PARK_MS, FIRST_PARK_MS * 2 ** failedProbes);
  return { name: 'open', until: now + parkMs, failedProbes };
}
