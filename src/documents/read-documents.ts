import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { fragmentOf } from '../bodies/html-page.ts';
import { type Input, inputName, quotedInputName } from '../input/input.ts';
import { type ParsedJob, parseLine } from '../input/parse-job.ts';
import { isUnicode, redactedUrl } from '../input/parse-url.ts';
import { type InputCounts, JobFactory, type JobOptions } from '../input/read-jobs.ts';
import { isPlainText, openFile, readChunks, readSmallFile } from '../input/read-stream.ts';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';
import {
  type DocumentFormat,
  type Extraction,
  formatOf,
  formatOfType,
  type Link,
  normalizeText,
} from './document.ts';
import { decode, FileAnchors, MAX_DOCUMENT_BYTES, type MarkdownFlavor, sourcesOf } from './file-anchors.ts';
import { missingCode } from './find-documents.ts';
import {
  extractJson,
  extractRestructuredText,
  extractSource,
  extractText,
  isTemplate,
} from './plain-text.ts';

/** Documents that are read, or wait to be searched, at a time. */
const MAX_AHEAD = 8;

/** How many paths are remembered that were looked up. */
const MAX_KNOWN_PATHS = 50_000;

const WEB_LINK = /^https?:/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** A document as it was fetched. */
export interface FetchedDocument {
  readonly bytes: Uint8Array;
  /** Its URL after redirects. */
  readonly url: string;
  readonly contentType?: string | undefined;
}

export interface DocumentOptions {
  /** The working directory. */
  readonly directory: string;
  /** The stream that `-` reads. */
  readonly stdin: Readable;
  /** The URL that relative links are resolved against; without it, those of files are links to files. */
  readonly baseUrl?: string | undefined;
  /** The directory of links that start with `/`. With `baseUrl`, the one that it is the URL of. */
  readonly rootDir?: string | undefined;
  /** Whether the fragments of links to Markdown and HTML files are looked up, and those of links within a document. */
  readonly checksFragments?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Fetches an input that is a URL. Rejects with an `InputError` if it cannot. */
  readonly fetchDocument?: ((request: Pick<Job, 'url' | 'headers'>) => Promise<FetchedDocument>) | undefined;
  /** Returns what is checked instead of a URL, if anything: another URL, or a file by `file:`. */
  readonly remap?: JobOptions['remap'];
  readonly warn: (message: string) => void;
}

/**
 * What a link leads to: a URL, which may not be valid; a file, and whether it is there; another place of its own page; or
 * something that cannot be checked, such as `mailto:` or the pattern of a template.
 */
export type Target =
  | { readonly kind: 'web'; readonly url: string }
  | {
      readonly kind: 'file';
      readonly url: string;
      /** The URL that it is looked up instead of. */
      readonly input?: string;
      /** Why there is no such file. */
      readonly fault: string | undefined;
      /** Why there is no such place in it. */
      readonly anchorFault?: string | undefined;
    }
  | { readonly kind: 'page' }
  | { readonly kind: 'other' };

/** A document with its links and where they lead. */
export interface DocumentLinks {
  /** The name of its input. */
  readonly name: string;
  readonly links: readonly (Link & { readonly target: Target })[];
}

/**
 * Reads inputs in order, each a document, and yields the links of each.
 * - Gzip and UTF-16 are recognised. Bytes that are not UTF-8 are read as Windows-1252, as browsers do. A binary file has no
 *   links, which is a warning.
 * - Throws an `InputError` if an input cannot be read, or is larger than 50 MiB.
 */
export async function* readDocuments(
  inputs: readonly Input[],
  options: DocumentOptions,
): AsyncGenerator<DocumentLinks, void, undefined> {
  const resolver = new LinkResolver(options);
  const ahead: Promise<DocumentText>[] = [];
  for (const [at, input] of inputs.entries()) {
    if (options.signal?.aborted) return;
    for (const next of inputs.slice(ahead.length, at + MAX_AHEAD)) {
      const reading = readDocument(next, inputName(next), options);
      reading.catch(() => {}); // it is awaited when its turn has come
      ahead.push(reading);
    }
    const name = inputName(input);
    const { text, url, contentType } = (await ahead[at]) ?? EMPTY;
    ahead[at] = EMPTY_READ;
    if (options.signal?.aborted) return;
    if (text.slice(0, 8192).includes('\0')) {
      options.warn(`skipping ${quotedInputName(name)}: it is a binary file`);
      continue;
    }
    const format = formatOfType(contentType) ?? formatOf(url ?? name, text);
    const extraction = await extractLinks(text, format, name);
    yield { name, links: await resolver.resolve(extraction, { name, text, format, url }) };
  }
}

/** The jobs for the links of documents, one batch for each document. Links that cannot be checked are skipped. */
export async function* readDocumentJobs(
  inputs: readonly Input[],
  options: DocumentOptions & JobOptions,
  counts: InputCounts,
): AsyncGenerator<Iterable<Job>, void, undefined> {
  const factory = new JobFactory(options, counts);
  for await (const document of readDocuments(inputs, options)) {
    yield documentJobs(document, factory, options);
  }
}

function* documentJobs(
  { name, links }: DocumentLinks,
  factory: JobFactory,
  options: JobOptions,
): Generator<Job, void, undefined> {
  for (const { target, line, column } of links) {
    if (target.kind === 'page') continue;
    if (target.kind === 'other') {
      factory.skipOtherLink();
      continue;
    }
    const parsed = target.kind === 'web' ? parseLine(target.url, options) : fileJob(target);
    const job = factory.fromParsed({ ...parsed, column }, name, line);
    if (job !== undefined) yield job;
  }
}

function fileJob({ url, input, fault, anchorFault }: Extract<Target, { readonly kind: 'file' }>): ParsedJob {
  const job = { url, isLocal: true, ...(input === undefined ? {} : { input }) } as const;
  if (fault !== undefined) return { ...job, invalid: fault };
  return anchorFault === undefined ? job : { ...job, unmet: anchorFault };
}

/** Finds the links of a text; the code of each format is loaded on use. */
export async function extractLinks(raw: string, format: DocumentFormat, name: string): Promise<Extraction> {
  const text = normalizeText(raw);
  switch (format) {
    case 'markdown':
      return (await import('./markdown-links.ts')).extractMarkdown(text);
    case 'html':
      return (await import('./html-links.ts')).extractHtml(text);
    case 'xml':
      return (await import('./html-links.ts')).extractXml(text);
    case 'rst':
      return extractRestructuredText(text);
    case 'json':
      return extractJson(text);
    case 'source':
      return extractSource(text, name);
    case 'text':
      return extractText(text);
  }
}

interface DocumentText {
  readonly text: string;
  readonly url?: string;
  readonly contentType?: string | undefined;
}

const EMPTY: DocumentText = { text: '' };
const EMPTY_READ = Promise.resolve(EMPTY);

async function readDocument(
  input: Input,
  name: string,
  { stdin, signal, fetchDocument }: DocumentOptions,
): Promise<DocumentText> {
  if (input.kind !== 'url') {
    const small = input.kind === 'file' ? readSmallFile(input.path) : undefined;
    if (small !== undefined && isPlainText(small, name)) return { text: decode(small) };
    const source = input.kind === 'file' ? await openFile(input.path, signal) : stdin;
    return { text: decode(await readAll(source, name, signal)) };
  }
  const { url, headers, invalid } = parseLine(input.url);
  if (invalid !== undefined || fetchDocument === undefined) {
    throw new InputError(invalid ?? `cannot read ${quotedInputName(name)}: it is not a file`);
  }
  const fetched = await fetchDocument(headers === undefined ? { url } : { url, headers });
  const bytes = await readAll(Readable.from([fetched.bytes]), name, signal, false);
  return { text: decode(bytes), url: fetched.url, contentType: fetched.contentType };
}

/** @param mustBeGzip as for `readChunks()` */
async function readAll(
  source: Readable,
  name: string,
  signal: AbortSignal | undefined,
  mustBeGzip?: boolean,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of readChunks(source, name, signal, mustBeGzip)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_DOCUMENT_BYTES) {
      throw new InputError(`cannot read ${quotedInputName(name)} as a document: it is larger than 50mb`);
    }
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** The name of the file that standard input is, where a name is needed. */
const STDIN = 'standard-input\0';

/** Where the links of one document are relative to. */
interface Origin {
  /** The URL of the document, if its links are resolved against one. */
  readonly url: string | undefined;
  /** The directory of the document. */
  readonly directory: string;
  readonly isHtml: boolean;
  readonly flavor: MarkdownFlavor;
  /** The name of the document without its extension. */
  readonly page: string;
  /** Whether the URL or directory is that of a `<base>`, so that a link of only a fragment leads to another page. */
  readonly isBase?: boolean;
  /** What is wrong with a link to a place in the document itself. */
  readonly ownTarget: (fragment: string) => Promise<Target>;
}

/** A document, as its links are resolved. */
interface ReadDocument {
  readonly name: string;
  readonly text: string;
  readonly format: DocumentFormat;
  /** Of a document that was fetched. */
  readonly url: string | undefined;
}

/** Resolves the links of documents, and looks up the files that they lead to. */
class LinkResolver {
  readonly #options: DocumentOptions;
  readonly #root: string;
  readonly #known = new Map<string, Promise<string | undefined>>();
  readonly #anchors = new FileAnchors();

  constructor(options: DocumentOptions) {
    this.#options = options;
    this.#root = resolve(options.directory, options.rootDir ?? '.');
  }

  async resolve({ links, base }: Extraction, document: ReadDocument): Promise<DocumentLinks['links']> {
    const { name, format, url } = document;
    const file = resolve(this.#options.directory, name === '-' ? STDIN : name);
    const own: Origin = {
      url: url ?? this.#urlOf(file),
      directory: dirname(file),
      isHtml: format === 'html',
      flavor: await this.#anchors.flavorOf(dirname(file)),
      page: basename(file, extname(file)),
      ownTarget: (fragment) => this.#ownTarget(fragment, document, file),
    };
    const origin = base === undefined || isTemplate(base) ? own : this.#withBase(own, base);
    return Promise.all(
      links.map(async (link) => ({ ...link, target: await this.#targetOf(link.href, origin) })),
    );
  }

  /** The URL of a file by `--base-url`. */
  #urlOf(file: string): string | undefined {
    const { baseUrl, rootDir } = this.#options;
    if (baseUrl === undefined || rootDir === undefined) return baseUrl;
    const path = relative(this.#root, file);
    if (path.startsWith('..') || isAbsolute(path)) return baseUrl;
    const directory = baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`;
    return toUrl(path.split(sep).map(encodeURIComponent).join('/'), directory);
  }

  #withBase(origin: Origin, base: string): Origin {
    const based = { ...origin, isBase: true };
    if (WEB_LINK.test(base) || base.startsWith('//')) return { ...based, url: withScheme(base) };
    if (origin.url !== undefined) return { ...based, url: toUrl(base, origin.url) };
    return { ...based, directory: dirname(`${this.#pathOf(base, origin)}x`) };
  }

  /** A link to a place in its own document. */
  async #ownTarget(fragment: string, { text, format, url }: ReadDocument, file: string): Promise<Target> {
    if (url !== undefined) return { kind: 'web', url: toUrl(fragment, url) };
    const name = fragmentOf(fragment);
    const anchorFault = await this.#anchors.faultIn(name, file, () => Promise.resolve({ text, format }));
    return { kind: 'file', url: this.#fileUrl(file, fragment), fault: undefined, anchorFault };
  }

  async #targetOf(href: string, origin: Origin): Promise<Target> {
    if (href === '') return { kind: 'page' };
    if (href.startsWith('#')) {
      if (this.#options.checksFragments !== true || fragmentOf(href) === '') return { kind: 'page' };
      if (origin.isBase !== true) return origin.ownTarget(href);
    }
    if (isTemplate(href)) return { kind: 'other' };
    if (WEB_LINK.test(href) || href.startsWith('//')) return this.#toWebTarget(encodeSpace(withScheme(href)));
    if (SCHEME.test(href)) return { kind: 'other' };
    if (origin.url !== undefined) return this.#toWebTarget(toUrl(href, origin.url));
    const fragment = /#.*$/s.exec(href)?.[0] ?? '';
    const { path, fault } = await this.#find(href, origin);
    if (fault !== undefined && isRoute(path, origin)) return { kind: 'other' };
    const hint =
      fault !== undefined && href.startsWith('/') && this.#options.rootDir === undefined
        ? ' (use --root-dir for the directory of links that start with /)'
        : '';
    const url = this.#fileUrl(path, fragment);
    if (fault !== undefined) return { kind: 'file', url, fault: `${fault}${hint}` };
    if (this.#options.checksFragments !== true || fragmentOf(href) === '')
      return { kind: 'file', url, fault };
    return { kind: 'file', url, fault, anchorFault: await this.#anchors.faultOf(fragmentOf(href), path) };
  }

  /** A link to a URL, or to the file that is looked up instead. */
  async #toWebTarget(url: string): Promise<Target> {
    const input = toUrl(url, url);
    const file = this.#options.remap?.(input);
    if (file === undefined || !/^file:/i.test(file)) return { kind: 'web', url };
    const [, path = '', fragment = ''] = /^file:(?:\/\/(?=\/))?([^?#]*)[^#]*(#.*)?$/is.exec(file) ?? [];
    const absolute = resolve(this.#options.directory, percentDecode(path));
    // As servers of static pages do, it finds "page.html" for "page".
    const fault = await this.#look(absolute, { isHtml: true, flavor: 'github' });
    const target = { kind: 'file', url: this.#fileUrl(absolute, fragment), input, fault } as const;
    if (fault !== undefined || this.#options.checksFragments !== true || fragmentOf(fragment) === '')
      return target;
    return { ...target, anchorFault: await this.#anchors.faultOf(fragmentOf(fragment), absolute) };
  }

  /** The file that a relative link leads to, or where it should be and what is wrong. */
  async #find(href: string, origin: Origin): Promise<{ path: string; fault: string | undefined }> {
    const path = this.#pathOf(href, origin);
    const fault = await this.#look(path, origin);
    if (fault === undefined) return { path, fault };
    for (const directory of otherDirectories(origin, href.startsWith('/'), this.#root)) {
      const other = join(directory, href.startsWith('/') ? relative(this.#root, path) : hrefPath(href));
      if ((await this.#look(other, origin)) === undefined) return { path: other, fault: undefined };
    }
    return { path, fault };
  }

  /** The absolute path that a relative link leads to. */
  #pathOf(href: string, { directory }: Origin): string {
    const path = hrefPath(href);
    return join(path.startsWith('/') ? this.#root : directory, path);
  }

  /** The path of a file as a URL. It is relative to the working directory, so that it is the same on each machine. */
  #fileUrl(path: string, fragment: string): string {
    const local = this.#shown(path);
    return isUnicode(local + fragment)
      ? `file:${encodeURI(local)}${encodeURI(fragment).replaceAll('%25', '%')}`
      : `file:${redactedUrl(local)}`;
  }

  #shown(path: string): string {
    const shown = relative(this.#options.directory, path).split(sep).join('/') || '.';
    return shown === STDIN ? '-' : shown;
  }

  /** Why there is no file, or `undefined` if there is one. A directory counts as a file. */
  #look(path: string, { isHtml, flavor }: Pick<Origin, 'isHtml' | 'flavor'>): Promise<string | undefined> {
    const key = `${isHtml}${flavor}${path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KNOWN_PATHS) this.#known.clear();
    const looking = this.#lookUp(path, isHtml, flavor);
    this.#known.set(key, looking);
    return looking;
  }

  async #lookUp(path: string, isHtml: boolean, flavor: MarkdownFlavor): Promise<string | undefined> {
    const code = await missingCode(path);
    if (code === undefined) return undefined;
    const name = `"${excerpt(this.#shown(path))}${/.\/$/.test(path) ? '/' : ''}"`;
    if (code !== 'ENOENT') return `cannot read ${name} (${code})`;
    const bare = path.replace(/\/+$/, '');
    for (const source of sourcesOf(path)) if ((await missingCode(source)) === undefined) return undefined;
    for (const end of ['', '.html', '/index.html', '.md', '.mdx', '/index.md', '/index.mdx', '.rst']) {
      if ((await missingCode(bare + end)) !== undefined) continue;
      // Servers of static pages find these.
      if (isHtml && end.endsWith('.html')) return undefined;
      if (end.includes('.md') && (FINDS_PAGES.has(flavor) || (flavor === 'mkdocs' && path.endsWith('/'))))
        return undefined;
      return `no such file: ${name} (there is "${excerpt(this.#shown(bare + end))}")`;
    }
    return `no such file: ${name}`;
  }
}

/** What finds `guide.md` by `guide`, and a directory with the files that are in its pages as they are. */
const FINDS_PAGES: ReadonlySet<MarkdownFlavor> = new Set(['docusaurus', 'vitepress']);
const ASSETS: ReadonlyMap<MarkdownFlavor, string> = new Map([
  ['docusaurus', 'static'],
  ['vitepress', 'public'],
]);

/** How many directories above a document Docusaurus may take for that of all documents. */
const MAX_PARENTS = 5;

/**
 * The directories in which a link is looked up, too. The HTML in `guide.md` is relative to the page, which MkDocs puts into the
 * directory `guide`; links between documents may be relative to the directory of all documents in Docusaurus.
 */
function otherDirectories(
  { flavor, directory, page }: Origin,
  isAbsolute: boolean,
  root: string,
): readonly string[] {
  const assets = ASSETS.get(flavor);
  if (isAbsolute) return assets === undefined ? [] : [join(root, assets)];
  if (flavor === 'mkdocs') return [join(directory, page)];
  if (flavor !== 'docusaurus') return [];
  return Array.from({ length: MAX_PARENTS }, (_, count) => join(directory, '../'.repeat(count + 1)));
}

/** Whether a path may be the id of a document, which Docusaurus takes for its name, or a page that it makes itself. */
function isRoute(path: string, { flavor }: Origin): boolean {
  return flavor === 'docusaurus' && extname(path) === '';
}

/** The path of a relative link. */
function hrefPath(href: string): string {
  return percentDecode(href.replace(/[?#].*$/s, ''));
}

/** A link that starts with `//` has the scheme of its page; `https:` if that is a file. */
function withScheme(href: string): string {
  return href.startsWith('//') ? `https:${href}` : href;
}

/** White space in a link, as a browser encodes it. In a list of URLs it would end the URL. */
function encodeSpace(href: string): string {
  return href.replace(/\s/g, encodeURIComponent);
}

/** A relative link as a URL, or as it is if it cannot be one. */
function toUrl(href: string, base: string): string {
  return URL.canParse(href, base) ? new URL(href, base).href : href;
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
