import { setImmediate } from 'node:timers/promises';
import { TextDecoder } from 'node:util';
import { expressionSize, hasMatch } from '../model/expectation.ts';
import { printable } from '../model/printable.ts';

/**
 * Longest text that a rule can ask for, and longest match of a regular expression that is always found, in UTF-16 units.
 */
export const MAX_MATCH_LENGTH = 128 * 1024;

/** Steps of a search that are done in one turn, at 8 ns each. */
const TURN_STEPS = 8_000_000;

/** Length of the searched window: twice the longest match, so that each match lies within one window. */
const WINDOW_LENGTH = 2 * MAX_MATCH_LENGTH;

/** What must and must not be in a body. */
export interface TextRules {
  readonly contains: readonly string[];
  readonly notContains: readonly string[];
  /** The flags `i`, `m` and `s` apply. */
  readonly matches: readonly RegExp[];
}

/**
 * Searches a body for texts and regular expressions as it arrives, across chunks and multi-byte characters.
 *
 * Takes linear time, whatever the texts, the expressions and the body are. At most 256 Ki UTF-16 units are in memory. A
 * shorter body is searched as a whole. A longer one is searched in windows that overlap by half; `^` and `$` match only the
 * start and the end of the body. The windows of an expression of more than about 30 instructions are smaller.
 *
 * `write` and `end` return a promise if the search takes more than one turn: await it before the next call.
 */
export class TextMatcher {
  readonly #rules: TextRules;
  readonly #decoder: TextDecoder;
  readonly #missing: Set<string>;
  /** The regular expressions that have not matched. */
  readonly #unmatched: Set<RegExp>;
  #unwanted: string | undefined;
  #text = '';
  #isAtStart = true;
  #isStopped = false;
  #hasEnded = false;
  #work: Promise<void> | undefined;

  /** @param contentType header that names the charset; UTF-8 if it names none or an unknown one */
  constructor(rules: TextRules, contentType: string | undefined) {
    this.#rules = rules;
    this.#decoder = createDecoder(contentType);
    this.#missing = new Set(rules.contains);
    this.#unmatched = new Set(rules.matches);
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#isDecided) return undefined;
    this.#text += this.#decoder.decode(chunk, { stream: true });
    return this.#text.length >= WINDOW_LENGTH ? this.#search(false) : undefined;
  }

  /** Ends the body, once, after what is not finished. */
  end(): Promise<void> | undefined {
    if (this.#hasEnded) return this.#work;
    this.#hasEnded = true;
    if (this.#work !== undefined) return this.#work.then(() => this.#end());
    return this.#end();
  }

  /** Ends a search that is not finished. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The first rule that the body does not meet, as a message. Call after the end. */
  get fault(): string | undefined {
    const [missing] = this.#missing;
    if (missing !== undefined) return `the body does not contain ${quoted(missing)}`;
    const [unmatched] = this.#unmatched;
    if (unmatched !== undefined) return `the body does not match ${quoted(unmatched.source)}`;
    return this.#unwanted === undefined ? undefined : `the body contains ${quoted(this.#unwanted)}`;
  }

  /** Whether the rest of the body cannot change the outcome. */
  get #isDecided(): boolean {
    const isAllFound = this.#missing.size === 0 && this.#unmatched.size === 0;
    return isAllFound && (this.#unwanted !== undefined || this.#rules.notContains.length === 0);
  }

  #end(): Promise<void> | undefined {
    this.#text += this.#decoder.decode();
    return this.#isDecided ? undefined : this.#search(true);
  }

  #search(isEnd: boolean): Promise<void> | undefined {
    const steps = this.#steps(isEnd);
    if (steps.next().done) return undefined;
    this.#work = this.#searchRest(steps).finally(() => {
      this.#work = undefined;
    });
    return this.#work;
  }

  async #searchRest(steps: Generator<void>): Promise<void> {
    do await setImmediate();
    while (!this.#isStopped && !steps.next().done);
  }

  /** Searches the window. Yields after each turn. */
  *#steps(isEnd: boolean): Generator<void> {
    const text = this.#text;
    for (const wanted of this.#missing) if (includes(text, wanted)) this.#missing.delete(wanted);
    this.#unwanted ??= this.#rules.notContains.find((unwanted) => includes(text, unwanted));
    // A match at the end of a window may be longer or depend on `$`. The next window has it, too.
    for (const rule of this.#unmatched) {
      const length = windowLength(rule);
      for (let at = 0, isLast = false; !isLast; at += length / 2) {
        isLast = at + length >= text.length;
        const ends = { isStart: this.#isAtStart && at === 0, isEnd: isEnd && isLast };
        if (hasMatch(rule, text.slice(at, at + length), ends)) {
          this.#unmatched.delete(rule);
          break;
        }
        if (!isLast) yield;
      }
    }
    this.#text = text.slice(-MAX_MATCH_LENGTH);
    this.#isAtStart = false;
  }
}

/** As long as one turn can search for an expression, but twice as long as its longest match, if that is limited. */
function windowLength(rule: RegExp): number {
  const size = expressionSize(rule);
  const length = Math.max(2 * size, Math.floor(TURN_STEPS / size));
  return Math.min(WINDOW_LENGTH, 2 * Math.ceil(length / 2));
}

/** Up to this length, the worst case of V8's search takes some ms. It grows with the product of both lengths. */
const MAX_NATIVE_LENGTH = 256;

/** `text.includes(wanted)`, in linear time: a long text is searched for as D. Knuth, J. Morris and V. Pratt do (1977). */
function includes(text: string, wanted: string): boolean {
  if (wanted.length <= MAX_NATIVE_LENGTH) return text.includes(wanted);
  const borders = new Int32Array(wanted.length);
  for (let at = 1, border = 0; at < wanted.length; at += 1) {
    border = extended(wanted, borders, border, wanted.charCodeAt(at));
    borders[at] = border;
  }
  let matched = 0;
  for (let at = 0; at < text.length; at += 1) {
    matched = extended(wanted, borders, matched, text.charCodeAt(at));
    if (matched === wanted.length) return true;
  }
  return false;
}

/** The length of the longest start of `wanted` that ends in `code`, after one of `matched` units. */
function extended(wanted: string, borders: Int32Array, matched: number, code: number): number {
  let length = matched;
  while (length > 0 && wanted.charCodeAt(length) !== code) length = borders[length - 1] ?? 0;
  return wanted.charCodeAt(length) === code ? length + 1 : 0;
}

/** Decodes text of this Content-Type: UTF-8 if it names no charset or an unknown one. */
export function createDecoder(contentType: string | undefined): TextDecoder {
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
