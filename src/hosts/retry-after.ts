/**
 * The wait in ms that a Retry-After header asks for (RFC 9110, 10.2.3), counted from `now` in ms since the epoch;
 * `undefined` when the header says nothing that can be understood.
 */
export function retryAfterMs(header: string, now: number): number | undefined {
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // An HTTP date begins with the name of the day; `Date.parse` alone takes much else for a date.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
