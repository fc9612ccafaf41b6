import { isToken, sentMethod } from '../../model/request-rules.ts';
import { REPORT_KINDS, type ReportKind } from '../../model/result.ts';
import { InvalidValueError, type Parser } from '../option.ts';

/** Any text, also an empty one. */
export const text: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string') throw new InvalidValueError('it must be text');
    return value;
  },
  print: (value) => value,
};

/** Text of which an error message shows nothing. */
export const secretText: Parser<string> = { ...text, show: () => 'the value' };

/** The name of a file. */
export const fileName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new InvalidValueError('it must be the name of a file');
    }
    return value;
  },
  print: (value) => value,
  suggestions: 'files',
};

// As much as is searched for in one piece.
const MAX_LENGTH = 64 * 1024;

/** Texts to look for: one, or a JSON list of them. None is empty. */
export const texts: Parser<readonly string[]> = {
  parse: (value) => Object.freeze((Array.isArray(value) ? value : [value]).map(searchText)),
  print: (list) => list,
};

function searchText(value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw new InvalidValueError('it must be text that is not empty');
  if (value.length > MAX_LENGTH) throw new InvalidValueError(`it must be ${MAX_LENGTH} characters or less`);
  return value;
}

/** Regular expressions of JavaScript: one, or a JSON list of them. */
export const regexps: Parser<readonly RegExp[]> = {
  parse: (value) => Object.freeze((Array.isArray(value) ? value : [value]).map(regexp)),
  print: (list) => list.map(({ source }) => source),
};

function regexp(value: unknown): RegExp {
  if (typeof value !== 'string' || value === '') {
    throw new InvalidValueError('it must be a regular expression that is not empty');
  }
  try {
    return new RegExp(value);
  } catch (error) {
    const [, reason] = /: ([^:]*)$/.exec(error instanceof Error ? error.message : '') ?? [];
    throw new InvalidValueError(
      `it must be a regular expression of JavaScript${reason ? ` (${reason})` : ''}`,
    );
  }
}

/**
 * Request methods (RFC 9110, section 9). Standard ones are put in upper case; others are kept as they are,
 * since methods are case-sensitive. CONNECT asks for a tunnel and is no request for a URL.
 */
export const method: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !isToken(value)) {
      throw new InvalidValueError('it must be a request method such as GET, HEAD or POST');
    }
    if (value.toUpperCase() === 'CONNECT')
      throw new InvalidValueError('it must not be CONNECT, which asks for a tunnel and not for a URL');
    return sentMethod(value);
  },
  print: (value) => value,
};

/** One of a few words, written exactly so. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return {
    parse(value) {
      const found = words.find((word) => word === value);
      if (found === undefined) throw new InvalidValueError(`it must be one of ${words.join(', ')}`);
      return found;
    },
    print: (value) => value,
    suggestions: words,
  };
}

/** A report that is asked for, and the file it goes to. */
export interface ReportFile {
  readonly kind: ReportKind;
  readonly file: string;
}

const WISH = `it must look like KIND=FILE, with a kind out of ${REPORT_KINDS.join(', ')}`;

/** Reports: `junit=report.xml`, a list of these, or an object of kinds and files. */
export const reports: Parser<readonly ReportFile[]> = {
  parse: (value) => Object.freeze(entriesOf(value).map(([kind, file]) => parseReport(kind, file))),
  print: (list) => list.map(({ kind, file }) => `${kind}=${file}`),
  suggestions: REPORT_KINDS.map((kind) => `${kind}=`),
};

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value === 'string') return [split(value)];
  if (Array.isArray(value)) return value.map(split);
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new InvalidValueError(WISH);
}

function split(text: unknown): readonly [string, string] {
  const equals = typeof text === 'string' ? text.indexOf('=') : -1;
  if (typeof text !== 'string' || equals === -1) throw new InvalidValueError(WISH);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function parseReport(name: string, file: unknown): ReportFile {
  const kind = REPORT_KINDS.find((one) => one === name);
  if (kind === undefined) throw new InvalidValueError(WISH);
  if (file === '-')
    throw new InvalidValueError('it must name a file: "fanout report" writes to standard output');
  return Object.freeze({ kind, file: fileName.parse(file) });
}
