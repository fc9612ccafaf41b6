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
