import { didYouMean } from '../../model/did-you-mean.ts';
import { InvalidValueError, type Parser } from '../option.ts';

/** Keys that `--record` adds to the record. */
const RECORD_KEYS = ['headers', 'address', 'tls', 'title', 'input'] as const;

/** A key that a result has only if it is requested. */
export type RecordKey = (typeof RECORD_KEYS)[number];

/** Fields and columns with what the record has in `tls`. */
export const TLS_FIELDS = [
  'tlsProtocol',
  'tlsCipher',
  'tlsAlpn',
  'tlsSubject',
  'tlsIssuer',
  'tlsValidFrom',
  'tlsValidTo',
  'tlsDaysLeft',
] as const;

export type TlsField = (typeof TLS_FIELDS)[number];

/** Fields of `--template`: the keys of the record, and values as the text format shows them. */
const LINE_FIELDS = [
  ...[
    'index',
    'source',
    'line',
    'column',
    'input',
    'id',
    'url',
    'finalUrl',
    'method',
    'ok',
    'status',
    'attempts',
  ],
  ...['redirects', 'bytes', 'truncated', 'contentType', 'startedAt', 'durationMs', 'ttfbMs', 'totalMs'],
  ...['address', 'title'],
  ...TLS_FIELDS,
  ...['path', 'sha256', 'file', 'kind', 'code', 'message', 'baseline', 'badRuns', 'worker'],
  ...['verdict', 'time', 'size'],
] as const;

export type LineField = (typeof LINE_FIELDS)[number];

/** Literal text, or a field with a value for each result. */
export type LinePart = { readonly text: string } | { readonly field: LineField };

const MAX_LENGTH = 1000;
const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\t': '\t', '\\\\': '\\' };

/** A list of keys, with commas between them, or an array in JSON. */
export const recordKeys: Parser<readonly RecordKey[]> = {
  parse(value) {
    const words = typeof value === 'string' ? value.split(',').map((word) => word.trim()) : value;
    const requirement = `must be a list of ${RECORD_KEYS.join(', ')}, with commas between them`;
    if (!Array.isArray(words) || words.length === 0) throw new InvalidValueError(requirement);
    return words.map((word) => {
      const key = RECORD_KEYS.find((known) => known === word);
      if (key === undefined) throw new InvalidValueError(requirement);
      return key;
    });
  },
  print: (keys) => keys,
  suggestions: RECORD_KEYS,
};

/** Text with fields in braces, such as `{status} {url}`. `\n`, `\t` and `\\` are a line break, a tab and a backslash. */
export const lineTemplate: Parser<readonly LinePart[]> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.length > MAX_LENGTH) {
      throw new InvalidValueError(`must be text of 1 to ${MAX_LENGTH} characters with fields such as {url}`);
    }
    return value
      .split(/(\{\w*\})/)
      .filter((part) => part !== '')
      .map((part) =>
        /^\{\w*\}$/.test(part) ? { field: toField(part.slice(1, -1)) } : { text: fromEscapes(part) },
      );
  },
  print: (parts) => parts.map((part) => ('text' in part ? toEscapes(part.text) : `{${part.field}}`)).join(''),
};

/** The keys of the record that a template shows, and that results have only if they are requested. */
export function keysOfTemplate(template: readonly LinePart[] = []): readonly RecordKey[] {
  const fields = template.map((part) => ('field' in part ? part.field : ''));
  const shows = (key: RecordKey, field: string) =>
    field === key || (key === 'tls' && field.startsWith('tls'));
  return RECORD_KEYS.filter((key) => fields.some((field) => shows(key, field)));
}

function toField(name: string): LineField {
  const field = LINE_FIELDS.find((known) => known === name);
  if (field !== undefined) return field;
  const closest = didYouMean(name, LINE_FIELDS);
  const hint =
    closest === undefined ? `the fields are ${LINE_FIELDS.join(', ')}` : `did you mean {${closest}}?`;
  throw new InvalidValueError(`must not have the unknown field {${name}}: ${hint}`);
}

function fromEscapes(text: string): string {
  return text.replace(/\\[nt\\]/g, (escaped) => ESCAPES[escaped] ?? escaped);
}

function toEscapes(text: string): string {
  return text.replace(/[\\\n\t]/g, (mark) => (mark === '\n' ? '\\n' : mark === '\t' ? '\\t' : '\\\\'));
}
