const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** The limit is not lowered below this: fewer requests would not help, and only take longer. */
const MIN_LIMIT = 16;
const GROWTH = 1.25;

/**
 * Slows the whole run down while this machine is out of file descriptors, memory or ports.
 *
 * An exhausted resource stops all new requests for 50 ms, and halves the limit of requests in flight. The pause doubles, up
 * to one second, with each further one. Each full round of successes raises the limit by a quarter and halves the pause.
 */
export class ResourcePressure {
  readonly #max: number;
  #limit: number;
  #pauseMs = 0;
  #pausedUntil = 0;
  #loweredAt = Number.NEGATIVE_INFINITY;
  #successes = 0;
  #exhaustedCount = 0;

  /** @param max maximum number of requests in flight */
  constructor(max: number) {
    this.#max = max;
    this.#limit = max;
  }

  /** Number of requests that could not start. */
  get exhaustedCount(): number {
    return this.#exhaustedCount;
  }

  /** When the next request may start; Infinity if one in flight must end first. */
  nextAllowedAt(inFlight: number): number {
    return inFlight >= this.#limit ? Number.POSITIVE_INFINITY : this.#pausedUntil;
  }

  /** Records that a request could not start. Those tried at a `startedAt` before the last pause began are only counted. */
  recordExhausted(startedAt: number, now: number): void {
    this.#exhaustedCount += 1;
    if (startedAt < this.#loweredAt) return;
    this.#loweredAt = now;
    this.#successes = 0;
    this.#limit = Math.min(this.#limit, Math.max(MIN_LIMIT, Math.floor(this.#limit / 2)));
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
    this.#pausedUntil = now + this.#pauseMs;
  }

  /** Records a request that started, whatever became of it. */
  recordSuccess(): void {
    if (this.#pauseMs === 0) return;
    this.#successes += 1;
    if (this.#successes < this.#limit) return;
    this.#successes = 0;
    this.#limit = Math.min(this.#max, Math.ceil(this.#limit * GROWTH));
    this.#pauseMs = this.#limit === this.#max ? 0 : this.#pauseMs / 2;
  }
}
