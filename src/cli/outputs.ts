import { fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, relative, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { hasPrivateRecords, type ProgramOptions } from '../config/program-options.ts';
import { orderWindowSize } from '../config/run-options.ts';
import { systemClock } from '../core/clock.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';
import { type FailedRequest, type FailedResult, isShownQuietly, type Result } from '../model/result.ts';
import { hostKeys } from '../model/url.ts';
import { csvSink } from '../output/csv.ts';
import { failedListSink, failedRequest, toFailedRequest } from '../output/failed-list.ts';
import { runCountsText } from '../output/format.ts';
import { githubAnnotations } from '../output/github.ts';
import { jsonlSink } from '../output/jsonl.ts';
import { type LineOutput, LineWriter } from '../output/line-writer.ts';
import type { Progress, ProgressBar } from '../output/progress.ts';
import { summaryJsonSink, summaryTextSink } from '../output/run-summary.ts';
import { templateSink, textSink } from '../output/text.ts';
import { OrderWindow, orderedSink } from '../results/ordering.ts';
import type { Sink } from '../results/sink.ts';
import { createOutput, isStandardOutput } from './output-files.ts';
import type { Undo } from './signals.ts';
import { createMessages, createPaint, logsJson } from './terminal.ts';

/** How many of the headers that `--failed` leaves out are named. */
const NAMED_HEADERS = 5;

/** How many different names of such headers are remembered, so that a list with a new name in each job does not fill the memory. */
const MAX_OMITTED = 100;

const MAX_NAME_LENGTH = 50;

const NEVER = new Promise<void>(() => {});

export interface OutputParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly progress: () => Progress;
  /** Whether the list is typed on the terminal. */
  readonly isTyped?: boolean;
  /** Releases the outputs even if nobody reads them. */
  readonly signal: AbortSignal;
  /** Drops the summary; by default `signal` does. */
  readonly summarySignal?: AbortSignal;
  /** Brings results into input order for `--ordered`. If unset, a window does, which holds the producer back. */
  readonly order?: (sink: Sink) => Sink;
}

/** Where results and summary go. */
export interface Outputs {
  readonly sinks: readonly Sink[];
  /** Holds the producer back for `--ordered`. */
  readonly window: OrderWindow<Result> | undefined;
  /** To be started by the caller, once `progress` can be called. */
  readonly bar: ProgressBar | undefined;
  /** Must see the jobs of the run, for the list of `--failed`. */
  readonly requests: CustomRequests | undefined;
  /** Fulfilled when the reader of the results closes the pipe; otherwise it stays pending. */
  readonly readerGone: Promise<void>;
}

/**
 * Opens every output that the options name. Throws an `OutputError` if one cannot be opened. Each file is added to `undo` once
 * it is open, to be undone if the sinks are not ended: files then keep their old contents, and new ones are removed.
 */
export async function createOutputs(parts: OutputParts, undo: Undo): Promise<Outputs> {
  const { options, process } = parts;
  const openFile = async (path: string, isPrivate: boolean) => {
    const file = await createOutput(path, process, { isPrivate });
    if (!isStandardOutput(path)) undo.add(() => file.discard());
    return file;
  };
  const bar = hasBar(parts) ? await createBar(parts) : undefined;
  const hasWindow = options.ordered && parts.order === undefined;
  const window = hasWindow ? new OrderWindow<Result>(orderWindowSize(options)) : undefined;
  const results = await createResultOutput(parts, bar);
  if (results !== undefined && !isStandardOutput(options.output)) undo.add(() => results.discard());
  const requests = options.failed === undefined ? undefined : new CustomRequests();
  const sinks: Sink[] = [];
  if (results !== undefined) sinks.push(await createResultSink(results, parts, window));
  const failedList =
    requests && createFailedList(await openFile(options.failed ?? '', true), parts, requests);
  sinks.push(...(await createReports(parts, openFile)));
  if (options.checksums !== undefined && options.saveDir !== undefined) {
    const { Checksums } = await import('../output/checksums.ts');
    const checksums = await Checksums.open(options.checksums, options.saveDir);
    undo.add(() => checksums.discard());
    sinks.push(checksums);
  }
  if (bar !== undefined) sinks.push(bar);
  if (failedList !== undefined) sinks.push(failedList); // after the bar, because it may write a warning at its end
  // After the bar as well.
  if (options.headerFor.length > 0) {
    const { warn } = createMessages(process, { isSilent: options.silent });
    sinks.push(
      unusedHostsSink(
        options.headerFor.map(({ host }) => host),
        warn,
      ),
    );
  }
  if (!options.silent) sinks.push(await createSummarySink(parts));
  return { sinks, window, bar, requests, readerGone: results?.closed ?? NEVER };
}

/** Without `--progress`: only where nothing else is typed or written on the terminal of standard error. */
function hasBar({ options, process, isTyped = false }: OutputParts): boolean {
  if (options.silent || logsJson(process.stderr)) return false;
  if (options.progress !== undefined) return options.progress;
  const { stderr, stdout, env } = process;
  return isatty(stderr.fd) && !isTyped && !env.CI && env.TERM !== 'dumb' && !isPipe(stdout.fd);
}

/** A pipe may lead to a program that writes to the same terminal, such as `grep` or `less`. */
function isPipe(fd: number): boolean {
  const status = fstatSync(fd);
  return status.isFIFO() || status.isSocket();
}

// The bar and its library are loaded on use: most runs in scripts have none.
async function createBar({ process, progress }: OutputParts): Promise<ProgressBar> {
  const { ProgressBar } = await import('../output/progress.ts');
  const { stderr, env } = process;
  return new ProgressBar(stderr, progress, systemClock.now, { isDumb: env.TERM === 'dumb' });
}

async function createResultOutput(
  { options, process, signal }: OutputParts,
  bar: ProgressBar | undefined,
): Promise<LineWriter | undefined> {
  const isOnStandardOutput = isStandardOutput(options.output);
  if (isOnStandardOutput && options.silent) return undefined;
  // The bar gives way to each write on the terminal that shows both.
  const hooks =
    bar !== undefined && isOnStandardOutput && isatty(process.stdout.fd)
      ? { beforeWrite: bar.clear, afterWrite: bar.redraw }
      : {};
  return createOutput(options.output, process, { signal, isPrivate: hasPrivateRecords(options), ...hooks });
}

async function createResultSink(
  output: LineOutput,
  parts: OutputParts,
  window: OrderWindow<Result> | undefined,
): Promise<Sink> {
  const { options, order, process } = parts;
  const formatted = await createFormatSink(output, parts);
  // On a terminal, results from the journal were shown before; a file or another program gets all of them.
  const isWatched =
    options.format === 'text' && isStandardOutput(options.output) && isatty(process.stdout.fd);
  const fetched = isWatched ? filterSink(formatted, ({ isResumed }) => !isResumed) : formatted;
  const isQuiet = options.quiet && options.format === 'text';
  const shown = isQuiet ? filterSink(fetched, isShownQuietly) : fetched;
  const filtered = options.onlyFailures ? filterSink(shown, ({ ok }) => !ok) : shown;
  if (options.ordered && order !== undefined) return order(filtered);
  return window === undefined ? filtered : orderedSink(filtered, window);
}

async function createFormatSink(output: LineOutput, { options, process }: OutputParts): Promise<Sink> {
  switch (options.format) {
    case 'jsonl':
      return jsonlSink(output);
    case 'csv':
      return csvSink(output, options.keeps);
    case 'text': {
      if (options.template !== undefined) return templateSink(output, options.template);
      const isTerminal = isStandardOutput(options.output) && isatty(process.stdout.fd);
      return textSink(output, await createPaint(options.color, isTerminal, process.env));
    }
  }
}

/** A sink that passes on the results for which this is true. */
export function filterSink(sink: Sink, isPassed: (result: Result) => boolean): Sink {
  return {
    write: (result) => (isPassed(result) ? sink.write(result) : undefined),
    end: (summary) => sink.end(summary),
  };
}

/** `--failed`: at its end, a warning names the headers that the list leaves out. */
function createFailedList(
  output: LineOutput,
  { options, process }: OutputParts,
  requests: CustomRequests,
): Sink {
  const { failed: path = '', method, silent } = options;
  const list = failedListSink(output, method, (result) => requests.find(result));
  return {
    write(result) {
      const written = list.write(result);
      requests.drop(result.index);
      return written;
    },
    async end(summary) {
      await list.end(summary);
      const { omittedHeaders, tooLarge } = requests;
      if (silent) return;
      const file = `"${excerpt(path)}"`;
      const { warn } = createMessages(process);
      if (omittedHeaders !== '') {
        warn(
          `${file} does not contain headers that may be secret; pass them again with -H: ${omittedHeaders}`,
        );
      }
      if (tooLarge > 0) {
        warn(
          `${file} has only the URL, method and id of ${tooLarge} jobs: the rest of them did not fit into a message of the broker`,
        );
      }
    },
  };
}

/** `--header-for`: at the end of a whole list, warns of hosts that no URL has, since they are most likely misspelt. */
export function unusedHostsSink(hosts: Iterable<string>, warn: (message: string) => void): Sink {
  const unused = new Set(hosts);
  return {
    write({ url, finalUrl = url, redirects }) {
      if (unused.size === 0) return;
      for (const one of [url, finalUrl, ...redirects.map((redirect) => redirect.url)]) {
        for (const key of hostKeys(one)) unused.delete(key);
      }
    },
    end({ read, notFetched, isListComplete }) {
      if (read === 0 || notFetched > 0 || !isListComplete) return;
      for (const host of unused) warn(`no URL has the host "${host}" of --header-for`);
    },
  };
}

/** Creates the reports of `--report` and, in GitHub Actions, annotations and job summary. Throws an `OutputError` for a `--report` only. */
async function createReports(
  { options, process }: OutputParts,
  openFile: (path: string, isPrivate: boolean) => Promise<LineOutput>,
): Promise<readonly Sink[]> {
  const sinks: Sink[] = [];
  for (const { kind, file } of options.report ?? []) {
    // The other kinds have no records.
    const isPrivate = kind === 'json' && hasPrivateRecords(options);
    const { reportSink } = await import('../output/reports/report-sink.ts');
    sinks.push(reportSink(kind, await openFile(file, isPrivate), tmpdir()));
  }
  if (process.env.GITHUB_ACTIONS !== 'true') return sinks;
  if (!options.silent && !logsJson(process.stderr)) sinks.push(createAnnotations(process));
  return [...sinks, ...(await createJobSummary(process))];
}

function createAnnotations({ stderr, env, cwd }: NodeJS.Process): Sink {
  const output = new LineWriter(stderr, { name: 'standard error', keepOpen: true });
  const root = env.GITHUB_WORKSPACE ?? cwd();
  return githubAnnotations(output, (source) => {
    if (source === '-' || source === 'arguments') return undefined;
    const path = relative(root, resolve(source));
    return path.startsWith('..') || isAbsolute(path) ? undefined : path.replaceAll('\\', '/');
  });
}

// No flag asks for this summary, so the run goes on without it if it cannot be written.
async function createJobSummary({ stderr, env }: NodeJS.Process): Promise<readonly Sink[]> {
  const file = env.GITHUB_STEP_SUMMARY;
  if (file === undefined || file === '') return [];
  try {
    const stream = (await open(file, 'a')).createWriteStream();
    const { markdownReport } = await import('../output/reports/markdown.ts');
    return [markdownReport(new LineWriter(stream, { name: file }))];
  } catch {
    createMessages({ stderr }).warn('cannot write the job summary to the file of GITHUB_STEP_SUMMARY');
    return [];
  }
}

async function createSummarySink(parts: OutputParts): Promise<Sink> {
  const { options, process, signal, summarySignal = signal } = parts;
  if (logsJson(process.stderr)) return loggedSummarySink(process);
  const kept = { name: 'standard error', keepOpen: true, signal: summarySignal };
  const output = new LineWriter(process.stderr, kept);
  if (options.summary === 'json') return summaryJsonSink(output);
  const isTerminal = isatty(process.stderr.fd);
  const paint = await createPaint(options.color, isTerminal, process.env);
  return summaryTextSink(output, paint, {
    repeatsFailures: isTerminal && !options.quiet,
    saveDir: options.saveDir,
    omitsEmpty: !options.allowEmpty,
  });
}

/** The summary as a line of `--log json`. */
function loggedSummarySink(process: NodeJS.Process): Sink {
  return {
    write: () => undefined,
    end(summary) {
      const { note } = createMessages(process);
      note(`Done: ${runCountsText(summary)}`, { summary });
    },
  };
}

/**
 * Remembers headers, body, `save` and `expect` of the jobs in flight, so that the list of `--failed` repeats them.
 * A job without any of these takes no memory. Headers that may be secret are left out, and their names are collected.
 */
export class CustomRequests {
  readonly #jobs = new Map<number, Job>();
  readonly #omitted = new Set<string>();
  #tooLarge = 0;

  /** Passes the batches on, and remembers each job as it is read. */
  async *watch(batches: AsyncIterable<Iterable<Job>>): AsyncGenerator<Iterable<Job>> {
    for await (const batch of batches) yield this.#remember(batch);
  }

  /** What the list repeats of a failed job, or `undefined`: of a job that was read here, or else of one that a worker has sent. */
  find({ index, request }: Pick<FailedResult, 'index' | 'request'>): FailedRequest | undefined {
    const job = this.#jobs.get(index);
    const found = job === undefined ? toFailedRequest(request) : failedRequest(job);
    for (const name of found?.omitted ?? []) if (this.#omitted.size < MAX_OMITTED) this.#omitted.add(name);
    if (found?.isTooLarge) this.#tooLarge += 1;
    return found;
  }

  /** Forgets a job that has its result. */
  drop(index: number): void {
    this.#jobs.delete(index);
  }

  /** The names of the headers that were left out: the first 5, and the number of the others. */
  get omittedHeaders(): string {
    const names = [...this.#omitted].sort().map((name) => excerpt(name, MAX_NAME_LENGTH));
    const rest = names.length - NAMED_HEADERS;
    return rest > 0 ? `${names.slice(0, NAMED_HEADERS).join(', ')} and ${rest} more` : names.join(', ');
  }

  /** The number of jobs of which a worker could not send what the list repeats. */
  get tooLarge(): number {
    return this.#tooLarge;
  }

  *#remember(batch: Iterable<Job>): Generator<Job> {
    for (const job of batch) {
      if (isCustom(job)) this.#jobs.set(job.index, job);
      yield job;
    }
  }
}

function isCustom({ headers, body, save, expect, given }: Job): boolean {
  return [headers, body, save, expect, given].some((value) => value !== undefined);
}
