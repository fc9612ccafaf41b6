import { parseExpectation } from '../config/expectations.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { classifyInput, type Input } from '../input/input.ts';
import { countJobs, type InputCounts, type ReadOptions, readJobs } from '../input/read-jobs.ts';
import { UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { type DocumentParts, fetchDocument } from './run-setup.ts';

/** The inputs that the arguments name; standard input if there are none and it is no terminal. */
export function inputsOf(args: readonly string[], isTerminal: boolean): readonly Input[] {
  if (args.length > 0) return args.map(classifyInput);
  if (!isTerminal) return [{ kind: 'stdin' }];
  throw new UsageError(
    'Cannot read URLs from a terminal: name a file, as in "fanout fetch urls.txt", or pipe a list in, ' +
      'as in "cat urls.txt | fanout fetch"; "fanout fetch -" reads what you type',
  );
}

/** How many jobs the inputs hold; `undefined` as soon as one of them is no regular file. */
export async function countInputs(
  inputs: readonly Input[],
  signal?: AbortSignal,
): Promise<number | undefined> {
  let total = 0;
  for (const input of inputs) {
    const count =
      input.kind === 'file' ? await countJobs(input.path, signal) : input.kind === 'url' ? 1 : undefined;
    if (count === undefined) return undefined;
    total += count;
  }
  return total;
}

interface RunInputsParts {
  readonly options: ProgramOptions;
  readonly inputs: readonly Input[];
  readonly process: NodeJS.Process;
  /** How a sitemap is fetched that is given by its URL. */
  readonly document: DocumentParts;
}

/** The inputs of a run: lists, or the sitemaps that `--sitemap` makes of them. */
export class RunInputs {
  readonly tally: InputCounts = { read: 0, skipped: 0 };
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
    const { readSitemaps } = await import('../input/sitemap.ts');
    const fetch = (url: string) => fetchDocument(url, document, reading.signal);
    yield* readSitemaps(inputs, { ...reading, fetchDocument: fetch }, this.tally);
  }

  /** How many jobs there are; `undefined` where that cannot be known beforehand. */
  async count(signal: AbortSignal): Promise<number | undefined> {
    return this.#parts.options.sitemap ? undefined : countInputs(this.#parts.inputs, signal);
  }
}
