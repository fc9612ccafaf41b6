import { printable } from '../model/printable.ts';

const MAX_URL_LENGTH = 2000;
const MAX_EXCERPT_LENGTH = 100;

// Greedy on purpose: a password may hold an unescaped `/`, `#` or `@`. The number of a port is no password.
// What stands before `://` may be no scheme, as in `ht tp://` or `- http://`.
// Anchored, and no two parts in a row match the same characters, so it is linear in what it reads.
const USER_INFO =
  /^((?:[^\\/?#@]*:)?[\\/]{2,}|https?:[\\/]+|)(?:[^\\/?#:]*:(?!\d*(?:[\\/?#]|$)).*@|[^\\/?#]*@)/is;
const JSON_SECRETS = /\b(?:headers?|body|authorization|cookie)\b.*$/is;

/** The `url` of an invalid job: one printable word of 1 to 2000 characters, without a password. */
export function shownUrl(text: string): string {
  return shown(text, MAX_URL_LENGTH).replace(/\s/g, '%20').slice(0, MAX_URL_LENGTH) || '-';
}

/** A short, printable piece of what was read, for a message, without a password. */
export function excerpt(text: string): string {
  return shown(text, MAX_EXCERPT_LENGTH);
}

function shown(text: string, maxLength: number): string {
  // Cut once more at the end, since an escape is longer than what it stands for.
  const start = printable(withoutSecrets(text.trim()).replace(/[\t\n\r\v\f]/g, ' '), maxLength);
  return start.length > maxLength ? `${start.slice(0, maxLength - 1)}…` : start;
}

function withoutSecrets(text: string): string {
  const start = text.startsWith('{') ? text.replace(JSON_SECRETS, '…') : text.replace(USER_INFO, '$1***@');
  // A URL may stand anywhere in a line that is none.
  const pieces = start.split(/(["'\s])/);
  return pieces.map((piece) => piece.replace(USER_INFO, '$1***@')).join('');
}
