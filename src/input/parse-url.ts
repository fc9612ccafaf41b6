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

export type Scheme = 'http' | 'https';

/** A URL as it is fetched, with the user info taken out of it as a header; or why it is none. */
type ParsedUrl = { readonly url: string; readonly authorization?: string } | { readonly invalid: string };

const WEB_URL = /^https?:/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const HOST_AND_PORT = /^[^\\/?#:@]+:\d+(?:[\\/?#]|$)/;

/**
 * Reads a trimmed `http:` or `https:` URL as the WHATWG URL standard does, save that a tab or a line break within it, which the
 * standard drops in silence, and port 0 are refused. A `defaultScheme` is put before a URL that has none.
 */
export function parseUrl(text: string, defaultScheme?: Scheme): ParsedUrl {
  // Cheaper than a regular expression here, and this runs for each line.
  if (text.includes('\t') || text.includes('\r') || text.includes('\n')) {
    return refuse(text, 'it must hold no tab and no line break');
  }
  const full = defaultScheme === undefined ? text : withScheme(text, defaultScheme);
  if (!WEB_URL.test(full)) {
    const known = full.includes('://') && SCHEME.test(full);
    return refuse(
      text,
      known ? 'its scheme must be http or https' : 'it must start with http:// or https://',
    );
  }
  let parsed: URL;
  try {
    parsed = new URL(full);
  } catch {
    return refuse(text, 'its host must be a name or an address, and its port a number from 1 to 65535');
  }
  const { href } = parsed;
  if (href.endsWith(':0', href.indexOf('/', 8))) {
    return refuse(text, 'nothing listens on port 0, the port must be a number from 1 to 65535');
  }
  return href.includes('@') ? withoutUserInfo(parsed) : { url: href };
}

function withScheme(text: string, scheme: Scheme): string {
  if (text.startsWith('//')) return `${scheme}:${text}`;
  // Without a host there is nothing to complete: `new URL` would take the path of `https:///path` for a host.
  if (/^[\\/?#]/.test(text)) return text;
  return SCHEME.test(text) && !HOST_AND_PORT.test(text) ? text : `${scheme}://${text}`;
}

function withoutUserInfo(parsed: URL): ParsedUrl {
  const { username, password } = parsed;
  if (username === '' && password === '') return { url: parsed.href };
  parsed.username = '';
  parsed.password = '';
  const credentials = Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`, 'latin1');
  return { url: parsed.href, authorization: `Basic ${credentials.toString('base64')}` };
}

// The parts of a parsed URL are ASCII, so each character that comes out is one byte; `decodeURIComponent` throws on `%E4`.
function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function refuse(text: string, wish: string): ParsedUrl {
  return { invalid: `Cannot use "${excerpt(text)}" as a URL: ${wish}` };
}
