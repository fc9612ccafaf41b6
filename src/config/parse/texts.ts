import { expressionFault } from '../../model/expectation.ts';
import { isToken, normalizeMethod } from '../../model/job.ts';
import { describeType, excerpt, maskSecrets } from '../../model/printable.ts';
import { REPORT_KINDS, type ReportKind } from '../../model/result.ts';
import { missingGroup, type Remap } from '../../model/url-filter.ts';
import { InvalidValueError, type Parser } from '../option.ts';
import { fileName } from './names.ts';

/** Longest text that is searched for, in characters. The search reads a body in pieces of this length. */
const MAX_SEARCH_LENGTH = 64 * 1024;

/** Most texts, and most expressions, that one body is searched for: each of them takes time. */
const MAX_TEXTS = 1000;
const MAX_EXPRESSIONS = 20;

/** Most expressions for URLs, and their size together, in instructions of the search: about 100 characters for each. */
const MAX_URL_PATTERNS = 1000;
const MAX_URL_PROGRAM = 100_000;

const BOOLEANS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  ['true', true],
  ['1', true],
  ['yes', true],
  [false, false],
  ['false', false],
  ['0', false],
  ['no', false],
]);

/** What to use instead of words that are no kind of report. */
const REPORT_ADVICE: ReadonlyMap<string, string> = new Map([
  ...['csv', 'jsonl', 'text'].map(
    (format) => [format, `for ${format} use --format ${format} -o FILE`] as const,
  ),
  ['ndjson', 'for one record per line use --format jsonl -o FILE'],
  ['txt', 'for text use --format text -o FILE'],
  ['xml', 'for XML use junit=FILE'],
  ['md', 'for Markdown use markdown=FILE'],
  ['htm', 'for HTML use html=FILE'],
]);

const REPORT_REQUIREMENT = `must look like KIND=FILE, where KIND is one of ${REPORT_KINDS.join(', ')}`;

/** Any text, including an empty one. Error messages do not show it. */
export const secretText: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string') throw new InvalidValueError('must be text');
    return value;
  },
  print: (value) => value,
  show: () => '',
};

/** The longest reason, in characters. */
const MAX_REASON_LENGTH = 200;

/** A short text on one line. */
export const reasonText: Parser<string> = {
  parse(value) {
    const text = typeof value === 'string' ? value.trim() : '';
    if (text === '' || text.length > MAX_REASON_LENGTH || /[\r\n]/.test(text))
      throw new InvalidValueError(`must be one line of at most ${MAX_REASON_LENGTH} characters`);
    return text;
  },
  print: (value) => value,
};

/** A flag, a JSON boolean, or one of true, false, 1, 0, yes, no (in any case), as in the environment. */
export const boolean: Parser<boolean> = {
  parse(value) {
    const parsed = BOOLEANS.get(typeof value === 'string' ? value.toLowerCase() : value);
    if (parsed === undefined) throw new InvalidValueError('must be true or false');
    return parsed;
  },
  print: (value) => value,
};

/** Exactly one of the words. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return {
    parse(value) {
      const found = words.find((word) => word === value);
      if (found === undefined) throw new InvalidValueError(`must be one of ${words.join(', ')}`);
      return found;
    },
    print: (value) => value,
    suggestions: words,
  };
}

/**
 * A request method (RFC 9110, section 9). Standard ones are put in upper case. Others are kept as they are, since
 * methods are case-sensitive. CONNECT is rejected: it requests a tunnel, not a URL.
 */
export const method: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !isToken(value)) {
      throw new InvalidValueError('must be a request method such as GET, HEAD or POST');
    }
    if (value.toUpperCase() === 'CONNECT')
      throw new InvalidValueError('must not be CONNECT, which requests a tunnel');
    return normalizeMethod(value);
  },
  print: (value) => value,
};

/** Texts to search for, none of them empty: one, or a list. */
export const texts: Parser<readonly string[]> = {
  parse: (value) => Object.freeze(limited(value, MAX_TEXTS).map(parseSearchText)),
  print: (list) => list,
};

function parseSearchText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new InvalidValueError('must not be empty');
  if (value.length > MAX_SEARCH_LENGTH)
    throw new InvalidValueError(`must be ${MAX_SEARCH_LENGTH} characters or less`);
  return value;
}

/** Regular expressions of JavaScript that take linear time, without delimiters and flags: one, or a list. */
export const regexps: Parser<readonly RegExp[]> = regexpList(MAX_EXPRESSIONS);

/** The same for URLs, which are short, so that there may be more expressions. */
export const urlPatterns: Parser<readonly RegExp[]> = regexpList(MAX_URL_PATTERNS, MAX_URL_PROGRAM);

function regexpList(max: number, maxProgram?: number): Parser<readonly RegExp[]> {
  return {
    parse(value) {
      const expressions = limited(value, max).map(parseRegexp);
      const fault = expressionFault(expressions, maxProgram);
      if (fault !== undefined) throw new InvalidValueError(fault);
      return Object.freeze(expressions);
    },
    print: (list) => list.map(({ source }) => source),
  };
}

function parseRegexp(value: unknown): RegExp {
  if (typeof value !== 'string' || value === '') {
    throw new InvalidValueError('must be a regular expression that is not empty');
  }
  try {
    return new RegExp(value);
  } catch (error) {
    const [, reason] = /: ([^:]*)$/.exec(error instanceof Error ? error.message : '') ?? [];
    throw new InvalidValueError(`must be a JavaScript regular expression${reason ? ` (${reason})` : ''}`);
  }
}

const REMAP_REQUIREMENT =
  "must look like 'FROM TO', where FROM is a regular expression without white space, such as 'https://example\\.com/(.*) http://localhost:8080/$1'";

/** URLs that are fetched instead: `FROM TO` as in lychee, a list of these, or an object. Error messages show no password in it. */
export const remaps: Parser<readonly Remap[]> = {
  parse(value) {
    const pairs = readPairs(value, splitRemap, REMAP_REQUIREMENT);
    const rules = limited([...pairs], MAX_URL_PATTERNS).map((_, at) => parseRemap(pairs[at] ?? ['', '']));
    const fault = expressionFault(
      rules.map(({ from }) => from),
      MAX_URL_PROGRAM,
    );
    if (fault !== undefined) throw new InvalidValueError(fault);
    return Object.freeze(rules);
  },
  print: (list) => list.map(({ from, to }) => `${from.source} ${to}`),
  show: (value) =>
    asList(value)
      .map((line) => (typeof line === 'string' ? `"${excerpt(maskSecrets(line))}"` : ''))
      .filter((line) => line !== '')
      .join(', '),
};

/** The rules with passwords of their URLs masked. */
export function maskRemaps(list: readonly Remap[]): readonly string[] {
  return list.map(({ from, to }) => `${from.source} ${maskSecrets(to)}`);
}

function splitRemap(line: string): readonly [string, string] | undefined {
  const [from, to, ...more] = line.trim().split(/\s+/);
  return from === undefined || to === undefined || more.length > 0 ? undefined : [from, to];
}

function parseRemap([source, to]: readonly [string, unknown]): Remap {
  if (typeof to !== 'string' || to === '' || /\s/.test(to) || /\s/.test(source)) {
    throw new InvalidValueError(REMAP_REQUIREMENT);
  }
  const from = parseRegexp(source);
  const missing = missingGroup(from, to);
  if (missing !== undefined) throw new InvalidValueError(`must have a group for ${missing} in FROM`);
  return Object.freeze({ from, to });
}

/** A report to write, and its file. */
export interface ReportFile {
  readonly kind: ReportKind;
  readonly file: string;
}

/** Reports: `junit=report.xml`, a list of these, or an object of kinds and files. */
export const reports: Parser<readonly ReportFile[]> = {
  parse: (value) =>
    Object.freeze(
      readPairs(value, splitReport, REPORT_REQUIREMENT).map(([kind, file]) => parseReport(kind, file)),
    ),
  print: (list) => list.map(({ kind, file }) => `${kind}=${file}`),
  suggestions: REPORT_KINDS.map((kind) => `${kind}=`),
};

function splitReport(line: string): readonly [string, string] | undefined {
  const pair = splitAt(line, '=');
  const [, extension = ''] = /\.([a-z]+)(?:\.gz)?$/i.exec(line) ?? [];
  const kind = KIND_OF_EXTENSION.get(extension.toLowerCase());
  if (pair !== undefined || kind === undefined) return pair;
  throw new InvalidValueError(`${REPORT_REQUIREMENT}: ${kind}=${line}`);
}

const KIND_OF_EXTENSION: ReadonlyMap<string, ReportKind> = new Map([
  ['xml', 'junit'],
  ['json', 'json'],
  ['md', 'markdown'],
  ['html', 'html'],
  ['htm', 'html'],
]);

function parseReport(name: string, file: unknown): ReportFile {
  const kind = REPORT_KINDS.find((one) => one === name);
  if (kind === undefined) {
    const advice = REPORT_ADVICE.get(name.toLowerCase());
    throw new InvalidValueError(`${REPORT_REQUIREMENT}${advice === undefined ? '' : `; ${advice}`}`);
  }
  if (file === '-')
    throw new InvalidValueError('must name a file ("fanout report" writes to standard output)');
  return Object.freeze({ kind, file: fileName.parse(file) });
}

/** The values of a repeatable option of which there may be at most `max`. */
function limited(value: unknown, max: number): readonly unknown[] {
  const list = asList(value);
  if (list.length > max) throw new InvalidValueError(`must be a list of at most ${max}, not ${list.length}`);
  return list;
}

/** The values of a repeatable option, which may be one value or a list. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

/**
 * The pairs of an option whose value is a line, a list of lines, or an object. `split` reads a line, and returns
 * `undefined` if it is not a pair. Throws `InvalidValueError` with `requirement`.
 */
export function readPairs(
  value: unknown,
  split: (line: string) => readonly [string, string] | undefined,
  requirement: string,
): readonly (readonly [string, unknown])[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const type = describeType(value);
    if (type !== 'an object') throw new InvalidValueError(`must be an object, a line or a list, not ${type}`);
    return Object.entries(value);
  }
  return asList(value).map((line) => {
    const pair = typeof line === 'string' ? split(line) : undefined;
    if (pair === undefined) throw new InvalidValueError(requirement);
    return pair;
  });
}

/** The text before and after the first separator, or `undefined` if there is none. */
export function splitAt(line: string, separator: string): readonly [string, string] | undefined {
  const at = line.indexOf(separator);
  return at === -1 ? undefined : [line.slice(0, at), line.slice(at + separator.length)];
}
