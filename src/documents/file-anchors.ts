import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TextDecoder } from 'node:util';
import type Token from 'markdown-it/lib/token.mjs';
import { anchorFault, createAnchorParser, loadHtmlParser } from '../bodies/html-page.ts';
import type { PageAnchors } from '../model/result.ts';
import { type DocumentFormat, formatOf, normalizeText } from './document.ts';
import { missingCode } from './find-documents.ts';

export const MAX_DOCUMENT_BYTES = 50 * 1024 ** 2;

/** Documents that may be the page of a directory, or of a path without its extension. */
const PAGE_ENDS = ['', '/index.html', '/index.md', '/index.mdx', '/README.md', '.html', '.md', '.mdx'];

/** The files that a page may be made of. */
export function sourcesOf(path: string): readonly string[] {
  if (!/\.html?$/i.test(path)) return [];
  return ['.md', '.mdx', '.rst', '.adoc'].map((end) => path.replace(/\.html?$/i, end));
}

/** The places in files that fragments name. Those of other formats than Markdown and HTML are not known. */
export class FileAnchors {
  readonly #known = new Map<string, Promise<PageAnchors | undefined>>();
  readonly #flavors = new Map<string, Promise<MarkdownFlavor>>();

  /** What is wrong with a fragment of a link to a file; `undefined` if nothing is, or if that is not known. */
  faultOf(fragment: string, path: string): Promise<string | undefined> {
    return this.faultIn(fragment, path, () => readPage(path));
  }

  /** The same for a file that `read` gives. */
  async faultIn(
    fragment: string,
    path: string,
    read: () => Promise<FilePage | undefined>,
  ): Promise<string | undefined> {
    const known = this.#known.get(path) ?? read().then((page) => page && this.#anchorsOf(page, path));
    if (this.#known.size >= MAX_KNOWN_DOCUMENTS) this.#known.clear();
    this.#known.set(path, known);
    const anchors = await known;
    return anchors?.isComplete ? anchorFault(fragment, anchors) : undefined;
  }

  async #anchorsOf({ text, format }: FilePage, path: string): Promise<PageAnchors | undefined> {
    if (format === 'html') return htmlAnchors(text);
    if (format !== 'markdown') return undefined;
    return markdownAnchors(normalizeText(text), await this.flavorOf(dirname(path)));
  }

  /** What makes pages of the Markdown in a directory, by the files for it in the directory or above. */
  flavorOf(directory: string): Promise<MarkdownFlavor> {
    const known = this.#flavors.get(directory) ?? this.#findFlavor(directory);
    this.#flavors.set(directory, known);
    return known;
  }

  async #findFlavor(directory: string): Promise<MarkdownFlavor> {
    for (const [name, flavor] of FLAVOR_FILES) {
      if ((await missingCode(join(directory, name))) === undefined) return flavor;
    }
    const parent = dirname(directory);
    return parent === directory ? 'github' : this.flavorOf(parent);
  }
}

/** How many documents are remembered whose anchors are known. */
const MAX_KNOWN_DOCUMENTS = 2_000;

interface FilePage {
  readonly text: string;
  readonly format: DocumentFormat;
}

/** The text of the page that a path leads to; `undefined` if it cannot be read, or is too large. */
async function readPage(path: string): Promise<FilePage | undefined> {
  const bare = path.replace(/\/+$/, '');
  for (const file of [...PAGE_ENDS.map((end) => bare + end), ...sourcesOf(path)]) {
    const status = await stat(file).catch(() => undefined);
    if (status?.isFile() !== true || status.size > MAX_DOCUMENT_BYTES) continue;
    const bytes = await readFile(file).catch(() => undefined);
    if (bytes === undefined) return undefined;
    const text = decode(bytes);
    return { text, format: formatOf(file, text) };
  }
  return undefined;
}

/** The text of a document that is UTF-8, or else Windows-1252 as in browsers. */
export function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** The anchors of an HTML document. */
export function htmlAnchors(text: string): PageAnchors {
  const names = new Set<string>();
  createAnchorParser((name) => names.add(name)).end(text);
  return { names, isComplete: true };
}

/** What makes pages of Markdown, as it decides the names of headings, and which file a link finds. */
export type MarkdownFlavor = 'github' | 'mkdocs' | 'docusaurus' | 'vitepress';

/** What shows how a directory of Markdown is made into pages; a repository ends the search. */
const FLAVOR_FILES: readonly (readonly [string, MarkdownFlavor])[] = [
  ['mkdocs.yml', 'mkdocs'],
  ['mkdocs.yaml', 'mkdocs'],
  ['zensical.toml', 'mkdocs'],
  ['docusaurus.config.js', 'docusaurus'],
  ['docusaurus.config.ts', 'docusaurus'],
  ['docusaurus.config.mjs', 'docusaurus'],
  ['website/docusaurus.config.js', 'docusaurus'],
  ['website/docusaurus.config.ts', 'docusaurus'],
  ['website/docusaurus.config.mjs', 'docusaurus'],
  ['.vitepress', 'vitepress'],
  ['.vuepress', 'vitepress'],
  ['.git', 'github'],
];

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
    createAnchorParser((name) => names.add(name), true).end(content);
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
  for (const [, label] of flavor === 'mkdocs' ? text.matchAll(FOOTNOTE) : []) names.add(`fn:${label}`);
  return { names, isComplete: !isComposed(tokens, flavor), ignoresCase: true };
}

/** A block of YAML or TOML at the start of a document. */
const FRONT_MATTER = /^(?:---\n[\s\S]*?\n(?:---|\.\.\.)|\+\+\+\n[\s\S]*?\n\+\+\+)[ \t]*(?=\n|$)/;

const FOOTNOTE = /^\[\^([^\]]+)\]:/gm;

/** What puts other files into a document: snippets of MkDocs, VitePress, mdBook, Jekyll and Docusaurus. */
const INCLUDED = /--8<--|\{%-?\s*include|\{!|<!--\s*@include|\{\{#?\s*include|^import\s.*\sfrom\s/m;
/** What mkdocstrings and its like replace. */
const GENERATED = /^:::\s+\S/m;

/** Whether parts of a document come from other files or from a script, so that not all anchors are known. */
function isComposed(tokens: readonly Token[], flavor: MarkdownFlavor): boolean {
  return tokens.some(({ type, content }) => {
    if (type === 'html_block' && /<script\b/i.test(content)) return true;
    if (type !== 'html_block' && type !== 'inline') return false;
    return INCLUDED.test(content) || (flavor === 'mkdocs' && GENERATED.test(content));
  });
}

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
