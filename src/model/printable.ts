// C0, DEL and C1 controls, line separators, marks that reorder text on a screen, and `##[`, which starts a command of the
// GitHub Actions runner anywhere in a line (actions/runner, ActionCommand.cs).
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|#(?=#\[)/g;

// Fast path: most text is plain ASCII.
const UNPRINTABLE_OR_WIDE = /[^\x20-\x7e]|##\[/;

/**
 * Makes untrusted text safe for a terminal and for programs that read lines: control characters and direction marks become
 * `\u{..}` escapes. Text longer than `maxLength` UTF-16 code units is cut and ends in an ellipsis.
 */
export function printable(text: string, maxLength = 2000): string {
  if (text.length <= maxLength && !UNPRINTABLE_OR_WIDE.test(text)) return text;
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(UNPRINTABLE, (mark) => `\\u{${mark.charCodeAt(0).toString(16)}}`);
}

/** Schemes of links that name nothing to fetch. */
const OTHER_SCHEME = new RegExp(
  '^(?:mailto|tel|sms|callto|sips?|xmpp|skype|whatsapp|facetime|geo|data|javascript|vbscript|about|blob|cid|mid|' +
    'urn|magnet|news|intent|market|view-source|chrome|resource):',
  'i',
);

// Greedy on purpose: a password may contain an unescaped `/`, `#` or `@`. A port number is not a password.
// The text before `://` may be something else than a scheme, as in `ht tp://` or `- http://`.
// Anchored, and no two adjacent parts match the same characters, so matching takes linear time.
// The at sign may be a wide one, or escaped.
const USER_INFO =
  /^((?:[^\\/?#@:]*:)?[\\/]{2,}|https?:[\\/]+|)(?:[^\\/?#:]*:(?!\d*(?:[\\/?#]|$)).*|[^\\/?#]*)([@＠﹫]|%40)/is;
const AT_SIGN = /[@＠﹫]|%40/;
const TO_LAST_AT_SIGN = /^.*([@＠﹫]|%40)/s;
// A name and a password at the start of any part of a path, as in `out/me:password@host`.
const USER_INFO_IN_PATH = /(^|[\\/])[^\\/:]*:(?!\d*(?:[\\/?#]|$)).*([@＠﹫]|%40)$/s;
const SLASHES = /(?:\\?\/){2,}|\\{2,}/g;
/** How many pairs of slashes in one word may begin a URL. */
const MAX_URLS = 8;

// The end of text that was cut off within the part of a URL that may contain a password; a password may contain a slash.
const CUT_AUTHORITY = /((?:\\?\/){2})(?:[^\\/?#"'\s]+$|[^\\/?#"'\s:]*:(?!\d*(?:[\\/?#"'\s]|$))[^@]*$)/;
// A word that ends where a password may have been cut off: what follows the colon is not a port.
const CUT_PASSWORD = /^([a-z][a-z0-9+.-]*:\/\/[^\\/?#@:[\]]*:)(?!\d*$)[^\\/?#@]+$/i;
// A name and what is not a port, and nothing else: credentials without their host.
const BARE_PASSWORD = /^([^\\/?#@:\s[\]{"'<]+:)(?!\d*(?:[\\/?#]|$))[^\\/\s]\S*$/;
const JSON_SECRETS = /\b(?:headers?|body|authorization|cookie)\b.*$/is;
// A header, or another name with a value, that was put where it does not belong.
const NAMED_SECRET =
  /((?:^|["'\s,;])[\w-]{0,40}(?:authorization|cookie|token|secret|passw(?:or)?d|api-?key)[\w-]{0,40}["']?[ \t]*[:=][ \t]*)[^ \t].*$/is;
const NAMED_CREDENTIALS =
  /((?:^|["'\s,;{])(?:\w[\w-]{0,40}-)?(?:auth|credentials?|login|pass|pwd|user(?:name|pwd)?)\\?["']?[ \t]*[:=][ \t]*)[^ \t].*$/is;
// Credentials of a command such as `curl -u name:password`, with quotes or without.
const CREDENTIALS_FLAG =
  /((?:^|\s)(?:-[a-z]{0,5}u(?:\s+|=|(?=[^\s:]*:))|--(?:(?:proxy-)?user|oauth2-bearer|password)(?:\s+|=)))(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|\\.?|[^\s"'\\])+/gis;

/** Whether the text is a link that names nothing to fetch, such as `mailto:` or `javascript:`. */
export function isOtherLink(text: string): boolean {
  return OTHER_SCHEME.test(text);
}

/**
 * Replaces what may be a password or a key by `***`: in a URL or a part of one, in JSON that may be damaged or cut off, and
 * behind the name of a header or a flag. Meant for a refused line, which may contain anything.
 */
export function maskSecrets(text: string): string {
  const masked = maskParts(text);
  return masked !== text || isOtherLink(text) ? masked : text.replace(BARE_PASSWORD, '$1***');
}

function maskParts(text: string): string {
  const isJson = text.startsWith('{') || text.startsWith('[{');
  const start = isJson ? maskJsonSecrets(text) : maskUserInfo(text);
  // A line that is not a URL may contain one anywhere.
  return start
    .replace(CREDENTIALS_FLAG, '$1***')
    .split(/(["'\s])/)
    .map(maskWord)
    .join('')
    .replace(NAMED_SECRET, '$1***')
    .replace(NAMED_CREDENTIALS, '$1***');
}

/**
 * A value as messages show it in quotes: printable, at most `maxLength` characters, without passwords and keys. It may be the
 * name of a file, such as `results-10:20:30.jsonl`, so a colon alone hides nothing.
 */
export function excerpt(text: string, maxLength = 200): string {
  // `me@example.txt` is the name of a file more often than a key.
  const mayBeSecret = /[:=]|\/\//.test(text);
  return printable(mayBeSecret ? maskParts(text) : text, maxLength);
}

function maskUserInfo(text: string): string {
  return isOtherLink(text) ? text : text.replace(USER_INFO, '$1***$2');
}

/** Masks a word that contains a URL anywhere, such as `file/http://user:password@host`. */
function maskWord(word: string): string {
  const masked = maskUserInfo(word).replace(CUT_PASSWORD, '$1***');
  if (masked !== word || !AT_SIGN.test(word) || isOtherLink(word)) return masked;
  const starts = [...word.matchAll(SLASHES)].slice(0, MAX_URLS);
  for (const { index } of starts) {
    const rest = maskUserInfo(word.slice(index));
    if (rest.length !== word.length - index) return word.slice(0, index) + rest;
  }
  // The path of a URL may contain both signs, as in `http://host/a:b@c`.
  if (starts.length > 0) return word;
  return word.replace(TO_LAST_AT_SIGN, (start) => start.replace(USER_INFO_IN_PATH, '$1***$2'));
}

/** Also hides a password with quotes in it, and one that is cut off before its `@`. */
function maskJsonSecrets(text: string): string {
  const start = text.replace(JSON_SECRETS, '…');
  const from = /(?:\\?\/){2}/.exec(start);
  const rest = from === null ? '' : start.slice(from.index);
  if (from !== null && AT_SIGN.test(rest)) {
    return start.slice(0, from.index) + rest.replace(TO_LAST_AT_SIGN, `${from[0]}***$1`);
  }
  return maskCutAuthority(start);
}

/** Hides a host at the end of text that was cut off: it may be the start of a password. */
export function maskCutAuthority(text: string): string {
  return text.replace(CUT_AUTHORITY, '$1***');
}

/**
 * The type of a value in words, such as `an array`. Only one whose entries are keys of its own is `an object`: those of `Headers`
 * or of a `Map` are not, and it is `a Map`.
 */
export function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (isPlain(value) || Object.keys(value).length > 0) return 'an object';
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return tag === 'Object' ? 'an object without keys of its own' : `a ${printable(tag, 50)}`;
}

/** Whether an object is of no class. It may be of another realm, with an `Object` of its own. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
