import { TextDecoder } from 'node:util';
import { printable } from '../model/printable.ts';

/**
 * Longest text that a rule can ask for, and longest match of a regular expression that is always found, in UTF-16 units.
 */
export const MAX_MATCH_LENGTH = 128 * 1024;

/** Length of the searched window: twice the longest match, so that each match lies within one window. */
const WINDOW_LENGTH = 2 * MAX_MATCH_LENGTH;

/** What must and must not be in a body. */
export interface TextRules {
  readonly contains: readonly string[];
  readonly notContains: readonly string[];
  /** All flags but `g` and `y` apply. */
  readonly matches: readonly RegExp[];
}

/**
 * Searches a body for texts and regular expressions as it arrives, across chunks and multi-byte characters.
 *
 * At most 256 Ki UTF-16 units are in memory. A shorter body is searched as a whole. A longer one is searched in windows
 * that overlap by half; `^` and `$` match only the start and the end of the body.
 */
export class TextMatcher {
  readonly #rules: TextRules;
  readonly #decoder: TextDecoder;
  readonly #missing: Set<string>;
  /** Each regular expression that has not matched, with the copy that is used to search. */
  readonly #unmatched: Map<RegExp, RegExp>;
  #unwanted: string | undefined;
  #text = '';
  #isAtStart = true;

  /** @param contentType header that names the charset; UTF-8 if it names none or an unknown one */
  constructor(rules: TextRules, contentType: string | undefined) {
    this.#rules = rules;
    this.#decoder = createDecoder(contentType);
    this.#missing = new Set(rules.contains);
    this.#unmatched = new Map(rules.matches.map((rule) => [rule, toSearchable(rule)]));
  }

  write(chunk: Uint8Array): void {
    if (this.#isDecided) return;
    this.#text += this.#decoder.decode(chunk, { stream: true });
    if (this.#text.length >= WINDOW_LENGTH) this.#search(false);
  }

  /** Ends the body. Returns the first rule that it does not meet as a message, or `undefined`. */
  end(): string | undefined {
    this.#text += this.#decoder.decode();
    if (!this.#isDecided) this.#search(true);
    const [missing] = this.#missing;
    if (missing !== undefined) return `the body does not contain ${quoted(missing)}`;
    const [unmatched] = this.#unmatched.keys();
    if (unmatched !== undefined) return `the body does not match ${quoted(unmatched.source)}`;
    return this.#unwanted === undefined ? undefined : `the body contains ${quoted(this.#unwanted)}`;
  }

  /** Whether the rest of the body cannot change the outcome. */
  get #isDecided(): boolean {
    const isAllFound = this.#missing.size === 0 && this.#unmatched.size === 0;
    return isAllFound && (this.#unwanted !== undefined || this.#rules.notContains.length === 0);
  }

  #search(isAtEnd: boolean): void {
    const text = this.#text;
    for (const wanted of this.#missing) if (text.includes(wanted)) this.#missing.delete(wanted);
    this.#unwanted ??= this.#rules.notContains.find((unwanted) => text.includes(unwanted));
    for (const [rule, regExp] of this.#unmatched) {
      // A later window is searched from its second character, so that `^` and `\b` see the character before.
      regExp.lastIndex = this.#isAtStart ? 0 : 1;
      const match = regExp.exec(text);
      // A match at the end of a window may be longer or depend on `$`. The next window has it, too.
      if (match !== null && (isAtEnd || regExp.lastIndex < text.length)) this.#unmatched.delete(rule);
    }
    this.#text = text.slice(-MAX_MATCH_LENGTH);
    this.#isAtStart = false;
  }
}

/** A copy with its own `lastIndex`, since several bodies are searched at a time. */
function toSearchable(rule: RegExp): RegExp {
  return new RegExp(rule.source, `${rule.flags.replace(/[gy]/g, '')}g`);
}

function createDecoder(contentType: string | undefined): TextDecoder {
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
