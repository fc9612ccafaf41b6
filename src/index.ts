import { mkdtemp, open, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { EarlierFiles, recallFrom } from './bodies/revalidation.ts';
import { parseExpectation, rulesOf } from './config/expectations.ts';
import {
  type LibraryRunOptions,
  type FanoutOptions as RunSettings,
  resolveRunOptions,
} from './config/library-options.ts';
import { toProxySettings } from './config/network-options.ts';
import { createRequestTemplate } from './config/request-template.ts';
import { orderWindowSize } from './config/run-options.ts';
import { toTlsMaterial } from './config/tls-files.ts';
import { systemClock } from './core/clock.ts';
import { WorkerPool as BasePool, type WorkerPoolOptions } from './core/worker-pool.ts';
import type { DocumentOptions } from './documents/read-documents.ts';
import { readFileLimit } from './fetch/process-resources.ts';
import { Run, type RunParts } from './fetch/run.ts';
import { type DocumentRequest, toDocument } from './fetch/run-factories.ts';
import { openCookieFile } from './http/cookies.ts';
import {
  type InputCounts,
  type JobItem,
  type JobOptions,
  readItems,
  requireItems,
} from './input/read-jobs.ts';
import { untilAborted } from './input/read-stream.ts';
import type { Journal } from './journal/journal.ts';
import { UsageError } from './model/errors.ts';
import type { Job } from './model/job.ts';
import { describeType } from './model/printable.ts';
import { isNotFetched, type Result } from './model/result.ts';
import { checkBalance, type Summary, SummaryFold } from './model/summary.ts';
import { createRemap, createUrlFilter } from './model/url-filter.ts';
import { packageVersion } from './model/version.ts';
import type { Baseline } from './results/history.ts';
import { OrderWindow } from './results/ordering.ts';

export type { Duration, HostOptions, Size, StatusList } from './config/library-options.ts';
export type { RecordKey } from './config/parse/record-format.ts';
export type { JobOutcome, WorkerPoolOptions } from './core/worker-pool.ts';
export type { JobInput } from './input/parse-job.ts';
export type { JobItem } from './input/read-jobs.ts';
export { InputError, OutputError, UsageError } from './model/errors.ts';
export { FAILURE_KINDS, type Failure, type FailureKind } from './model/failure.ts';
export { decodeRecord, encodeRecord, type ResultRecord } from './model/record.ts';
export type {
  FailedResult,
  FileNote,
  KeptBody,
  OkResult,
  Redirect,
  Result,
  TlsFacts,
} from './model/result.ts';
export type { SkipReason, Summary } from './model/summary.ts';

/** The options of `fanout()`. */
export interface FanoutOptions extends RunSettings {
  /** Aborts the run: requests in flight are ended, and the loop over the results throws the reason. */
  readonly signal?: AbortSignal | undefined;
  /** Where HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are read, such as `process.env`. Default: nowhere. */
  readonly proxyEnvironment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Receives warnings that concern the whole run, such as a damaged journal. Default: they are dropped. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Fetches URLs in bulk and gives each result as it finishes.
 *
 * - `urls` is read only while the queue has room, so it may be endless.
 * - Every URL that was read ends in exactly one result. A failed one is a value with `ok: false`; nothing is thrown for it.
 * - A run that stops early (`deadline`, `failFast`) gives a result of kind `aborted` for each URL that was read and not
 *   fetched, with `attempts: 0` unless its request was cut off.
 * - The generator returns the summary: `const summary = yield* fanout(urls)`, or the `value` of the last `next()`.
 * - Leaving the loop ends all requests in flight.
 *
 *     for await (const result of fanout(['https://example.com/'], { concurrency: 8 })) {
 *       console.log(result.ok, result.status, result.url);
 *     }
 *
 * @throws UsageError at once if an option is wrong or `urls` is not a list; the loop throws a UsageError or OutputError if the journal or the
 * directory for bodies cannot be used
 */
export function fanout(
  // Not a string, which is iterable too.
  urls: (Iterable<JobItem> | AsyncIterable<JobItem>) & object,
  options: FanoutOptions = {},
): AsyncGenerator<Result, Summary, void> {
  requireItems(urls);
  checkCallerOptions(options);
  const { signal, proxyEnvironment = {}, onWarning = () => {}, ...settings } = options;
  const resolved = resolveRunOptions(settings, packageVersion());
  const network = {
    options: resolved,
    defaults: createRequestTemplate(resolved, undefined, resolved.netrc === true ? '' : resolved.netrc),
    tls: toTlsMaterial(resolved),
    proxies: toProxySettings(resolved, proxyEnvironment),
    clock: systemClock,
    random: Math.random,
    fileLimit: readFileLimit(),
    warn: onWarning,
  };
  return results({ urls, options: resolved, network, signal, warn: onWarning });
}

/** Throws a `UsageError` if an option that only the library has is of a wrong type. JavaScript may pass anything. */
function checkCallerOptions(options: unknown): asserts options is FanoutOptions {
  const refuse = (what: string, requirement: string) => {
    throw new UsageError(`invalid value for ${what}: must be ${requirement}`);
  };
  const type = describeType(options);
  if (typeof options !== 'object' || type !== 'an object') {
    return refuse('the options', `an object, such as { concurrency: 8 }, not ${type}`);
  }
  const { signal, proxyEnvironment, onWarning }: Readonly<Record<string, unknown>> = { ...options };
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse('option signal', 'an AbortSignal');
  if (proxyEnvironment !== undefined && (typeof proxyEnvironment !== 'object' || proxyEnvironment === null)) {
    refuse('option proxyEnvironment', 'an object of variables, such as process.env');
  }
  if (onWarning !== undefined && typeof onWarning !== 'function') refuse('option onWarning', 'a function');
}

interface LibraryRun {
  readonly urls: Iterable<JobItem> | AsyncIterable<JobItem>;
  readonly options: LibraryRunOptions;
  readonly network: Omit<RunParts, 'jobs'>;
  readonly signal: AbortSignal | undefined;
  readonly warn: (message: string) => void;
}

/** The run of one loop: journal, threads and order are those of the program. */
async function* results({
  urls,
  options,
  network,
  signal,
  warn,
}: LibraryRun): AsyncGenerator<Result, Summary, void> {
  signal?.throwIfAborted();
  const startedAt = systemClock.now();
  const fold = new SummaryFold();
  const reading = new AbortController();
  let run: Run | undefined;
  const fetchDocument: FetchDocument = (request) => {
    if (run === undefined) throw new TypeError('jobs are read before the run exists');
    return run.fetchDocument(request);
  };
  const source = readJobs({ urls, options, warn }, fetchDocument, reading.signal);
  const threads = await createThreads(options);
  const known = await openBaseline(options);
  const cookies = await openCookieFile(options);
  const streams = options.keepsStreams ? await BodyStreams.create() : undefined;
  const { refresh } = options;
  const files = typeof refresh === 'string' ? await EarlierFiles.read(refresh) : undefined;
  const journal = await openJournal(options, warn).catch(async (error: unknown) => {
    await streams?.close();
    throw error;
  });
  const window = options.ordered ? new OrderWindow<Result>(orderWindowSize(options)) : undefined;
  const abort = () => run?.abort('the signal of the caller was aborted');
  try {
    signal?.throwIfAborted();
    run = new Run({
      ...{ ...network, cookies: cookies?.jar },
      ...(streams && { options: { ...options, ...streams.options } }),
      ...(threads && { transport: threads }),
      jobs: known?.watch(source.jobs, options.method, false) ?? source.jobs,
      reportsUnfetched: true,
      ...(journal || files ? { recall: recallFrom(journal, files) } : {}),
      ...(known && { annotate: (result) => known.annotate(result) }),
      ...(window && { admit: (job) => window.admit(job.index) }),
      onStop: () => {
        reading.abort();
        window?.close();
      },
    });
    signal?.addEventListener('abort', abort, { once: true });
    const inOrder = window === undefined ? run.results() : sorted(run.results(), window);
    for await (const result of inOrder) {
      signal?.throwIfAborted();
      fold.add(result);
      const given = streams === undefined ? withBuffer(result) : await streams.open(result);
      yield given;
      // The caller is done with it.
      await journal?.write(given);
    }
    signal?.throwIfAborted();
    const { isReadToEnd: isListComplete, ...counts } = source.counts;
    Object.assign(fold, { ...counts, isListComplete });
    const summary = fold.summary(systemClock.now() - startedAt);
    checkBalance(summary);
    return summary;
  } finally {
    signal?.removeEventListener('abort', abort);
    run?.stop();
    reading.abort();
    await journal?.end();
    await cookies?.write();
    await streams?.close();
  }
}

/** The jobs of a list, and their counts so far. */
function readJobs(
  { urls, options: runOptions, warn }: Pick<LibraryRun, 'urls' | 'options' | 'warn'>,
  fetchDocument: FetchDocument,
  signal: AbortSignal,
) {
  const { unique, checkFragments, defaultScheme, method: defaultMethod, keeps } = runOptions;
  const counts: InputCounts & { isReadToEnd: boolean } = { read: 0, skipped: 0, isReadToEnd: false };
  const filter = createUrlFilter(runOptions);
  const keepsInput = keeps.includes('input');
  const remap = createRemap(runOptions.remap);
  const settings = { unique, keepsFragments: checkFragments, filter, remap, defaultScheme, defaultMethod };
  const options = { ...settings, keepsInput, parseExpectation, signal };
  async function* jobs(): AsyncGenerator<Iterable<Job>> {
    if (runOptions.extract) {
      const { baseUrl, rootDir } = runOptions;
      const documents = { ...options, baseUrl, rootDir, checksFragments: checkFragments, warn };
      yield* documentJobs(urls, documents, counts, fetchDocument);
    } else yield* readItems(urls, options, counts);
    if (!signal.aborted) counts.isReadToEnd = true;
  }
  return { counts, jobs: jobs() };
}

type FetchDocument = Run['fetchDocument'];

type LibraryDocuments = Omit<DocumentOptions & JobOptions, 'directory' | 'stdin' | 'fetchDocument'>;

/** The jobs for the links of documents, whose names are read to the end first. Their code is loaded on use. */
async function* documentJobs(
  items: LibraryRun['urls'],
  options: LibraryDocuments,
  counts: InputCounts,
  fetchDocument: FetchDocument,
): AsyncGenerator<Iterable<Job>> {
  const { checkRootDirectory, resolveDocuments } = await import('./documents/find-documents.ts');
  const { readDocumentJobs } = await import('./documents/read-documents.ts');
  const { rootDir, signal } = options;
  if (rootDir !== undefined) await checkRootDirectory(rootDir, 'option rootDir');
  const names: string[] = [];
  const given = Symbol.asyncIterator in items ? untilAborted(items, signal) : items;
  for await (const item of given) names.push(documentName(item));
  const directory = resolve('.');
  const inputs = await resolveDocuments(names, directory);
  const stdin = Readable.from([]); // no input is standard input
  const fetch = async (request: DocumentRequest) => toDocument(await fetchDocument(request));
  yield* readDocumentJobs(inputs, { ...options, directory, stdin, fetchDocument: fetch }, counts);
}

/** The name of a document. JavaScript may pass anything. */
function documentName(item: unknown): string {
  if (item instanceof URL) return item.href;
  if (typeof item === 'string' && item !== '' && item !== '-') return item;
  throw new UsageError(
    `cannot read ${typeof item === 'string' ? `"${item}"` : describeType(item)} as a document: with option extract, an item must be a file, a directory, a pattern or a URL`,
  );
}

/** Brings results into the order of their jobs. Those of a stopped run for which nothing was sent come last. */
async function* sorted(results: AsyncIterable<Result>, window: OrderWindow<Result>): AsyncGenerator<Result> {
  for await (const result of results) {
    if (isNotFetched(result) && result.attempts === 0) {
      yield* window.rest();
      yield result;
      continue;
    }
    window.put(result);
    for (let next = window.take(); next !== undefined; next = window.take()) yield next;
  }
  yield* window.rest();
}

/** Returns what fetches in several threads, or `undefined` for one thread. The code of threads is loaded on use. */
async function createThreads({ threads }: LibraryRunOptions) {
  if (threads === 1) return undefined;
  const { createThreads: create } = await import('./fetch/threads/threaded-transport.ts');
  return create({ threads, worker: new URL('./fetch/threads/worker.js', import.meta.url) });
}

/** Reads the file of `baseline`; its code is loaded on use. */
async function openBaseline({ baseline, deadline }: LibraryRunOptions): Promise<Baseline | undefined> {
  if (baseline === undefined) return undefined;
  const { readBaseline } = await import('./output/baseline-files.ts');
  const reading = { label: 'option baseline', deadlineMs: deadline, after: systemClock.after };
  return (await readBaseline(baseline, reading)).baseline;
}

/**
 * `body: 'stream'`: bodies go through files in a temporary directory, since an attempt that breaks off is repeated, and a
 * connection does not wait for the reader of its body.
 */
class BodyStreams {
  readonly #directory: string;
  #last: Readable | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(): Promise<BodyStreams> {
    return new BodyStreams(await mkdtemp(join(tmpdir(), 'fanout-')));
  }

  /** The options of a run that saves the bodies. */
  get options(): Pick<LibraryRunOptions, 'saveDir' | 'saveAs' | 'saveAll'> {
    return { saveDir: this.#directory, saveAs: [{ field: 'index' }], saveAll: true };
  }

  /** The result with a stream of its body instead of a file. Closes the previous stream, unless its reading has begun. */
  async open(result: Result): Promise<Result> {
    this.#closeUnread();
    if (result.isResumed || result.body?.path === undefined) return result;
    const { path, ...body } = result.body;
    const name = join(this.#directory, path);
    const file = await open(name);
    await unlink(name).catch(() => {}); // Windows keeps a file that is open until the directory is removed
    const stream = file.createReadStream();
    this.#last = stream;
    return { ...result, body: { ...body, stream } };
  }

  async close(): Promise<void> {
    this.#closeUnread();
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {});
  }

  #closeUnread(): void {
    const stream = this.#last;
    if (stream !== undefined && !stream.readableDidRead && stream.readableFlowing === null) stream.destroy();
    this.#last = undefined;
  }
}

/** A `Buffer` that comes from a thread is a `Uint8Array`. */
function withBuffer(result: Result): Result {
  const bytes: Uint8Array | undefined = result.body?.buffer;
  if (result.body === undefined || bytes === undefined || Buffer.isBuffer(bytes)) return result;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { ...result, body: { ...result.body, buffer } };
}

/** Opens the journal, whose code is loaded on use. */
async function openJournal(
  options: LibraryRunOptions,
  warn: (message: string) => void,
): Promise<Journal | undefined> {
  const { journal: path, journalAge, keepFailed, saveDir, refresh } = options;
  if (path === undefined) return undefined;
  const { isBodySaved, Journal } = await import('./journal/journal.ts');
  const confirm = saveDir === undefined ? undefined : (result: Result) => isBodySaved(result, saveDir);
  const rules = rulesOf(options);
  return Journal.open(path, {
    rules,
    keepFailed,
    maxAges: journalAge,
    refreshes: refresh === true,
    filter: createUrlFilter(options),
    confirm,
    warn,
    clock: systemClock,
    processes: process,
  });
}

/** A worker pool that ends the process with a message if `submit` waits and the results are never read. */
export class WorkerPool<J, R> extends BasePool<J, R> {
  constructor(options: WorkerPoolOptions<J, R>) {
    super(options, process);
  }
}
