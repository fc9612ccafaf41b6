/** Time as the queue needs it: handed in, so that a test can turn the hands. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Calls `wake` once after `delayMs`; the function returned calls it off. */
  after(delayMs: number, wake: () => void): () => void;
}
