import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

/** A response header that is required, with this value, or with any value if it is empty. */
export interface ExpectedHeader {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
}

/** What a response must meet to count as OK. */
export interface Expectation {
  /** Status codes that are OK for this job; they replace those of the run. */
  readonly status?: { has(status: number): boolean } | undefined;
  readonly contains: readonly string[];
  readonly notContains: readonly string[];
  readonly matches: readonly RegExp[];
  readonly headers: readonly ExpectedHeader[];
  /** Maximum duration of the attempt in ms. */
  readonly maxTimeMs?: number | undefined;
  /** The URL of the last response, serialised and without a fragment. */
  readonly finalUrl?: string | undefined;
  /** SHA-256 of the decoded body, in lower-case hex. */
  readonly sha256?: string | undefined;
}

/** Parses the expectation of a job, or reports what is wrong with it. */
export type ParseExpectation = (value: unknown) => Expectation | { readonly fault: string };

/** Combines two expectations. What can be expected only once is taken from the second, if it has it. */
export function mergeExpectations(first: Expectation, second: Expectation | undefined): Expectation {
  if (second === undefined) return first;
  return {
    status: second.status ?? first.status,
    contains: [...first.contains, ...second.contains],
    notContains: [...first.notContains, ...second.notContains],
    matches: [...first.matches, ...second.matches],
    headers: [...first.headers, ...second.headers],
    maxTimeMs: second.maxTimeMs ?? first.maxTimeMs,
    finalUrl: second.finalUrl ?? first.finalUrl,
    sha256: second.sha256 ?? first.sha256,
  };
}

/** Whether the text of the body must be searched. */
export function requiresText({ contains, notContains, matches }: Expectation): boolean {
  return contains.length + notContains.length + matches.length > 0;
}

/** Whether the whole body must be read. */
export function requiresBody(expectation: Expectation): boolean {
  return expectation.sha256 !== undefined || requiresText(expectation);
}

/** Default maximum size of all expressions of one list together, in instructions of the search: about one for each character. */
const MAX_PROGRAM = 4_000;

/** Maximum number of compiled expressions that are kept. */
const MAX_KEPT = 32;

/**
 * Why these expressions cannot be searched for in linear time, or would take too long even so; `undefined` if they can.
 * Look-around and back-references need backtracking, which can take exponential time for a body made for that.
 */
export function expressionFault(
  expressions: readonly RegExp[],
  maxProgram = MAX_PROGRAM,
): string | undefined {
  let size = 0;
  for (const expression of expressions) {
    try {
      size += expressionSize(expression);
    } catch (error) {
      const [, reason] = /: (.*)$/s.exec(error instanceof Error ? error.message : '') ?? [];
      return `must have no look-around, no back-reference and no repeat above 1000${reason ? ` (${reason})` : ''}`;
    }
  }
  return size > maxProgram
    ? `must be simpler: it has ${size} steps, and ${maxProgram} are allowed`
    : undefined;
}

/**
 * The size of an expression, in instructions of the search. A match is at most that long, unless the expression has
 * a repeat without an upper bound. A search takes at most this number of steps for each character.
 */
export function expressionSize(expression: RegExp): number {
  return compiled(`(?:${toRe2(expression)})`).programSize();
}

/** Which ends of the text are ends of the whole body. */
interface TextEnds {
  readonly isStart: boolean;
  readonly isEnd: boolean;
}

/**
 * Whether a text, which may be a part of a longer one, has a match. Takes linear time. A part must have one character more
 * before and after the match, so that `^`, `$` and `\b` see what is there.
 */
export function hasMatch(expression: RegExp, text: string, { isStart, isEnd }: TextEnds): boolean {
  const before = isStart ? '' : ANY;
  const after = isEnd ? '' : ANY;
  return compiled(`${before}(?:${toRe2(expression)})${after}`).test(text);
}

const ANY = '(?s:.)';

/** Compiles an expression for many short texts, and keeps it. Each test takes linear time. */
export function createMatcher(expression: RegExp): (text: string) => boolean {
  const re2 = loadRe2().compile(toRe2(expression));
  return (text) => re2.test(text);
}

/** Compiles an expression, and returns what replaces each of its matches in a text by `replacement`. Takes linear time. */
export function createReplacer(
  expression: RegExp,
  replacement: (group: (name: string | number) => string) => string,
): (text: string) => string | undefined {
  const re2 = loadRe2().compile(toRe2(expression));
  return (text) => {
    const matcher = re2.matcher(text);
    let result = '';
    let end = 0;
    let isFound = false;
    while (matcher.find()) {
      isFound = true;
      result += text.slice(end, matcher.start()) + replacement((name) => matcher.group(name) ?? '');
      end = matcher.end();
    }
    return isFound ? result + text.slice(end) : undefined;
  };
}

const keptExpressions = new Map<string, RE2JS>();

/** Compiled, or taken from the ones that were compiled last: many jobs share an expression. */
function compiled(source: string): RE2JS {
  const expression = keptExpressions.get(source) ?? loadRe2().compile(source);
  keptExpressions.delete(source);
  keptExpressions.set(source, expression);
  for (const oldest of keptExpressions.keys()) {
    if (keptExpressions.size <= MAX_KEPT) break;
    keptExpressions.delete(oldest);
  }
  return expression;
}

let re2: typeof RE2JS | undefined;

function loadRe2(): typeof RE2JS {
  re2 ??= (createRequire(import.meta.url)('re2js') as typeof import('re2js')).RE2JS; // require() gives `any`
  return re2;
}

/** The white space of `\s` in JavaScript. That of RE2 is ASCII. */
const SPACE = '\\t-\\r \\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff';
const NO_SPACE =
  '\\x00-\\x08\\x0e-\\x1f!-\\x9f\\xa1-\\u167f\\u1681-\\u1fff\\u200b-\\u2027\\u202a-\\u202e\\u2030-\\u205e\\u2060-\\u2fff\\u3001-\\ufefe\\uff00-\\u{10ffff}';

/** An escape, an empty class or its opposite, or one character. */
const TOKEN = /\\[\s\S]|\[\^?\]|[\s\S]/gu;

/** A JavaScript expression in the syntax of RE2, where the two mean different things by the same characters. */
function toRe2(expression: RegExp): string {
  let isClass = false;
  const toToken = (token: string): string => {
    const isInClass = isClass;
    if (token === '[') isClass = true;
    if (token === ']') isClass = false;
    switch (token) {
      case '[':
        return isInClass ? '\\[' : token;
      case '.':
        return isInClass || expression.dotAll ? token : '[^\\n\\r\\u2028\\u2029]';
      case '\\s':
        return isInClass ? SPACE : `[${SPACE}]`;
      case '\\S':
        return isInClass ? NO_SPACE : `[${NO_SPACE}]`;
      case '\\b':
        return isInClass ? '\\x08' : token;
      case '\\k':
        if (/\(\?<[^=!]/.test(expression.source)) throw new SyntaxError('back-reference: `\\k`');
        return 'k';
      case '\\A':
      case '\\E':
      case '\\Q':
      case '\\a':
      case '\\z':
        return token.slice(1); // letters in JavaScript
      default:
        return isInClass && (token === '[]' || token === '[^]') ? closeClass(token) : token;
    }
  };
  // Within a class, `[` is a character, and `]` ends the class.
  const closeClass = (token: string): string => {
    isClass = false;
    return `\\${token}`;
  };
  const { ignoreCase, multiline, dotAll, source } = expression;
  const flags = `${ignoreCase ? 'i' : ''}${multiline ? 'm' : ''}${dotAll ? 's' : ''}`;
  const translated = loadRe2().translateRegExp(source.replace(TOKEN, toToken));
  return flags === '' ? translated : `(?${flags})${translated}`;
}
