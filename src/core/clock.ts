/** Time as an argument, so that a test can control it. */
export interface Clock {
  /** Monotonic time in ms. */
  now(): number;
  /** Calls `wake` once after `delayMs`; the returned function cancels that. */
  after(delayMs: number, wake: () => void): () => void;
}

/** The longest delay of a Node timer. A longer one ends early: callers of `after` read the clock again. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const STARTED_AT = performance.timeOrigin; // a getter that takes longer than all else in `now`

/** The clock of this machine: ms since the epoch, monotonic, with a resolution below a microsecond. */
export const systemClock: Clock = {
  now: () => STARTED_AT + performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};

/** At most one timer, however often its time changes. */
export class SingleTimer {
  readonly #clock: Clock;
  readonly #onTime: () => void;
  #at = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, onTime: () => void) {
    this.#clock = clock;
    this.#onTime = onTime;
  }

  /** Calls back once at `at`, replacing the time that was set before; Infinity means never. */
  set(at: number, now: number): void {
    if (this.#at === at) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#clock.after(at - now, () => {
      this.#cancel = undefined;
      this.#at = Number.POSITIVE_INFINITY;
      this.#onTime();
    });
  }
}
