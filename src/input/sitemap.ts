import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { TextDecoder } from 'node:util';
import sax from 'sax';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import { KeySet } from './hash-set.ts';
import { type Input, inputName, quotedInputName } from './input.ts';
import { type ParsedJob, type ParseOptions, parseLine } from './parse-job.ts';
import { redactedExcerpt, redactedUrl } from './parse-url.ts';
import { type InputCounts, JobFactory, type ReadOptions } from './read-jobs.ts';
import { openFile, readChunks } from './read-stream.ts';

// From https://www.sitemaps.org/protocol.html: the root elements, and the parents of a `<loc>` that counts.
const ROOTS: ReadonlySet<string> = new Set(['urlset', 'sitemapindex']);
const LOC_PARENTS: ReadonlyMap<string | undefined, SitemapEntry['kind']> = new Map([
  ['url', 'page'],
  ['sitemap', 'sitemap'],
]);

/** As long as a line of a list may be. */
const MAX_LOC_LENGTH = 1024 * 1024;

/** Unpacked, as the protocol has it. */
const MAX_SITEMAP_BYTES = 50 * 1024 ** 2;

/** Far more than sitemaps and their extensions have: open elements and attributes are kept in memory. */
const MAX_OPEN_ELEMENTS = 100;
const MAX_ATTRIBUTES = 100;

/** Sitemaps that are fetched, or wait to be read, at a time for one index. Each may have 50 MiB. */
const MAX_AHEAD = 8;

/** As many as one index may name. */
const MAX_SITEMAPS = 50_000;

/** A document is parsed in pieces of this size, with everything else having its turn in between. */
const PIECE_BYTES = 64 * 1024;

/** The protocol does not allow an index in an index, but some sites have one more level. */
const MAX_DEPTH = 3;

/** A `<loc>` of a sitemap: the URL of a page, or of another sitemap. */
export interface SitemapEntry {
  readonly kind: 'page' | 'sitemap';
  readonly loc: string;
  /** The line of the document in which it ends, from 1. */
  readonly line: number;
}

interface SitemapOptions extends ReadOptions {
  /** Fetches a sitemap. Rejects with an `InputError` that gives the reason if it cannot. */
  readonly fetchDocument: (request: Pick<Job, 'url' | 'headers'>) => Promise<Uint8Array>;
}

type Batches = AsyncGenerator<Iterable<Job>, void, undefined>;

/**
 * Reads inputs in order, each a sitemap or a sitemap index, and yields batches of jobs. Fetches an input that is a URL.
 * - Fetches inputs and the sitemaps that an index names in parallel, each once. Yields their jobs in the order in which they
 *   are named. A sitemap of an index that cannot be read becomes an invalid job.
 * - Throws an `InputError` if an input cannot be read or is not a sitemap.
 * - Memory is bounded, whatever the documents are: so are their size, depth and number.
 */
export async function* readSitemaps(
  inputs: readonly Input[],
  options: SitemapOptions,
  counts: InputCounts,
): Batches {
  const reader = new SitemapReader(options, counts);
  const { signal } = options;
  const ahead: (Promise<Uint8Array> | undefined)[] = [];
  for (const [at, input] of inputs.entries()) {
    if (signal?.aborted) return;
    for (const next of inputs.slice(ahead.length, at + MAX_AHEAD)) {
      ahead.push(next.kind === 'url' ? reader.fetch(parseLine(next.url, options)) : undefined);
    }
    const name = inputName(input);
    const source = await openInput(input, options, ahead[at]).catch((error) => {
      if (!signal?.aborted) throw error;
    });
    if (source === undefined) return;
    ahead[at] = undefined;
    // For a URL the name does not decide: the server may have unpacked the document.
    const mustBeGzip = input.kind === 'file' ? undefined : false;
    yield* reader.read(name, readChunks(source, name, signal, mustBeGzip), 1);
  }
}

async function openInput(
  input: Input,
  { stdin, signal }: SitemapOptions,
  document: Promise<Uint8Array> | undefined,
): Promise<Readable> {
  if (document !== undefined) return Readable.from([await document]);
  return input.kind === 'file' ? openFile(input.path, signal) : stdin;
}

/** A sitemap of an index that is being fetched. */
interface LinkedSitemap {
  readonly url: string;
  /** Line of the index. */
  readonly line: number;
  readonly document: Promise<Uint8Array>;
}

/** Turns sitemaps, and the sitemaps that their indexes name, into jobs. */
class SitemapReader {
  readonly #options: SitemapOptions;
  readonly #factory: JobFactory;
  /** The names of the sitemaps that were read. */
  readonly #visited = new KeySet();
  #linked = 0;

  constructor(options: SitemapOptions, counts: InputCounts) {
    this.#options = options;
    this.#factory = new JobFactory(options, counts);
  }

  async *read(name: string, chunks: AsyncIterable<Uint8Array>, depth: number): Batches {
    const { signal } = this.#options;
    const ahead: LinkedSitemap[] = [];
    this.#visited.add(name);
    for await (const entries of parseSitemap(chunks, name)) {
      for (const [kind, group] of groupAdjacent(entries)) {
        if (signal?.aborted) return;
        if (kind === 'page') {
          yield* this.#readAhead(ahead, 0, name, depth);
          yield this.#pageJobs(group, name);
          continue;
        }
        for (const entry of group) {
          const linked = this.#fetchLinked(entry, depth);
          if (linked !== undefined) ahead.push(linked);
          yield* this.#readAhead(ahead, MAX_AHEAD - 1, name, depth);
        }
      }
    }
    yield* this.#readAhead(ahead, 0, name, depth);
  }

  *#pageJobs(entries: readonly SitemapEntry[], name: string): Generator<Job, void, undefined> {
    for (const { loc, line } of entries) {
      const job = this.#factory.fromParsed(parseLoc(loc, this.#options), name, line);
      if (job !== undefined) yield job;
    }
  }

  /** Starts to fetch a document. */
  fetch({ url, headers, invalid }: ParsedJob): Promise<Uint8Array> {
    const document =
      invalid === undefined
        ? this.#options.fetchDocument(headers === undefined ? { url } : { url, headers })
        : Promise.reject(new InputError(invalid));
    document.catch(() => {}); // it is awaited when its turn has come
    return document;
  }

  /** Starts to fetch a sitemap that an index names, unless it was read before. */
  #fetchLinked({ loc, line }: SitemapEntry, depth: number): LinkedSitemap | undefined {
    if (this.#linked > MAX_SITEMAPS || !this.#visited.add(loc)) return undefined;
    this.#linked += 1;
    const parsed = parseLoc(loc, this.#options);
    const refusal =
      this.#linked > MAX_SITEMAPS
        ? `sitemap indexes name more than ${MAX_SITEMAPS} sitemaps`
        : depth === MAX_DEPTH
          ? `sitemap indexes are nested more than ${MAX_DEPTH} levels deep`
          : parsed.invalid;
    const { url } = parsed;
    return {
      url,
      line,
      document: this.fetch({ ...parsed, ...(refusal !== undefined && { invalid: refusal }) }),
    };
  }

  /** Reads the first of these sitemaps, until only `count` are left. */
  async *#readAhead(ahead: LinkedSitemap[], count: number, name: string, depth: number): Batches {
    for (let next = ahead[0]; next !== undefined && ahead.length > count; next = ahead[0]) {
      yield* this.#readLinked(next, name, depth);
      ahead.shift();
    }
  }

  /** Yields the jobs of a sitemap that an index names. */
  async *#readLinked({ url, line, document }: LinkedSitemap, name: string, depth: number): Batches {
    try {
      const chunks = readChunks(Readable.from([await document]), url, this.#options.signal, false);
      yield* this.read(url, chunks, depth + 1);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (this.#options.signal?.aborted) return;
      const job = this.#factory.fromParsed({ url, invalid: error.message }, name, line);
      if (job !== undefined) yield [job];
    }
  }
}

/** A `<loc>` as a job. One that could not be decoded is invalid, since the bytes that were replaced are lost. */
function parseLoc(loc: string, options: ParseOptions): ParsedJob {
  if (!loc.includes('\ufffd')) return parseLine(loc, options);
  const requirement = 'must be UTF-8, or in the encoding that the XML declaration names';
  return { url: redactedUrl(loc), invalid: `invalid URL "${redactedExcerpt(loc)}": ${requirement}` };
}

/** Groups adjacent entries of the same kind. */
function groupAdjacent(
  entries: readonly SitemapEntry[],
): (readonly [SitemapEntry['kind'], SitemapEntry[]])[] {
  const groups: (readonly [SitemapEntry['kind'], SitemapEntry[]])[] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    if (last?.[0] === entry.kind) last[1].push(entry);
    else groups.push([entry.kind, [entry]]);
  }
  return groups;
}

/**
 * Parses a sitemap or a sitemap index as it arrives, in memory that does not depend on its size. Yields the entries
 * of each piece. Refuses documents larger than 50 MiB, and all entities except those of XML itself, so none expands. Throws an `InputError` that names
 * a document which is not a sitemap.
 */
export async function* parseSitemap(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<readonly SitemapEntry[], void, undefined> {
  const parser = new SitemapParser(name);
  const decoder = new XmlDecoder(name);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      const entries = parser.write(decoder.write(piece), piece.length);
      if (entries.length > 0) yield entries;
      await turn();
    }
  }
  const rest = parser.end(decoder.end());
  if (rest.length > 0) yield rest;
}

/** More than any XML declaration has. */
const MAX_DECLARATION_BYTES = 1024;

/**
 * Decodes a document in UTF-8, in UTF-16, or in the encoding that its XML declaration names (XML 1.0, 4.3.3 and appendix F).
 * A byte-order mark of UTF-8 goes before the declaration. UTF-16 with a byte-order mark was decoded by `readChunks`.
 */
class XmlDecoder {
  readonly #name: string;
  #decoder: TextDecoder | undefined;
  /** The start of the document, until it shows the encoding. */
  #start: Buffer = Buffer.alloc(0);

  constructor(name: string) {
    this.#name = name;
  }

  write(piece: Uint8Array): string {
    if (this.#decoder !== undefined) return this.#decoder.decode(piece, { stream: true });
    this.#start = Buffer.concat([this.#start, piece]);
    const encoding = xmlEncoding(this.#start);
    return encoding === undefined ? '' : this.#decodeStart(encoding);
  }

  end(): string {
    const text = this.#decoder === undefined ? this.#decodeStart('utf-8') : '';
    return text + (this.#decoder?.decode() ?? '');
  }

  #decodeStart(encoding: string): string {
    try {
      this.#decoder = new TextDecoder(encoding);
    } catch {
      const reason = `its encoding "${printable(encoding, 50)}" is unknown`;
      throw new InputError(`cannot read ${quotedInputName(this.#name)} as a sitemap: ${reason}`);
    }
    return this.#decoder.decode(this.#start, { stream: true });
  }
}

/** The encoding of a document that starts with these bytes; `undefined` if they are too few. */
function xmlEncoding(start: Buffer): string | undefined {
  if (start.length < 2) return undefined;
  if (start[0] === 0x3c && start[1] === 0) return 'utf-16le';
  if (start[0] === 0 && start[1] === 0x3c) return 'utf-16be';
  const text = start.toString('latin1', 0, MAX_DECLARATION_BYTES);
  if (!'<?xml'.startsWith(text.slice(0, 5))) return 'utf-8';
  const end = text.indexOf('?>');
  if (end === -1) return text.length < MAX_DECLARATION_BYTES ? undefined : 'utf-8';
  const [, named = 'utf-8'] = /\sencoding\s*=\s*["']([^"']*)["']/.exec(text.slice(0, end)) ?? [];
  // These bytes are not UTF-16, or not any more.
  return /^utf-?16/i.test(named) ? 'utf-8' : named;
}

class SitemapParser {
  readonly #name: string;
  readonly #parser = new sax.SAXParser(true, { position: true });
  /** The local names of the open elements, from the root. */
  readonly #path: string[] = [];
  #entries: SitemapEntry[] = [];
  #loc = '';
  /** The first character that is not white space. */
  #start: string | undefined;
  #hasRoot = false;
  #bytes = 0;
  #attributes = 0;

  constructor(name: string) {
    this.#name = name;
    this.#parser.onopentagstart = () => {
      this.#attributes = 0;
    };
    this.#parser.onattribute = () => {
      this.#attributes += 1;
      if (this.#attributes > MAX_ATTRIBUTES)
        throw this.#error(`an element has over ${MAX_ATTRIBUTES} attributes`);
    };
    this.#parser.onopentag = ({ name }) => this.#openElement(localName(name));
    this.#parser.onclosetag = () => this.#closeElement();
    this.#parser.ontext = this.#parser.oncdata = (text) => this.#addText(text);
    this.#parser.onerror = (error) => {
      throw this.#error(error.message.split('\n', 1)[0] ?? error.name);
    };
  }

  /** @param bytes length of the text in the document */
  write(text: string, bytes = 0): readonly SitemapEntry[] {
    this.#bytes += bytes;
    if (this.#bytes > MAX_SITEMAP_BYTES) throw this.#error('it is larger than 50mb');
    this.#requireMarkup(text);
    this.#parser.write(text);
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }

  end(text: string): readonly SitemapEntry[] {
    const entries = this.write(text);
    this.#parser.close();
    if (!this.#hasRoot) throw this.#error('it is empty');
    return entries;
  }

  /** Says so if the document is not XML at all, such as a list of URLs. */
  #requireMarkup(text: string): void {
    this.#start ??= text.trimStart().charAt(0) || undefined;
    if (this.#start !== undefined && this.#start !== '<') {
      throw this.#error('it is not XML; if it is a list of URLs, leave out --sitemap');
    }
  }

  #openElement(name: string): void {
    if (this.#path.length === 0 && !ROOTS.has(name)) {
      throw this.#error(`the root element is <${printable(name, 50)}>, not <urlset> or <sitemapindex>`);
    }
    this.#hasRoot = true;
    this.#path.push(name);
    if (this.#path.length > MAX_OPEN_ELEMENTS) {
      throw this.#error(`its elements are nested more than ${MAX_OPEN_ELEMENTS} deep`);
    }
    if (name === 'loc') this.#loc = '';
  }

  #addText(text: string): void {
    if (this.#path.at(-1) !== 'loc') return;
    if (this.#loc.length + text.length > MAX_LOC_LENGTH) throw this.#error('a <loc> is longer than 1 MiB');
    this.#loc += text;
  }

  #closeElement(): void {
    const name = this.#path.pop();
    const kind = name === 'loc' ? LOC_PARENTS.get(this.#path.at(-1)) : undefined;
    if (kind !== undefined) {
      this.#entries.push({ kind, loc: this.#loc.trim(), line: this.#parser.line + 1 });
    }
  }

  #error(reason: string): InputError {
    return new InputError(
      `cannot read ${quotedInputName(this.#name)} as a sitemap: ${printable(reason)} (line ${this.#parser.line + 1})`,
    );
  }
}

/**
 * Ignores the prefix of a name: sitemaps are written with and without one, and elements of other namespaces have
 * other parents.
 */
function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
