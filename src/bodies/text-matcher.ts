import { TextDecoder } from 'node:util';
import { printable } from '../model/printable.ts';

/** What must, and must not, be in a body. */
export interface TextRules {
  readonly contains: readonly string[];
  readonly notContains: readonly string[];
  /** Flags other than `g` and `y` are kept. */
  readonly matches: readonly RegExp[];
}

/** Longest text that one rule can ask for, and longest match of a regular expression that is sure to be found, in UTF-16 units. */
export const MAX_MATCH_LENGTH = 128 * 1024;

// Searched at once; twice the longest match, so that each is whole in one window.
const WINDOW_LENGTH = 2 * MAX_MATCH_LENGTH;

/**
 * Looks for texts and regular expressions in a body as it comes, across the borders of chunks and characters.
 *
 * It holds a window of 256 Ki UTF-16 units at most: a shorter body is searched as a whole, of a longer one each window
 * overlaps half of the one before, and `^` and `$` stand for the borders of the body alone.
 */
export class TextMatcher {
  readonly #rules: TextRules;
  readonly #decoder: TextDecoder;
  readonly #missing: Set<string>;
  readonly #unmatched: Map<RegExp, RegExp>;
  #found: string | undefined;
  #text = '';
  #isAtStart = true;

  /** @param contentType header that names the charset; UTF-8 if it names none that is known */
  constructor(rules: TextRules, contentType: string | undefined) {
    this.#rules = rules;
    this.#decoder = decoderFor(contentType);
    this.#missing = new Set(rules.contains);
    this.#unmatched = new Map(rules.matches.map((rule) => [rule, searchable(rule)]));
  }

  write(chunk: Uint8Array): void {
    if (this.#isSettled) return;
    this.#text += this.#decoder.decode(chunk, { stream: true });
    if (this.#text.length >= WINDOW_LENGTH) this.#search(false);
  }

  /** The body has come to its end: the first rule that it breaks, in words, or `undefined`. */
  end(): string | undefined {
    this.#text += this.#decoder.decode();
    if (!this.#isSettled) this.#search(true);
    const [missing] = this.#missing;
    if (missing !== undefined) return `the body does not contain ${quoted(missing)}`;
    const [unmatched] = this.#unmatched.keys();
    if (unmatched !== undefined) return `the body does not match ${quoted(unmatched.source)}`;
    return this.#found === undefined ? undefined : `the body contains ${quoted(this.#found)}`;
  }

  /** Whether nothing that may come can change the outcome. */
  get #isSettled(): boolean {
    const isAllFound = this.#missing.size === 0 && this.#unmatched.size === 0;
    return isAllFound && (this.#found !== undefined || this.#rules.notContains.length === 0);
  }

  #search(isAtEnd: boolean): void {
    const text = this.#text;
    for (const wanted of this.#missing) if (text.includes(wanted)) this.#missing.delete(wanted);
    this.#found ??= this.#rules.notContains.find((unwanted) => text.includes(unwanted));
    for (const [rule, regExp] of this.#unmatched) {
      // The first character of a later window is there so that `^` and `\b` see what stands before the second one.
      regExp.lastIndex = this.#isAtStart ? 0 : 1;
      const match = regExp.exec(text);
      // What touches the end of a window may be longer, or `$`: the next window has it again.
      if (match !== null && (isAtEnd || regExp.lastIndex < text.length)) this.#unmatched.delete(rule);
    }
    this.#text = text.slice(-MAX_MATCH_LENGTH);
    this.#isAtStart = false;
  }
}

function searchable(rule: RegExp): RegExp {
  return new RegExp(rule.source, `${rule.flags.replace(/[gy]/g, '')}g`);
}

function decoderFor(contentType: string | undefined): TextDecoder {
  const [, charset] = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? '') ?? [];
  try {
    return new TextDecoder(charset ?? 'utf-8');
  } catch {
    return new TextDecoder('utf-8');
  }
}

function quoted(text: string): string {
  return `"${printable(text, 100)}"`;
}
