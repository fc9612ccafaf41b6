import { createRequire } from 'node:module';
import type { TextDecoder } from 'node:util';
import type { Parser } from 'htmlparser2';
import { didYouMean } from '../model/did-you-mean.ts';
import { printable } from '../model/printable.ts';
import type { PageAnchors } from '../model/result.ts';
import { createDecoder } from './text-matcher.ts';

/** The title must be within this many bytes from the start of the body. */
const MAX_BYTES = 64 * 1024;
/** Browsers look for a charset in this many bytes. */
const PRESCAN_BYTES = 1024;
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
function createPageDecoder(contentType: string, start: Buffer): TextDecoder {
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

/** The most of a page that is searched, in bytes, and of its names that are kept, in UTF-16 units. */
const MAX_PAGE_BYTES = 32 * 1024 ** 2;
const MAX_NAMES_LENGTH = 4 * 1024 ** 2;

/** Longest name for which a similar one is looked for. */
const MAX_SIMILAR_LENGTH = 100;

/** What GitHub puts before the names in a text that a user wrote. A script of the page finds them without it. */
const USER_CONTENT = 'user-content-';

/** The state of a program in the page (`#/settings`, `#!inbox`), or lines of a file that a script shows (`#L10-L20`). */
const OF_SCRIPT = /^(?:[/!]|L\d+(?:C\d+)?(?:-L?\d+(?:C\d+)?)?$)/;

/** The fragment of a URL without its `#` and without a text directive (`:~:text=`); empty if there is none. */
export function fragmentOf(url: string): string {
  const start = url.indexOf('#');
  if (start === -1) return '';
  const [fragment = ''] = url.slice(start + 1).split(':~:', 1);
  return fragment;
}

/**
 * What is wrong with a fragment, in words; `undefined` if a browser finds its place in the page, or if a script may. The top of
 * a page is always there: `#` and `#top`. An id or a name is compared as it is written, and with its percent-encoding decoded.
 */
export function anchorFault(fragment: string, { names, ignoresCase }: PageAnchors): string | undefined {
  const decoded = percentDecode(fragment);
  if (decoded === '' || decoded.toLowerCase() === 'top' || OF_SCRIPT.test(decoded)) return undefined;
  const spellings = [
    fragment,
    decoded,
    `${USER_CONTENT}${decoded}`,
    `${USER_CONTENT}${decoded.toLowerCase()}`,
  ];
  if (spellings.some((spelling) => names.has(spelling))) return undefined;
  if (ignoresCase === true && names.has(decoded.toLowerCase())) return undefined;
  const shown = `no such anchor: "${printable(decoded, 200)}"`;
  if (names.size === 0) return `${shown}, and no other in the page: a script may add them`;
  const similar = didYouMean(decoded, similarNames(decoded, names), MAX_SIMILAR_LENGTH);
  return similar === undefined ? shown : `${shown} (did you mean "${printable(similar, 200)}"?)`;
}

/** The names without what GitHub puts before them. Those of another length are not similar, and slow to compare. */
function similarNames(wanted: string, names: ReadonlySet<string>): readonly string[] {
  return [...names]
    .map((name) => (name.startsWith(USER_CONTENT) ? name.slice(USER_CONTENT.length) : name))
    .filter((name) => Math.abs(name.length - wanted.length) <= wanted.length / 2);
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Collects the anchors of an HTML page as it arrives. At most 4 Mi UTF-16 units of names are kept. */
export class AnchorReader {
  readonly #contentType: string;
  readonly #names = new Set<string>();
  readonly #parser: Parser;
  /** The first bytes, until the charset is known. */
  #start = Buffer.alloc(0);
  #decoder: TextDecoder | undefined;
  #bytes = 0;
  #namesLength = 0;

  constructor(contentType: string) {
    this.#contentType = contentType;
    this.#parser = createAnchorParser((name) => {
      if (this.#names.has(name)) return;
      this.#names.add(name);
      this.#namesLength += name.length;
    });
  }

  /** The anchors of what was read. */
  get anchors(): PageAnchors {
    if (this.#decoder === undefined) this.#begin();
    return { names: this.#names, isComplete: !this.#isFull };
  }

  write(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#isFull) return;
    if (this.#decoder !== undefined) this.#parser.write(this.#decoder.decode(chunk, { stream: true }));
    else {
      this.#start = Buffer.concat([this.#start, chunk]);
      if (this.#start.length >= PRESCAN_BYTES) this.#begin();
    }
  }

  get #isFull(): boolean {
    return this.#bytes > MAX_PAGE_BYTES || this.#namesLength > MAX_NAMES_LENGTH;
  }

  #begin(): void {
    this.#decoder = createPageDecoder(this.#contentType, this.#start);
    this.#parser.write(this.#decoder.decode(this.#start, { stream: true }));
  }
}

/** A parser that calls `add` with each `id`, and with the `name` of each `<a>`. GitHub also finds other elements by their name. */
export function createAnchorParser(add: (name: string) => void, isMarkdown = false): Parser {
  const HtmlParser = loadHtmlParser();
  let tag = '';
  return new HtmlParser({
    onopentagname: (name) => {
      tag = name;
    },
    onattribute: (name, value) => {
      const isName = name === 'name' && (tag === 'a' || isMarkdown || value.startsWith(USER_CONTENT));
      if (name === 'id' || isName) add(value);
    },
  });
}
