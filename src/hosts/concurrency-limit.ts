/** Initial limit: enough for most hosts, and low enough not to overload one at once (compare RFC 6928 for TCP). */
const INITIAL_LIMIT = 10;

/**
 * The adaptive concurrency limit of one host: additive increase, multiplicative decrease (AIMD: D.-M. Chiu and R. Jain, 1989),
 * with slow start.
 *
 * Each full round of successes doubles the limit until the host first pushes back; after that it adds one. A push-back
 * halves the limit, down to 1. Push-backs of requests that were sent before the last halving do not halve it again.
 */
export class ConcurrencyLimit {
  readonly #max: number;
  #current: number;
  #successes = 0;
  #hasPushedBack = false;
  #halvedAt = Number.NEGATIVE_INFINITY;

  constructor(max: number) {
    this.#max = max;
    this.#current = Math.min(max, INITIAL_LIMIT);
  }

  get current(): number {
    return this.#current;
  }

  /** Whether push-backs keep the limit below its maximum. */
  get isLowered(): boolean {
    return this.#hasPushedBack && this.#current < this.#max;
  }

  recordSuccess(): void {
    this.#successes += 1;
    if (this.#successes < this.#current || this.#current === this.#max) return;
    this.#successes = 0;
    this.#current = Math.min(this.#max, this.#hasPushedBack ? this.#current + 1 : this.#current * 2);
  }

  /** Records that a request sent at `startedAt` was pushed back at `now`. */
  recordPushBack(startedAt: number, now: number): void {
    this.#hasPushedBack = true;
    this.#successes = 0;
    if (startedAt < this.#halvedAt) return;
    this.#halvedAt = now;
    this.#current = Math.max(1, Math.floor(this.#current / 2));
  }
}
