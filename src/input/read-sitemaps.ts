import { Readable } from 'node:stream';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { type Input, inputName } from './input.ts';
import { JobMaker, type Tally } from './job-maker.ts';
import { openFile } from './open-file.ts';
import { parseLine } from './parse-line.ts';
import { parseSitemap, type SitemapEntry } from './parse-sitemap.ts';
import { readChunks } from './read-chunks.ts';
import type { ReadOptions } from './read-jobs.ts';
import { SeenKeys } from './seen-keys.ts';

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
  tally: Tally,
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
  readonly #seen = new SeenKeys();

  constructor(options: SitemapOptions, tally: Tally) {
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
