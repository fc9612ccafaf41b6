/** How many requests a new host is asked at once: enough for most, few enough not to run into a wall (as RFC 6928 for TCP). */
const START = 10;

/**
 * The adaptive limit of one host: additive increase, multiplicative decrease (Chiu and Jain, 1989), with a slow start.
 *
 * Until the host first pushes back each full round of successes doubles the limit, from then on it adds one. A push-back
 * halves it, down to 1; the answers to requests that were sent before the last halving say nothing new.
 */
export class ConcurrencyLimit {
  readonly #max: number;
  #current: number;
  #successes = 0;
  #hasPushedBack = false;
  #changedAt = Number.NEGATIVE_INFINITY;

  constructor(max: number) {
    this.#max = max;
    this.#current = Math.min(max, START);
  }

  get current(): number {
    return this.#current;
  }

  /** Whether the host has shown that it takes less than it is allowed. */
  get isLowered(): boolean {
    return this.#hasPushedBack && this.#current < this.#max;
  }

  succeed(): void {
    this.#successes += 1;
    if (this.#successes < this.#current || this.#current === this.#max) return;
    this.#successes = 0;
    this.#current = Math.min(this.#max, this.#hasPushedBack ? this.#current + 1 : this.#current * 2);
  }

  /** `startedAt` is when the request was sent that was pushed back at `now`. */
  pushBack(startedAt: number, now: number): void {
    this.#hasPushedBack = true;
    this.#successes = 0;
    if (startedAt < this.#changedAt) return;
    this.#changedAt = now;
    this.#current = Math.max(1, Math.floor(this.#current / 2));
  }
}
