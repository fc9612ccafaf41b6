import type { ExpectedHeader } from '../../model/expectation.ts';
import { isHost, isToken, MANAGED_HEADERS } from '../../model/job.ts';
import { printable } from '../../model/printable.ts';
import { InvalidValueError, type Parser } from '../option.ts';
import { toHostname } from './addresses.ts';
import { asList, readPairs, splitAt } from './texts.ts';

/** Request headers that are no lists: two of them contradict each other, and servers and proxies may choose different ones. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  ...[
    'authorization',
    'content-encoding',
    'content-location',
    'content-range',
    'content-type',
    'date',
    'from',
  ],
  ...['host', 'if-modified-since', 'if-range', 'if-unmodified-since', 'max-forwards', 'origin'],
  ...['proxy-authorization', 'range', 'referer', 'user-agent'],
]);

/**
 * The value of a header (RFC 9110, section 5.5): Latin-1 without control characters, except tabs. White space around it
 * is removed.
 */
export const headerValue: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string') throw new InvalidValueError('header value must be text');
    const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(trimmed)) {
      throw new InvalidValueError('header value must not contain control characters');
    }
    if (/[^\u0000-\u00ff]/.test(trimmed)) {
      throw new InvalidValueError('header value must be Latin-1 (encode other characters)');
    }
    return trimmed;
  },
  print: (value) => value,
};

/** A request header. The name is in lower case. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/**
 * Request headers: one line `Name: value`, a list of lines, or an object of names and values. `Name:` sends the header
 * with an empty value. Error messages do not show values.
 */
export const headers: Parser<readonly Header[]> = {
  parse: (value) => {
    const pairs = readPairs(value, (line) => splitAt(line, ':'), 'must look like "Name: value"');
    return checkSingle(pairs.map(([name, text]) => parseHeader(name, text)));
  },
  print: (list) => list.map(formatHeader),
  show: (value) => asList(value).map(showHeader).filter(Boolean).join(', '),
};

/** Throws if a header that a request has once is given twice. Others are joined to one (RFC 9110, section 5.3). */
function checkSingle<T extends Header & { readonly host?: string }>(list: readonly T[]): readonly T[] {
  const seen = new Set<string>();
  for (const { host = '', name } of list) {
    const key = `${host} ${name}`;
    if (seen.has(key) && SINGLE_HEADERS.has(name)) {
      throw new InvalidValueError(`must have ${name} only once${host === '' ? '' : ` for ${host}`}`);
    }
    seen.add(key);
  }
  return Object.freeze(list);
}

function parseHeader(name: string, value: unknown): Header {
  if (!isToken(name))
    throw new InvalidValueError(
      'header name must consist of letters, digits and dashes, as in "Name: value"',
    );
  const lower = name.toLowerCase();
  if (MANAGED_HEADERS.has(lower))
    throw new InvalidValueError(`must not be ${lower}, which fanout sets itself`);
  const parsed = headerValue.parse(value);
  if (lower === 'host' && !isHost(parsed)) {
    throw new InvalidValueError('host must be a host such as example.com, [::1] or example.com:8443');
  }
  return Object.freeze({ name: lower, value: parsed });
}

// Shows only the name, since a value may be a secret. A line of one word is not shown: the word may be the secret.
function showHeader(line: unknown): string {
  const [, name] = typeof line === 'string' ? (/^([^\s:]{1,64}[:\s])\s*\S/.exec(line) ?? []) : [];
  return name === undefined ? '' : `"${printable(name.trimEnd())} ***"`;
}

/** A request header for one host. */
export interface HostHeader extends Header {
  /**
   * As in a URL: `example.com`, `[::1]`; or `*.example.com` for every name below `example.com`. With a port
   * (`example.com:8443`), the header is for that port only.
   */
  readonly host: string;
}

/**
 * Headers for one host each: one line `HOST Name: value`, a list of lines, or an object that has for each host what
 * `headers` accepts. Error messages do not show values.
 */
export const hostHeaders: Parser<readonly HostHeader[]> = {
  parse: (value) =>
    checkSingle(
      readPairs(value, splitHost, 'must look like "HOST Name: value"').flatMap(([text, lines]) => {
        const host = parseHost(text);
        if (host === undefined) {
          throw new InvalidValueError(
            'HOST must be a host such as example.com, *.example.com, [::1] or example.com:8443',
          );
        }
        return headers.parse(lines).map((header) => Object.freeze({ host, ...header }));
      }),
    ),
  print: (list) => list.map((header) => `${header.host} ${formatHeader(header)}`),
  show: (value) => asList(value).map(showHostHeader).filter(Boolean).join(', '),
};

function splitHost(line: string): readonly [string, string] | undefined {
  const [, host, header] = /^\s*(\S+)\s+(.*)$/s.exec(line) ?? [];
  return host === undefined || header === undefined ? undefined : [host, header];
}

/** `HOST` or `HOST:PORT` in the form of a URL, or `undefined` if the text is neither. */
export function parseHost(text: string): string | undefined {
  const [, any = '', name = '', digits] =
    /^(\*\.)?(\[[^\]]+\]|[^[\]:/\\?#@*%\s]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const hostname = toHostname(name);
  const port = Number(digits ?? 1);
  if (hostname === undefined || port < 1 || port > 65_535) return undefined;
  // Nothing is below an address.
  if (any !== '' && /^\[|^[\d.]+$/.test(hostname)) return undefined;
  return `${any}${hostname}${digits === undefined ? '' : `:${port}`}`;
}

// Shows only the host, and only if it is valid: in a line without a host, the first word may be a secret.
function showHostHeader(line: unknown): string {
  const [, first = ''] = typeof line === 'string' ? (/^\s*(\S+)\s+\S/.exec(line) ?? []) : [];
  const host = parseHost(first);
  return host === undefined ? '' : `"${host} ***"`;
}

/** Headers that a response must have: `Name: value`, or `Name:` for any value; one, or a list. */
export const expectedHeaders: Parser<readonly ExpectedHeader[]> = {
  parse: (value) => Object.freeze(asList(value).map(parseExpectedHeader)),
  print: (list) => list.map(formatHeader),
};

function parseExpectedHeader(line: unknown): ExpectedHeader {
  const [name = '', value = ''] = (typeof line === 'string' && splitAt(line, ':')) || [];
  if (!isToken(name.trim())) {
    throw new InvalidValueError('must look like "Name: value", or "Name:" for any value');
  }
  return Object.freeze({ name: name.trim().toLowerCase(), value: value.trim() });
}

function formatHeader({ name, value }: Header): string {
  return `${name}: ${value}`;
}

/** `NAME:PASSWORD`. Both may be empty, and the password may contain colons. Error messages do not show it. */
export const credentials: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !value.includes(':')) {
      throw new InvalidValueError('must look like NAME:PASSWORD (NAME: for an empty password)');
    }
    // RFC 7617, section 2. The most frequent one is the line break at the end of a file.
    if (/[\u0000-\u001f\u007f]/.test(value))
      throw new InvalidValueError('must not contain control characters');
    return value;
  },
  print: (value) => value,
  show: () => '',
};

const MASK = '***';

// A list of the headers that may be shown, not of those that may not: services put keys into headers of any name.
const HARMLESS_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-encoding',
  'content-language',
  'content-type',
  'dnt',
  'if-modified-since',
  'pragma',
  'range',
  'upgrade-insecure-requests',
  'user-agent',
  'x-requested-with',
]);

/** Whether the value of a header, named in lower case, is never a secret. */
export function isHarmlessHeader(name: string): boolean {
  return HARMLESS_HEADERS.has(name);
}

/** Headers as lines, with `***` for every value unless the header is harmless and `isSecret` does not name it. */
export function maskHeaders(
  list: readonly Header[],
  isSecret: (name: string) => boolean = () => false,
): readonly string[] {
  return list.map(
    ({ name, value }) => `${name}: ${isHarmlessHeader(name) && !isSecret(name) ? value : MASK}`,
  );
}

/** Headers for one host each, as lines with `***` for every value. */
export function maskHostHeaders(list: readonly HostHeader[]): readonly string[] {
  return list.map(({ host, name }) => `${host} ${name}: ${MASK}`);
}

/** Hides the user name too: it may be a key. */
export function maskCredentials(): string {
  return `${MASK}:${MASK}`;
}

/** Shows the length of a request body, or the name of its file. */
export function maskData(data: string): string {
  return data.startsWith('@') ? data : `${MASK} (${Buffer.byteLength(data)} bytes)`;
}
