import { isatty } from 'node:tty';
import { OrderWindow } from '../collect/order-window.ts';
import { ordered } from '../collect/ordered.ts';
import type { Sink } from '../collect/sink.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Result } from '../model/result.ts';
import type { Progress } from '../sinks/bar-line.ts';
import { csvSink } from '../sinks/csv.ts';
import { fresh } from '../sinks/fresh.ts';
import { jsonlSink } from '../sinks/jsonl.ts';
import { type LineOutput, LineWriter } from '../sinks/line-writer.ts';
import { openOutputFile, openStandardOutput } from '../sinks/output-stream.ts';
import type { ProgressBar } from '../sinks/progress.ts';
import { quiet } from '../sinks/quiet.ts';
import { summaryJsonSink } from '../sinks/summary-json.ts';
import { summaryTextSink } from '../sinks/summary-text.ts';
import { textSink } from '../sinks/text.ts';
import { systemClock } from '../system-clock.ts';
import { openFailedList } from './open-failed-list.ts';
import { openReports } from './open-reports.ts';
import { OwnRequests } from './own-requests.ts';
import { paintFor } from './paint-for.ts';

export interface OutputParts {
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
  const { ProgressBar } = await import('../sinks/progress.ts');
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
