const BASE_MS = 500;
const CAP_MS = 30_000;

/**
 * Time in ms to wait before the next attempt, after `attempts` (from 1) that failed: exponential, capped, with full
 * jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffMs(attempts: number, random: () => number): number {
  return random() * Math.min(CAP_MS, BASE_MS * 2 ** (attempts - 1));
}

/**
 * The wait in ms that a Retry-After header asks for (RFC 9110, 10.2.3), counted from `now` in ms since the epoch;
 * `undefined` when the header says nothing that can be understood.
 */
export function retryAfterMs(header: string, now: number): number | undefined {
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  // An HTTP date begins with the name of the day; `Date.parse` alone takes much else for a date.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  // The asctime form is in GMT without saying so, and ends in the year.
  const date = Date.parse(/ \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

const SAFE_TO_REPEAT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Whether sending a request of this method twice does what sending it once does (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return SAFE_TO_REPEAT.has(method);
}
