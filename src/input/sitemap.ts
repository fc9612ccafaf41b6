import { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import sax from 'sax';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import { KeySet } from './hash-set.ts';
import { type Input, inputName, named } from './input.ts';
import { parseLine } from './parse-job.ts';
import { type InputCounts, JobMaker, type ReadOptions } from './read-jobs.ts';
import { openFile, readChunks } from './read-stream.ts';

/** A `<loc>` of a sitemap: of a page, or of another sitemap. */
export interface SitemapEntry {
  readonly kind: 'page' | 'sitemap';
  readonly loc: string;
  /** Line of the document in which it ends, from 1. */
  readonly line: number;
}

// Of https://www.sitemaps.org/protocol.html: the roots, and what stands around a `<loc>` that counts.
const ROOTS: ReadonlySet<string> = new Set(['urlset', 'sitemapindex']);
const PARENTS: ReadonlyMap<string | undefined, SitemapEntry['kind']> = new Map([
  ['url', 'page'],
  ['sitemap', 'sitemap'],
]);

// As long as a line of a list may be.
const MAX_LOC_LENGTH = 1024 * 1024;

/**
 * Reads a sitemap or a sitemap index as it comes, in memory that does not depend on its size; no entity but those of
 * XML itself is known, so none expands. Throws an `InputError` that names the document for what is no sitemap.
 */
export async function* parseSitemap(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<readonly SitemapEntry[], void, undefined> {
  const reader = new SitemapReader(name);
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    const entries = reader.write(decoder.decode(chunk, { stream: true }));
    if (entries.length > 0) yield entries;
  }
  const rest = reader.end(decoder.decode());
  if (rest.length > 0) yield rest;
}

class SitemapReader {
  readonly #name: string;
  readonly #parser = new sax.SAXParser(true, { position: true });
  /** Local names of the elements that are open. */
  readonly #path: string[] = [];
  #found: SitemapEntry[] = [];
  #loc = '';
  #hasRoot = false;

  constructor(name: string) {
    this.#name = name;
    this.#parser.onopentag = ({ name }) => this.#open(localName(name));
    this.#parser.onclosetag = () => this.#close();
    this.#parser.ontext = this.#parser.oncdata = (text) => this.#take(text);
    this.#parser.onerror = (error) => {
      throw this.#fault(error.message.split('\n', 1)[0] ?? error.name);
    };
  }

  write(text: string): readonly SitemapEntry[] {
    this.#parser.write(text);
    const found = this.#found;
    this.#found = [];
    return found;
  }

  end(text: string): readonly SitemapEntry[] {
    const found = this.write(text);
    this.#parser.close();
    if (!this.#hasRoot) throw this.#fault('it is empty');
    return found;
  }

  #open(name: string): void {
    if (this.#path.length === 0 && !ROOTS.has(name)) {
      throw this.#fault(`it begins with <${printable(name, 50)}>`);
    }
    this.#hasRoot = true;
    this.#path.push(name);
    if (name === 'loc') this.#loc = '';
  }

  #take(text: string): void {
    if (this.#path.at(-1) !== 'loc') return;
    if (this.#loc.length + text.length > MAX_LOC_LENGTH) throw this.#fault('a <loc> is over 1 MiB long');
    this.#loc += text;
  }

  #close(): void {
    const name = this.#path.pop();
    const kind = name === 'loc' ? PARENTS.get(this.#path.at(-1)) : undefined;
    if (kind !== undefined) {
      this.#found.push({ kind, loc: this.#loc.trim(), line: this.#parser.line + 1 });
    }
  }

  #fault(reason: string): InputError {
    const wish = this.#hasRoot ? '' : '; it must be the XML of a <urlset> or <sitemapindex>';
    return new InputError(
      `Cannot read ${named(this.#name)} as a sitemap: ${printable(reason)} (line ${this.#parser.line + 1})${wish}`,
    );
  }
}

/** Sitemaps have their names with and without a prefix; what has another meaning stands in another parent. */
function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

export interface SitemapOptions extends ReadOptions {
  /** Fetches a sitemap; rejects with an `InputError` that says why it cannot. */
  readonly fetchDocument: (url: string) => Promise<Uint8Array>;
}

// The protocol allows an index to name sitemaps and no other index; some sites have one level more.
const MAX_DEPTH = 3;

type Batches = AsyncGenerator<Iterable<Job>, void, undefined>;

/**
 * Reads inputs, each a sitemap or a sitemap index, in order as batches of jobs; an input that is a URL is fetched.
 * - The sitemaps that an index names are fetched one after the other, each once; one that cannot be read is an invalid job.
 * - An input that cannot be read, or is no sitemap, is an `InputError`.
 */
export async function* readSitemaps(
  inputs: readonly Input[],
  options: SitemapOptions,
  tally: InputCounts,
): Batches {
  const reader = new SitemapJobs(options, tally);
  for (const input of inputs) {
    if (options.signal?.aborted) return;
    const chunks = readChunks(
      await open(input, options),
      inputName(input),
      options.signal,
      // Of what is fetched, the server may have undone it.
      input.kind === 'file' ? undefined : false,
    );
    yield* reader.read(inputName(input), chunks, 1);
  }
}

async function open(input: Input, { stdin, signal, fetchDocument }: SitemapOptions): Promise<Readable> {
  switch (input.kind) {
    case 'file':
      return openFile(input.path, signal);
    case 'stdin':
      return stdin;
    case 'url':
      return Readable.from([await fetchDocument(input.url)]);
  }
}

class SitemapJobs {
  readonly #options: SitemapOptions;
  readonly #maker: JobMaker;
  readonly #seen = new KeySet();

  constructor(options: SitemapOptions, tally: InputCounts) {
    this.#options = options;
    this.#maker = new JobMaker(options, tally);
  }

  async *read(name: string, chunks: AsyncIterable<Uint8Array>, depth: number): Batches {
    const { signal } = this.#options;
    this.#seen.add(name);
    for await (const entries of parseSitemap(chunks, name)) {
      for (const [kind, group] of inRuns(entries)) {
        if (signal?.aborted) return;
        if (kind === 'page') yield this.#jobs(group, name);
        else for (const entry of group) yield* this.#follow(entry, name, depth);
      }
    }
  }

  *#jobs(entries: readonly SitemapEntry[], name: string): Generator<Job, void, undefined> {
    for (const { loc, line } of entries) {
      const job = this.#maker.jobFrom(parseLine(loc, this.#options), name, line);
      if (job !== undefined) yield job;
    }
  }

  /** The jobs of a sitemap that an index names; none when it was read before. */
  async *#follow({ loc, line }: SitemapEntry, name: string, depth: number): Batches {
    if (!this.#seen.add(loc)) return;
    try {
      if (depth === MAX_DEPTH) throw new InputError(`it stands ${MAX_DEPTH} levels deep in sitemap indexes`);
      const { url, invalid } = parseLine(loc, this.#options);
      if (invalid !== undefined) throw new InputError(invalid);
      const document = Readable.from([await this.#options.fetchDocument(url)]);
      yield* this.read(url, readChunks(document, url, this.#options.signal, false), depth + 1);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { url } = parseLine(loc, this.#options);
      const job = this.#maker.jobFrom({ url, invalid: error.message }, name, line);
      if (job !== undefined) yield [job];
    }
  }
}

/** Entries of one kind that stand together. */
function inRuns(entries: readonly SitemapEntry[]): (readonly [SitemapEntry['kind'], SitemapEntry[]])[] {
  const runs: (readonly [SitemapEntry['kind'], SitemapEntry[]])[] = [];
  for (const entry of entries) {
    const last = runs.at(-1);
    if (last?.[0] === entry.kind) last[1].push(entry);
    else runs.push([entry.kind, [entry]]);
  }
  return runs;
}
