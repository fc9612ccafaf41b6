const BASE_MS = 500;
const CAP_MS = 30_000;

/**
 * Time in ms to wait before the next attempt, after `attempts` (from 1) that failed: exponential, capped, with full
 * jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffMs(attempts: number, random: () => number): number {
  return random() * Math.min(CAP_MS, BASE_MS * 2 ** (attempts - 1));
}
