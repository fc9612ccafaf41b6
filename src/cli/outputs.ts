import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, relative, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { requestOf } from '../cluster/job-codec.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import { isHarmlessHeader } from '../config/secrets.ts';
import { systemClock } from '../core/clock.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { csvSink } from '../output/csv.ts';
import { failedListSink } from '../output/failed-list.ts';
import { githubAnnotations } from '../output/github.ts';
import { jsonlSink } from '../output/jsonl.ts';
import { type LineOutput, LineWriter, openOutputFile, openStandardOutput } from '../output/line-writer.ts';
import type { Progress, ProgressBar } from '../output/progress.ts';
import { summaryJsonSink, summaryTextSink } from '../output/run-summary.ts';
import { textSink } from '../output/text.ts';
import { OrderWindow, ordered } from '../results/ordering.ts';
import type { Sink } from '../results/sink.ts';
import { paintFor } from './context.ts';

/** Passes on what this run has fetched, without what the journal had already. */
function fresh(sink: Sink): Sink {
  return {
    write: (result) => (result.isResumed ? undefined : sink.write(result)),
    end: (summary) => sink.end(summary),
  };
}

/** `--quiet`: hands on the failures alone. */
export function quiet(sink: Sink): Sink {
  return {
    write: (result) => (result.ok ? undefined : sink.write(result)),
    end: (summary) => sink.end(summary),
  };
}

/** So many headers that are left out are named. */
const NAMED = 5;

/**
 * What the jobs under way say of their requests beside URL, method and id, so that the list of `--failed` asks for the same.
 * Headers that may be secret are left out, and their names kept. Nothing is held of a job that is a URL alone.
 */
export class OwnRequests {
  readonly #jobs = new Map<number, Job>();
  readonly #leftOut = new Set<string>();

  /** The same batches; each job is remembered as it is read. */
  async *watch(batches: AsyncIterable<Iterable<Job>>): AsyncGenerator<Iterable<Job>> {
    for await (const batch of batches) yield this.#remembered(batch);
  }

  /** Headers, body, `save` and `expect` of a job as an input has them; `undefined` when there are none. */
  find(index: number): object | undefined {
    const job = this.#jobs.get(index);
    if (job === undefined) return undefined;
    const harmless = Object.entries(job.headers ?? {}).filter(([name]) => this.#isShown(name));
    const { headers: _, ...more } = job;
    const shown = harmless.length === 0 ? more : { ...more, headers: Object.fromEntries(harmless) };
    return hasMore(shown) ? requestOf(shown) : undefined;
  }

  /** Lets go of a job that has its result. */
  drop(index: number): void {
    this.#jobs.delete(index);
  }

  /** The names of headers that were left out: all, or some and how many more. */
  get leftOut(): string {
    const names = [...this.#leftOut].sort();
    const rest = names.length - NAMED;
    return rest > 0 ? `${names.slice(0, NAMED).join(', ')} and ${rest} more` : names.join(', ');
  }

  *#remembered(batch: Iterable<Job>): Generator<Job> {
    for (const job of batch) {
      if (hasMore(job)) this.#jobs.set(job.index, job);
      yield job;
    }
  }

  #isShown(name: string): boolean {
    if (isHarmlessHeader(name)) return true;
    // A list in which each job has a header of its own must not fill the memory.
    if (this.#leftOut.size < 100) this.#leftOut.add(name);
    return false;
  }
}

function hasMore({ headers, body, save, expect }: Job): boolean {
  return headers !== undefined || body !== undefined || save !== undefined || expect !== undefined;
}

interface FailedListParts {
  readonly path: string;
  readonly options: ProgramOptions;
  /** What the jobs say of their requests. */
  readonly requests: OwnRequests;
  warn(text: string): void;
}

/** Opens the list of `--failed`, which tells at its end what is missing in it. */
async function openFailedList({ path, options, requests, warn }: FailedListParts): Promise<Sink> {
  const output = new LineWriter(await openOutputFile(path), { name: path });
  const list = failedListSink(output, options.method, ({ index }) => requests.find(index));
  return {
    write(result) {
      const written = list.write(result);
      requests.drop(result.index);
      return written;
    },
    async end(summary) {
      await list.end(summary);
      const { leftOut } = requests;
      if (leftOut === '') return;
      const file = JSON.stringify(path);
      warn(`fanout: ${file} lacks headers of its jobs that may be secret, give them again: ${leftOut}\n`);
    },
  };
}

/**
 * Opens the files of `--report`, and in a step of GitHub Actions the annotations and the summary of the job. Throws an
 * `OutputError` when a file of `--report` cannot be opened.
 */
async function openReports(options: ProgramOptions, process: NodeJS.Process): Promise<readonly Sink[]> {
  const sinks: Sink[] = [];
  for (const { kind, file } of options.report ?? []) {
    const { reportSink } = await import('../output/reports/report-sink.ts');
    sinks.push(reportSink(kind, new LineWriter(await openOutputFile(file), { name: file }), tmpdir()));
  }
  if (process.env.GITHUB_ACTIONS !== 'true') return sinks;
  if (!options.silent) sinks.push(annotations(process));
  return [...sinks, ...(await jobSummary(process))];
}

function annotations({ stderr, env, cwd }: NodeJS.Process): Sink {
  const output = new LineWriter(stderr, { name: 'standard error', keepOpen: true });
  const root = env.GITHUB_WORKSPACE ?? cwd();
  return githubAnnotations(output, (source) => {
    if (source === '-' || source === 'arguments') return undefined;
    const path = relative(root, resolve(source));
    return path.startsWith('..') || isAbsolute(path) ? undefined : path.replaceAll('\\', '/');
  });
}

/** Nobody asked for it by a flag, so a summary that cannot be written is no reason to end the run. */
async function jobSummary({ stderr, env }: NodeJS.Process): Promise<readonly Sink[]> {
  const file = env.GITHUB_STEP_SUMMARY;
  if (file === undefined || file === '') return [];
  try {
    const stream = (await open(file, 'a')).createWriteStream();
    const { markdownReport } = await import('../output/reports/markdown.ts');
    return [markdownReport(new LineWriter(stream, { name: file }))];
  } catch {
    stderr.write(
      'fanout: Cannot write to the file of GITHUB_STEP_SUMMARY: there is no summary of this run\n',
    );
    return [];
  }
}

interface OutputParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly progress: () => Progress;
  /** Lets go of outputs that nobody reads. */
  readonly signal: AbortSignal;
  /** What brings the results into input order under `--ordered`, in place of a window that holds the producer back. */
  readonly order?: (sink: Sink) => Sink;
}

/** Where results and summary go. */
export interface Outputs {
  readonly sinks: readonly Sink[];
  /** Holds the producer back under `--ordered`. */
  readonly window: OrderWindow<Result> | undefined;
  readonly bar: ProgressBar | undefined;
  /** Wants to know of the requests of the jobs, for the list of failed URLs. */
  readonly requests: OwnRequests | undefined;
  /** Fulfilled when the reader of the results has gone away. */
  readonly closed: Promise<void>;
}

const NEVER = new Promise<void>(() => {});

/** Opens every output that the options name. Throws an OutputError when one cannot be opened. */
export async function openOutputs(parts: OutputParts): Promise<Outputs> {
  const { options } = parts;
  const bar = hasBar(parts) ? await makeBar(parts) : undefined;
  const hasWindow = options.ordered && parts.order === undefined;
  const window = hasWindow ? new OrderWindow<Result>(options.queue + options.concurrency) : undefined;
  const sinks: Sink[] = [];
  const results = await openResults(parts, bar);
  if (results !== undefined) sinks.push(await resultSink(results, parts, window));
  const requests = options.failed === undefined ? undefined : new OwnRequests();
  const failed = requests && (await failedList(parts, requests));
  sinks.push(...(await openReports(options, parts.process)));
  if (bar !== undefined) sinks.push(bar);
  if (failed) sinks.push(failed); // the bar has ended when it warns
  if (!options.silent) sinks.push(await summarySink(parts));
  bar?.start();
  return { sinks, window, bar, requests, closed: results?.closed ?? NEVER };
}

function failedList({ options, process }: OutputParts, requests: OwnRequests): Promise<Sink> {
  const { failed: path = '' } = options;
  const warn = (text: string) => void (options.silent || process.stderr.write(text));
  return openFailedList({ path, options, requests, warn });
}

/** The bar and its library are loaded on use: most runs in scripts have none. */
async function makeBar({ process, progress }: OutputParts): Promise<ProgressBar> {
  const { ProgressBar } = await import('../output/progress.ts');
  return new ProgressBar(process.stderr, progress, systemClock.now);
}

function hasBar({ options, process }: OutputParts): boolean {
  if (options.silent) return false;
  return options.progress ?? (isatty(2) && !process.env.CI);
}

async function openResults(
  parts: OutputParts,
  bar: ProgressBar | undefined,
): Promise<LineWriter | undefined> {
  const { options, process, signal } = parts;
  const { output } = options;
  if (output !== undefined && output !== '-') {
    return new LineWriter(await openOutputFile(output), { name: output, signal });
  }
  if (options.silent) return undefined;
  // Lines on the terminal that shows the bar take its place for a moment.
  const hooks = bar !== undefined && isatty(1) ? { beforeWrite: bar.clear, afterWrite: bar.redraw } : {};
  const stream = isatty(1) ? process.stdout : openStandardOutput(1, process.stdout);
  return new LineWriter(stream, { name: 'standard output', keepOpen: true, signal, ...hooks });
}

async function resultSink(
  output: LineOutput,
  parts: OutputParts,
  window: OrderWindow<Result> | undefined,
): Promise<Sink> {
  const { options } = parts;
  const formatted = await formatSink(output, parts);
  // A person who looks on has seen what the journal has; a file and another program get all of it.
  const isWatched = options.format === 'text' && options.output === undefined && isatty(1);
  const wanted = isWatched ? fresh(formatted) : formatted;
  const filtered = options.quiet ? quiet(wanted) : wanted;
  if (options.ordered && parts.order !== undefined) return parts.order(filtered);
  return window === undefined ? filtered : ordered(filtered, window);
}

async function formatSink(output: LineOutput, { options, process }: OutputParts): Promise<Sink> {
  switch (options.format) {
    case 'jsonl':
      return jsonlSink(output);
    case 'csv':
      return csvSink(output);
    case 'text':
      return textSink(
        output,
        await paintFor(options.color, options.output === undefined && isatty(1), process.env),
      );
  }
}

async function summarySink({ options, process, signal }: OutputParts): Promise<Sink> {
  const output = new LineWriter(process.stderr, { name: 'standard error', keepOpen: true, signal });
  if (options.summary === 'json') return summaryJsonSink(output);
  return summaryTextSink(output, await paintFor(options.color, isatty(2), process.env));
}
