/** Time as the queue needs it: handed in, so that a test can turn the hands. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Calls `wake` once after `delayMs`; the function returned calls it off. */
  after(delayMs: number, wake: () => void): () => void;
}

const MAX_DELAY_MS = 2 ** 31 - 1; // what a timer of Node can wait; whoever is woken early looks at the clock again

/** The machine's clock: ms since the epoch that never go back, in steps below a microsecond. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};
