/** How far ahead of its time a request may start: timers are no finer, and fast rates need small bursts to be kept. */
export const TOLERANCE_MS = 10;

/** When requests to any host may start. */
export interface TotalPace {
  /** When the next request may start. */
  readonly openAt: number;
  /** One was started. */
  taken(now: number): void;
}

/** Spaces requests evenly: the generic cell rate algorithm (ITU-T I.371), as virtual scheduling. */
export class Pace implements TotalPace {
  readonly #intervalMs: number;
  #nextAt = 0;

  /** `perMs`: requests for each ms; Infinity for no limit. */
  constructor(perMs: number) {
    this.#intervalMs = 1 / perMs;
  }

  /** When the next request may start. */
  get openAt(): number {
    return this.#intervalMs === 0 ? 0 : this.#nextAt - TOLERANCE_MS;
  }

  taken(now: number): void {
    if (this.#intervalMs > 0) this.#nextAt = Math.max(this.#nextAt, now) + this.#intervalMs;
  }
}
