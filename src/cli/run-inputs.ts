import { parseExpectation } from '../config/expectation.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Input } from '../input/input.ts';
import type { Tally } from '../input/job-maker.ts';
import { type ReadOptions, readJobs } from '../input/read-jobs.ts';
import type { Job } from '../model/job.ts';
import { countInputs } from './count-inputs.ts';
import { type DocumentParts, fetchDocument } from './fetch-document.ts';

export interface RunInputsParts {
  readonly options: ProgramOptions;
  readonly inputs: readonly Input[];
  readonly process: NodeJS.Process;
  /** How a sitemap is fetched that is given by its URL. */
  readonly document: DocumentParts;
}

/** The inputs of a run: lists, or the sitemaps that `--sitemap` makes of them. */
export class RunInputs {
  readonly tally: Tally = { read: 0, skipped: 0 };
  readonly #parts: RunInputsParts;

  constructor(parts: RunInputsParts) {
    this.#parts = parts;
  }

  /** Batches of jobs; an abort ends the reading, also of an input that never says another word. */
  jobs(signal: AbortSignal): AsyncGenerator<Iterable<Job>> {
    const { options, inputs, process } = this.#parts;
    const { unique, defaultScheme, method } = options;
    const syntax = { defaultScheme, parseExpectation };
    const reading = { ...syntax, unique, defaultMethod: method, signal, stdin: process.stdin };
    return options.sitemap
      ? this.#sitemapJobs({ ...reading, signal })
      : readJobs(inputs, reading, this.tally);
  }

  /** The parser of XML is loaded on use. */
  async *#sitemapJobs(reading: ReadOptions & { readonly signal: AbortSignal }) {
    const { inputs, document } = this.#parts;
    const { readSitemaps } = await import('../input/read-sitemaps.ts');
    const fetch = (url: string) => fetchDocument(url, document, reading.signal);
    yield* readSitemaps(inputs, { ...reading, fetchDocument: fetch }, this.tally);
  }

  /** How many jobs there are; `undefined` where that cannot be known beforehand. */
  async count(signal: AbortSignal): Promise<number | undefined> {
    return this.#parts.options.sitemap ? undefined : countInputs(this.#parts.inputs, signal);
  }
}
