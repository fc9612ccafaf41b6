import { existsSync, fstatSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { parseExpectation } from '../config/expectations.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { Run } from '../fetch/run.ts';
import { type DocumentRequest, documentOf, toDocument } from '../fetch/run-factories.ts';
import { checkInputs, classifyInput, type Input, looksLikeHost, quotedInputName } from '../input/input.ts';
import type { Scheme } from '../input/parse-url.ts';
import {
  checkLists,
  countJobs,
  type InputCounts,
  type ListFormat,
  type ReadOptions,
  readJobs,
} from '../input/read-jobs.ts';
import { untilAborted } from '../input/read-stream.ts';
import { InputError, UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';
import { createRemap, createUrlFilter } from '../model/url-filter.ts';
import type { FetchSettings } from './fetch-settings.ts';
import { createMessages } from './terminal.ts';

type ListOptions = Partial<Pick<ProgramOptions, 'null' | 'column'>>;

/** The options of a command that concern its inputs. */
type InputOptions = ListOptions &
  Partial<Pick<ProgramOptions, 'defaultScheme' | 'sitemap' | 'extract' | 'rootDir' | 'silent'>>;

/**
 * Returns the inputs that the arguments name, or standard input if there are none, and warns if a pipe on standard input is
 * not read. Throws a `UsageError` or `InputError` if an input cannot be read or is not a list.
 */
export async function resolveInputs(
  args: readonly string[],
  options: InputOptions,
  process: NodeJS.Process,
): Promise<readonly Input[]> {
  const { sitemap = false, extract = false, silent = false } = options;
  const named = extract ? await findDocumentNames(args, process.cwd()) : args;
  const inputs =
    named.length === 0 && args.length > 0 ? [] : toInputs(named, isatty(process.stdin.fd), options);
  await checkInputs(inputs);
  if (extract) await checkRoot(options);
  if (!sitemap && !extract) await checkLists(inputs, listFormat(options));
  if (isPipeIgnored(inputs, process)) {
    createMessages(process, { isSilent: silent }).warn(
      'ignoring the pipe on standard input, since inputs are named (add - to read it)',
    );
  }
  return inputs;
}

function listFormat({ null: isNullSeparated, column }: ListOptions): ListFormat {
  return { isNullSeparated, column };
}

async function checkRoot({ rootDir }: InputOptions): Promise<void> {
  if (rootDir === undefined) return;
  const { checkRootDirectory } = await import('../documents/find-documents.ts');
  await checkRootDirectory(rootDir, '--root-dir');
}

/** The arguments, with the documents in directories and those that match patterns. The code of documents is loaded on use. */
async function findDocumentNames(args: readonly string[], directory: string): Promise<readonly string[]> {
  const { findDocuments } = await import('../documents/find-documents.ts');
  return findDocuments(args, directory);
}

function toInputs(
  args: readonly string[],
  isTerminal: boolean,
  { defaultScheme, extract }: InputOptions,
): readonly Input[] {
  if (args.length > 0) return args.map((argument) => toInput(argument, defaultScheme));
  if (!isTerminal) return [{ kind: 'stdin' }];
  if (extract) throw new UsageError('no input: name a document, a directory, or - for standard input');
  throw new UsageError(
    'no input: name a file or a URL, as in "fanout fetch urls.txt", or pipe a list in, as in "cat urls.txt | fanout fetch" ' +
      '(to type URLs: "fanout fetch -")',
  );
}

function toInput(argument: string, scheme: Scheme | undefined): Input {
  const input = classifyInput(argument);
  if (input.kind !== 'file' || !looksLikeHost(argument) || existsSync(argument)) return input;
  if (scheme !== undefined) return { kind: 'url', url: `${scheme}://${argument}` };
  throw new InputError(
    `cannot read ${quotedInputName(argument)}: no such file (for a URL, type https://${excerpt(argument)} or use --default-scheme https)`,
  );
}

/**
 * Whether standard input is a pipe that no input reads. Nothing is read from it to find out: it may never end, or may be the
 * list of a loop around the command. Steps of GitHub Actions always have a pipe.
 */
function isPipeIgnored(inputs: readonly Input[], { stdin, env }: NodeJS.Process): boolean {
  if (typeof stdin.fd !== 'number' || env.GITHUB_ACTIONS !== undefined) return false;
  // A shell makes a FIFO. A socket is what Node gives to a child process, mostly unused.
  const pipe = fstatSync(stdin.fd);
  if (!pipe.isFIFO()) return false;
  return inputs.every((input) => {
    if (input.kind !== 'file') return input.kind === 'url';
    const { dev, ino } = statSync(input.path); // it may be /dev/stdin
    return dev !== pipe.dev || ino !== pipe.ino;
  });
}

/** Counts the jobs of the inputs. Resolves to `undefined` if one of them is not a regular file. */
export async function countInputs(
  inputs: readonly Input[],
  signal?: AbortSignal,
  format?: ListFormat,
): Promise<number | undefined> {
  let total = 0;
  for (const input of inputs) {
    const count =
      input.kind === 'file'
        ? await countJobs(input.path, signal, format)
        : input.kind === 'url'
          ? 1
          : undefined;
    if (count === undefined) return undefined;
    total += count;
  }
  return total;
}

/** Throws an `InputError` if nothing was read, unless `--allow-empty` is set. */
export function checkNotEmpty(read: number, { allowEmpty }: Pick<ProgramOptions, 'allowEmpty'>): void {
  if (read > 0 || allowEmpty) return;
  throw new InputError('no URLs in the input (use --allow-empty to permit this)');
}

async function canBeReadAgain(inputs: readonly Input[]): Promise<boolean> {
  for (const input of inputs) {
    if (input.kind === 'url') continue;
    const status = input.kind === 'file' ? await stat(input.path).catch(() => undefined) : undefined;
    if (!status?.isFile()) return false;
  }
  return true;
}

interface JobSourceParts {
  readonly inputs: readonly Input[];
  readonly options: ProgramOptions;
  /** How a sitemap is fetched whose URL is an input. */
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
}

/** Reads the jobs of a run from its inputs: lists, sitemaps with `--sitemap`, or documents with `--extract`. */
export class JobSource {
  readonly counts: InputCounts = { read: 0, skipped: 0 };
  readonly #parts: JobSourceParts;
  #isReadToEnd = false;

  constructor(parts: JobSourceParts) {
    this.#parts = parts;
  }

  /** Whether `jobs()` and `unread()` have given every job of the inputs. */
  get isReadToEnd(): boolean {
    return this.#isReadToEnd;
  }

  /**
   * Yields batches of jobs. An abort ends the reading, even while it waits for input.
   *
   * @param fetchDocument fetches sitemaps within the run of the jobs; if unset, they have a run of their own
   */
  async *jobs(signal: AbortSignal, fetchDocument?: FetchDocument): AsyncGenerator<Iterable<Job>> {
    const { options, settings } = this.#parts;
    const reading = this.#readOptions(signal);
    if (!options.sitemap && !this.#fetchesDocuments) yield* this.#fileJobs(reading, this.counts);
    else if (fetchDocument !== undefined) yield* this.#fetchedJobs(reading, fetchDocument);
    else yield* withDocumentRun(settings, signal, (fetch) => this.#fetchedJobs(reading, fetch));
    if (!signal.aborted) this.#isReadToEnd = true;
  }

  /**
   * After `jobs()` was ended early: yields the jobs that it did not give. For this the inputs are read again, so there are none
   * unless all inputs are regular files and URLs.
   */
  async *unread(signal: AbortSignal): AsyncGenerator<Iterable<Job>> {
    const { options, inputs } = this.#parts;
    if (this.#isReadToEnd || options.sitemap || this.#fetchesDocuments || !(await canBeReadAgain(inputs)))
      return;
    const counts: InputCounts = { read: 0, skipped: 0 };
    const first = this.counts.read - this.counts.skipped;
    for await (const batch of this.#fileJobs(this.#readOptions(signal), counts))
      yield this.#from(batch, first, counts);
    if (signal.aborted) return;
    this.#isReadToEnd = true;
    this.#raiseCounts(counts);
  }

  /** The jobs of a batch from this index on. */
  *#from(batch: Iterable<Job>, first: number, counts: InputCounts): Generator<Job> {
    for (const job of batch) {
      if (job.index < first) continue;
      this.#raiseCounts(counts);
      yield job;
    }
  }

  /** The file may have become shorter. */
  #raiseCounts(counts: InputCounts): void {
    if (counts.read >= this.counts.read) Object.assign(this.counts, counts);
  }

  #readOptions(signal: AbortSignal): ReadOptions {
    const { options, process } = this.#parts;
    const { unique, checkFragments, defaultScheme, method: defaultMethod } = options;
    const filter = createUrlFilter(options);
    const remap = createRemap(options.remap);
    const settings = {
      unique,
      keepsFragments: checkFragments,
      filter,
      remap,
      defaultScheme,
      defaultMethod,
      parseExpectation,
      signal,
    };
    // So that a search for a line of the list finds its result.
    return { ...settings, ...listFormat(options), stdin: process.stdin, keepsInput: true };
  }

  /** Counts the jobs ahead of reading. Resolves to `undefined` if that is not possible. */
  async count(signal: AbortSignal): Promise<number | undefined> {
    const { options, inputs } = this.#parts;
    return options.sitemap || options.extract ? undefined : countInputs(inputs, signal, listFormat(options));
  }

  /** Whether inputs of `--extract` are fetched. */
  get #fetchesDocuments(): boolean {
    const { options, inputs } = this.#parts;
    return options.extract && inputs.some(({ kind }) => kind === 'url');
  }

  /** The jobs of lists, or of documents none of which is fetched. */
  #fileJobs(reading: ReadOptions, counts: InputCounts): AsyncGenerator<Iterable<Job>> {
    const { options, inputs } = this.#parts;
    return options.extract ? this.#documentJobs(reading, counts) : readJobs(inputs, reading, counts);
  }

  // The parsers are loaded on use.
  async *#documentJobs(
    reading: ReadOptions,
    counts: InputCounts,
    fetch?: FetchDocument,
  ): AsyncGenerator<Iterable<Job>> {
    const { readDocumentJobs } = await import('../documents/read-documents.ts');
    const { inputs, options, process } = this.#parts;
    const { baseUrl, rootDir, checkFragments: checksFragments, silent } = options;
    const { warn } = createMessages(process, { isSilent: silent });
    const fetchDocument = fetch && (async (request: DocumentRequest) => toDocument(await fetch(request)));
    const documents = {
      ...reading,
      baseUrl,
      rootDir,
      checksFragments,
      directory: process.cwd(),
      fetchDocument,
      warn,
    };
    yield* readDocumentJobs(inputs, documents, counts);
  }

  // The XML parser is loaded on use.
  async *#fetchedJobs(reading: ReadOptions, fetch: FetchDocument): AsyncGenerator<Iterable<Job>> {
    if (this.#parts.options.extract) {
      yield* this.#documentJobs(reading, this.counts, fetch);
      return;
    }
    const { readSitemaps } = await import('../input/sitemap.ts');
    const fetchDocument = async (request: DocumentRequest) => documentOf(await fetch(request));
    yield* readSitemaps(this.#parts.inputs, { ...reading, fetchDocument }, this.counts);
  }
}

/** Fetches a document that a list comes from. */
export type FetchDocument = Run['fetchDocument'];

/** Calls `use` with what fetches documents, for a command that fetches nothing else. */
async function* withDocumentRun<T>(
  settings: FetchSettings,
  signal: AbortSignal,
  use: (fetchDocument: FetchDocument) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const run = new Run({ ...settings, jobs: untilAborted(never(), signal) });
  const abort = () => run.abort('the run has ended');
  signal.addEventListener('abort', abort, { once: true });
  const ending = run.results().next();
  try {
    yield* use((request) => run.fetchDocument(request));
  } finally {
    signal.removeEventListener('abort', abort);
    run.stop();
    await ending;
  }
}

async function* never(): AsyncGenerator<readonly Job[]> {
  await new Promise(() => {});
}
