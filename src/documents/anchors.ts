import type { TextDecoder } from 'node:util';
import type { Parser } from 'htmlparser2';
import type Token from 'markdown-it/lib/token.mjs';
import { createPageDecoder, loadHtmlParser, PRESCAN_BYTES } from '../bodies/html-title.ts';
import { didYouMean } from '../model/did-you-mean.ts';
import { printable } from '../model/printable.ts';
import type { PageAnchors } from '../model/result.ts';

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

/** A parser that calls `add` with each `id`, and with the `name` of each `<a>`. */
function createAnchorParser(add: (name: string) => void): Parser {
  const HtmlParser = loadHtmlParser();
  let tag = '';
  return new HtmlParser({
    onopentagname: (name) => {
      tag = name;
    },
    onattribute: (name, value) => {
      if (name === 'id' || (name === 'name' && tag === 'a')) add(value);
    },
  });
}

/** The anchors of an HTML document. */
export function htmlAnchors(text: string): PageAnchors {
  const names = new Set<string>();
  createAnchorParser((name) => names.add(name)).end(text);
  return { names, isComplete: true };
}

/** What makes pages of Markdown, as it decides the names of headings. All but GitHub's come in addition to GitHub's. */
export type MarkdownFlavor = 'github' | 'mkdocs' | 'vitepress';

/** A name that an attribute list gives: `{#name}`, `{: #name .class}` or, in MDX, `{/* #name *\/}`. */
const GIVEN_NAME = /\{(?::|\/\*)?[^{}\n]*?#([^\s{}*]+)[^{}\n]*\}|<!--\s*#([^\s>]+)\s*-->/g;

/**
 * The anchors of a Markdown document: the names that are made of its headings, those that headings and paragraphs are given,
 * and those in its HTML. A fragment in other letter case leads to a heading as well, as on GitHub.
 */
export async function markdownAnchors(text: string, flavor: MarkdownFlavor): Promise<PageAnchors> {
  const { default: MarkdownIt } = await import('markdown-it');
  const HtmlParser = loadHtmlParser();
  const names = new Set<string>();
  const namers = [new HeadingNamer(githubSlug, '-')];
  if (flavor === 'vitepress') namers.push(new HeadingNamer(vitepressSlug, '-'));
  if (flavor === 'mkdocs') {
    namers.push(new HeadingNamer(pythonSlug, '_'));
    namers.push(new HeadingNamer((heading) => pythonSlug(heading, false), '_'));
  }
  const addHeading = (heading: string) => {
    for (const namer of namers) names.add(namer.nameOf(heading));
  };
  const html = (content: string) => {
    let heading: string | undefined;
    createAnchorParser((name) => names.add(name)).end(content);
    new HtmlParser({
      onopentagname: (tag) => {
        if (/^h[1-6]$/.test(tag)) heading = '';
      },
      ontext: (data) => {
        if (heading !== undefined) heading += data;
      },
      onclosetag: (tag) => {
        if (heading !== undefined && /^h[1-6]$/.test(tag)) addHeading(heading);
        if (/^h[1-6]$/.test(tag)) heading = undefined;
      },
    }).end(content);
  };
  const tokens = new MarkdownIt({ html: true }).parse(text.replace(FRONT_MATTER, ''), {});
  for (const [at, { type, content, children }] of tokens.entries()) {
    if (type === 'html_block') html(content);
    if (type !== 'inline') continue;
    for (const child of children ?? []) if (child.type === 'html_inline') html(child.content);
    for (const [, given, commented] of content.matchAll(GIVEN_NAME)) names.add(given ?? commented ?? '');
    if (tokens[at - 1]?.type === 'heading_open') addHeading(textOf(children ?? []).replace(GIVEN_NAME, ''));
  }
  return { names, isComplete: true, ignoresCase: true };
}

/** A block of YAML or TOML at the start of a document. */
const FRONT_MATTER = /^(?:---\n[\s\S]*?\n(?:---|\.\.\.)|\+\+\+\n[\s\S]*?\n\+\+\+)[ \t]*(?=\n|$)/;

/** The text of a heading as it is shown. */
function textOf(tokens: readonly Token[]): string {
  return tokens
    .map(({ type, content }) => {
      if (type === 'softbreak' || type === 'hardbreak') return ' ';
      return type === 'text' || type === 'code_inline' || type === 'text_special' ? content : '';
    })
    .join('');
}

/** Makes names of headings; one that was made before gets a number. */
class HeadingNamer {
  readonly #slug: (heading: string) => string;
  readonly #separator: string;
  readonly #counts = new Map<string, number>();

  constructor(slug: (heading: string) => string, separator: string) {
    this.#slug = slug;
    this.#separator = separator;
  }

  nameOf(heading: string): string {
    const slug = this.#slug(heading.trim());
    const count = this.#counts.get(slug) ?? 0;
    this.#counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}${this.#separator}${count}`;
  }
}

function githubSlug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** The extension `toc` of Python-Markdown. @param isAscii whether other letters are dropped, as by default */
function pythonSlug(heading: string, isAscii = true): string {
  const text = isAscii ? heading.normalize('NFKD').replace(/[^\0-\x7f]/g, '') : heading;
  return text
    .replace(/[^\p{L}\p{M}\p{N}_\s-]/gu, '')
    .trim()
    .toLowerCase()
    .replace(/[-\s]+/g, '-');
}

function vitepressSlug(heading: string): string {
  return heading
    .normalize('NFKD')
    .replace(/[\u0300-\u036f\0-\x1f]/g, '')
    .replace(/[\s~`!@#$%^&*()\-_+=[\]{}|\\;:"'“”‘’<>,.?/]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .replace(/^\d/, '_$&')
    .toLowerCase();
}
