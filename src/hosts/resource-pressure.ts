const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** Requests under way below which starting fewer of them is of no help, and would only take longer. */
const MIN_LIMIT = 16;
const GROWTH = 1.25;

/**
 * Slows the whole run down while the machine is short of descriptors, memory or ports.
 *
 * A shortage stops all starts for 50 ms, which double up to a second while nothing but shortages follow, and halves the
 * number of requests under way, as `Limit` does for one host. Each full round of successes takes a part of both back.
 */
export class ResourcePressure {
  readonly #max: number;
  #limit: number;
  #pauseMs = 0;
  #pausedUntil = 0;
  #changedAt = Number.NEGATIVE_INFINITY;
  #successes = 0;
  #count = 0;

  /** `max`: requests under way at most. */
  constructor(max: number) {
    this.#max = max;
    this.#limit = max;
  }

  /** How many starts have met a shortage. */
  get count(): number {
    return this.#count;
  }

  /** When the next request may start; Infinity means not before one that is under way has ended. */
  openAt(inFlight: number): number {
    return inFlight >= this.#limit ? Number.POSITIVE_INFINITY : this.#pausedUntil;
  }

  /** A request that was started at `startedAt` has met a shortage. */
  recordExhausted(startedAt: number, now: number): void {
    this.#count += 1;
    if (startedAt < this.#changedAt) return; // started before the last change, it says nothing new
    this.#changedAt = now;
    this.#successes = 0;
    this.#limit = Math.min(this.#limit, Math.max(MIN_LIMIT, Math.floor(this.#limit / 2)));
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#pausedUntil = now + this.#pauseMs;
  }

  /** A request was not held up by any shortage. */
  succeeded(): void {
    if (this.#pauseMs === 0) return;
    this.#successes += 1;
    if (this.#successes < this.#limit) return;
    this.#successes = 0;
    this.#limit = Math.min(this.#max, Math.ceil(this.#limit * GROWTH));
    this.#pauseMs = this.#limit === this.#max ? 0 : this.#pauseMs / 2;
  }
}
