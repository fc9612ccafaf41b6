import { maskSecrets, printable } from '../model/printable.ts';

const WEB_URL = /^https?:/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const HOST_AND_PORT = /^[^\\/?#:@]+:\d+(?:[\\/?#]|$)/;

// C0 controls. The URL standard removes some of them and escapes others, which would make another URL.
const CONTROL = /[\0-\x1f]/;

/** A second URL behind white space, perhaps with a comma between them: as a part of the first one, it would be lost. */
const SECOND_URL = /\s["'<(]*https?:\/\//i;

/** Half of a character in UTF-16, as in the JSON text `"\ud800"`. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The replacement character, which stands for each lone surrogate in a parsed URL. */
const REPLACED = '%EF%BF%BD';

/** A host name of letters, digits and single hyphens, since two may start Punycode; its last part starts with a letter. */
const PLAIN_NAME = /(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)*[a-z][a-z0-9]*(?:-[a-z0-9]+)*/;
const BYTE = /(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)/;
const PLAIN_ADDRESS = new RegExp(`(?:${BYTE.source}\\.){3}${BYTE.source}`);

/** Not the default port of a scheme, and at most 64999. */
const PLAIN_PORT = /:(?!80\/|443\/)(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3})/;

/** No segment starts with a dot, and nothing is escaped or to be escaped. */
const PLAIN_PATH = /(?:\/(?!\.)[\w~!$&'()*+,;=:.-]*)+/;
const PLAIN_QUERY = /\?[\w~!$&()*+,;=:./?%-]*/;

/** Most URLs: the parser returns them as they are, and this finds that out in a tenth of its time. */
const PLAIN_URL = new RegExp(
  `^https?://(?:${PLAIN_NAME.source}|${PLAIN_ADDRESS.source})(?:${PLAIN_PORT.source})?${PLAIN_PATH.source}(?:${PLAIN_QUERY.source})?$`,
);

const MAX_URL_LENGTH = 2000;
const MAX_EXCERPT_LENGTH = 100;

const HOST_AND_PATH =
  /^(?:localhost|(?:[\p{L}\p{N}_-]+\.)+\p{L}[\p{L}\p{N}-]+|\d+(?:\.\d+){3}|\[[\da-f:.]+\])(?::\d+)?(?:[/?#].*)?$/iu;

export type Scheme = 'http' | 'https';

/** Whether text starts with a host, as a URL without its scheme does: a name with a dot, an address or `localhost`. */
export function startsWithHost(text: string): boolean {
  return HOST_AND_PATH.test(text);
}

/** A serialized URL without user info, which becomes the `authorization` header; or why the text is not a URL. */
type ParsedUrl = { readonly url: string; readonly authorization?: string } | { readonly invalid: string };

/**
 * Parses a trimmed `http:` or `https:` URL as the WHATWG URL standard does, with four exceptions: control characters and lone
 * surrogates within it, a second URL behind a space, and port 0 are refused. A URL without a scheme gets the `defaultScheme`.
 */
export function parseUrl(text: string, defaultScheme?: Scheme): ParsedUrl {
  if (PLAIN_URL.test(text)) return { url: text };
  const control = CONTROL.exec(text)?.[0];
  if (control !== undefined) return refuse(text, `must not contain ${describeControl(control)}`);
  if (SECOND_URL.test(text)) return refuse(text, 'must be one URL: write each on a line of its own');
  const full = defaultScheme === undefined ? text : withScheme(text, defaultScheme);
  if (!WEB_URL.test(full)) {
    const hasScheme = full.includes('://') && SCHEME.test(full);
    return refuse(
      text,
      hasScheme
        ? 'the scheme must be http or https'
        : `must start with http:// or https://${startsWithHost(text) ? ' (or use --default-scheme)' : ''}`,
    );
  }
  let parsed: URL;
  try {
    parsed = new URL(full);
  } catch {
    return refuse(text, 'the host must be a name or an address, and the port a number from 1 to 65535');
  }
  const { href } = parsed;
  if (href.endsWith(':0', href.indexOf('/', 8))) {
    return refuse(text, 'the port must be a number from 1 to 65535');
  }
  if (href.includes(REPLACED) && !isUnicode(full)) return refuse(text, 'must be valid Unicode');
  return href.includes('@') ? extractUserInfo(parsed) : { url: href };
}

/** Whether text can be sent as it is: it has no lone surrogate. */
export function isUnicode(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Whether a URL with this text is refused because of a control character. */
export function hasControls(text: string): boolean {
  return CONTROL.test(text);
}

function refuse(text: string, requirement: string): ParsedUrl {
  return { invalid: `invalid URL "${redactedExcerpt(text)}": ${requirement}` };
}

function describeControl(control: string): string {
  if (control === '\t') return 'a tab (--column reads a column of a table)';
  if (control === '\0') return 'NUL (--null reads a list that is separated by NUL characters)';
  return control === '\n' || control === '\r' ? 'a line break' : 'control characters';
}

function withScheme(text: string, scheme: Scheme): string {
  if (text.startsWith('//')) return `${scheme}:${text}`;
  // Without a host there is nothing to complete: `new URL` would take the path of `https:///path` for a host.
  if (/^[\\/?#]/.test(text)) return text;
  return SCHEME.test(text) && !HOST_AND_PORT.test(text) ? text : `${scheme}://${text}`;
}

/** Removes the user name and the password from a URL, and returns what is left and their Authorization. */
export function extractUserInfo(parsed: URL): Extract<ParsedUrl, { readonly url: string }> {
  const { username, password } = parsed;
  if (username === '' && password === '') return { url: parsed.href };
  parsed.username = '';
  parsed.password = '';
  const credentials = Buffer.from(`${percentDecode(username)}:${percentDecode(password)}`, 'latin1');
  return { url: parsed.href, authorization: `Basic ${credentials.toString('base64')}` };
}

// The parts of a parsed URL are ASCII, so each decoded character is one byte. `decodeURIComponent` throws on `%E4`.
function percentDecode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The `url` of an invalid job: what was read as one printable word of 1 to 2000 characters, without passwords. */
export function redactedUrl(text: string): string {
  return redact(text, MAX_URL_LENGTH).replace(/\s/g, encodeURIComponent).slice(0, MAX_URL_LENGTH) || '-';
}

/** The first 100 characters of what was read, for a message: printable and without passwords. */
export function redactedExcerpt(text: string): string {
  return redact(text, MAX_EXCERPT_LENGTH);
}

/** The text of a URL as it was read, with user name and password masked. */
export function withoutUserInfo(text: string): string {
  return text.includes('@') ? maskSecrets(text) : text;
}

function redact(text: string, maxLength: number): string {
  // Cut again at the end, since an escape is longer than the character it replaces.
  const start = printable(maskSecrets(text.trim()), maxLength);
  return start.length > maxLength ? `${start.slice(0, maxLength - 1)}…` : start;
}
