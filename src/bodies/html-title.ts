import { createRequire } from 'node:module';
import type { TextDecoder } from 'node:util';
import type { Parser } from 'htmlparser2';
import { printable } from '../model/printable.ts';
import { createDecoder } from './text-matcher.ts';

/** The title must be within this many bytes from the start of the body. */
const MAX_BYTES = 64 * 1024;
/** Browsers look for a charset in this many bytes. */
export const PRESCAN_BYTES = 1024;
const MAX_TITLE_LENGTH = 300;

const HTML_TYPE = /^\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|$)/i;
const META_CHARSET = /<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)/i;

/** Byte-order marks, which win over every declaration, as in browsers. */
const MARKS: readonly (readonly [mark: string, charset: string])[] = [
  ['\xef\xbb\xbf', 'utf-8'],
  ['\xff\xfe', 'utf-16le'],
  ['\xfe\xff', 'utf-16be'],
];

/** Whether this is the Content-Type of an HTML page. */
export function isHtml(contentType: string): boolean {
  return HTML_TYPE.test(contentType);
}

/**
 * Creates what decodes an HTML page as browsers do: by its byte-order mark, its Content-Type or its `<meta>`, or else as UTF-8.
 *
 * @param start of the page, at least 1 KiB unless the page is shorter
 */
export function createPageDecoder(contentType: string, start: Buffer): TextDecoder {
  const text = start.toString('latin1', 0, PRESCAN_BYTES);
  const mark = MARKS.find(([bytes]) => text.startsWith(bytes))?.[1];
  const [, meta = 'utf-8'] = META_CHARSET.exec(text) ?? [];
  // A declaration that is read as ASCII cannot be in UTF-16.
  const declared = mark ?? (/^utf-16/i.test(meta) ? 'utf-8' : meta);
  const isDeclared = mark === undefined && /;\s*charset\s*=/i.test(contentType);
  return createDecoder(isDeclared ? contentType : `text/html; charset=${declared}`);
}

/** Loads the parser of HTML on first use. */
export function loadHtmlParser(): typeof Parser {
  // require() gives `any`
  return (createRequire(import.meta.url)('htmlparser2') as typeof import('htmlparser2')).Parser;
}

/** Finds the title of an HTML page in the first 64 KiB of its body, as it arrives. */
export class TitleFinder {
  readonly #contentType: string;
  #title = '';
  #isInTitle = false;
  #isDone = false;
  /** Elements of other languages, which have titles of their own. */
  #foreign = 0;
  #bytes = 0;
  #start = Buffer.alloc(0);
  #decoder: TextDecoder | undefined;
  #parser: Parser | undefined;

  constructor(contentType: string) {
    this.#contentType = contentType;
  }

  write(piece: Buffer): void {
    if (this.#isDone) return;
    const part = piece.subarray(0, MAX_BYTES - this.#bytes);
    this.#bytes += part.length;
    if (this.#decoder !== undefined) this.#parse(this.#decoder.decode(part, { stream: true }));
    else {
      this.#start = Buffer.concat([this.#start, part]);
      if (this.#start.length >= PRESCAN_BYTES) this.#begin();
    }
    if (this.#bytes >= MAX_BYTES) this.#isDone = true;
  }

  /**
   * The title with its entities decoded, without control characters, and with one space for white space; `undefined` if there
   * is none. Call after the end.
   */
  get title(): string | undefined {
    if (this.#decoder === undefined) this.#begin();
    const text = this.#title.replace(/\s+/g, ' ').trim();
    return text === '' ? undefined : printable(text, MAX_TITLE_LENGTH);
  }

  #begin(): void {
    this.#decoder = createPageDecoder(this.#contentType, this.#start);
    this.#parse(this.#decoder.decode(this.#start, { stream: true }));
  }

  #parse(text: string): void {
    this.#parser ??= this.#createParser();
    this.#parser.write(text);
  }

  #createParser(): Parser {
    const HtmlParser = loadHtmlParser();
    return new HtmlParser({
      onopentag: (name) => {
        if (name === 'svg' || name === 'math') this.#foreign += 1;
        if (name === 'title' && this.#foreign === 0) this.#isInTitle = true;
      },
      ontext: (text) => {
        if (this.#isInTitle && !this.#isDone) this.#title += text;
      },
      onclosetag: (name) => {
        if (name === 'svg' || name === 'math') this.#foreign -= 1;
        if (name === 'title' && this.#isInTitle) this.#isDone = true;
      },
    });
  }
}
