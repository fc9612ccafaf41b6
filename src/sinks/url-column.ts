import { printable } from '../model/printable.ts';

const NOT_PLAIN_OR_SPACE = /[^\x21-\x7e]|##\[/;

/**
 * A URL as a column: never empty, without white space and control characters, at full length. A serialised URL is
 * printable ASCII already; what an invalid line held is made so, spaces as `%20`.
 */
export function urlColumn(url: string): string {
  if (url === '') return '-';
  if (!NOT_PLAIN_OR_SPACE.test(url)) return url;
  return printable(url, Number.POSITIVE_INFINITY).replace(/\s/g, (space) => encodeURIComponent(space));
}
