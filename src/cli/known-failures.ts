import { gunzipSync } from 'node:zlib';
import type { ProgramOptions } from '../config/program-options.ts';
import { systemClock } from '../core/clock.ts';
import { readOwnFile } from '../core/own-file.ts';
import { errorCode, InputError, systemReason } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { excerpt, printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { AtomicFile } from '../output/atomic-file.ts';
import {
  type BaselineOutcome,
  baselineFileSink,
  flakyFileSink,
  readBaseline,
} from '../output/baseline-files.ts';
import { isGzipName } from '../output/output-file.ts';
import { type FlakyEntry, FlakyHistory } from '../results/history.ts';
import type { Sink } from '../results/sink.ts';
import { createShardReader } from './record-files.ts';
import type { Undo } from './signals.ts';

/** The largest file of `--flaky-state` that is read, packed and unpacked: a few million failed URLs. */
const MAX_STATE_BYTES = 256 * 1024 * 1024;

/** Failures that earlier runs had: those of `--baseline`, and those counted in `--flaky-state`. */
export interface KnownFailures {
  /** Adds to a result whether its failure is known, fixed or flaky. To be called once for each result. */
  readonly annotate: (result: Result) => Result;
  /** The same for a result that is read again: `--ordered` with a broker. Counts nothing a second time. */
  readonly annotateAgain: (result: Result) => Result;
  /** Passes the jobs on, to count those that share method and URL. To be called with every job that is read. */
  readonly watch: (jobs: AsyncIterable<Iterable<Job>>) => AsyncIterable<Iterable<Job>>;
  /** Write what the next run needs to know. */
  readonly sinks: readonly Sink[];
  /** What happened to the file of `--update-baseline`, once its sink has ended. */
  readonly outcome: () => string | undefined;
  /** Why failures may be called new that are known, once all results are annotated. */
  readonly doubt: () => string | undefined;
}

const NONE: KnownFailures = {
  annotate: (result) => result,
  annotateAgain: (result) => result,
  watch: (jobs) => jobs,
  sinks: [],
  outcome: () => undefined,
  doubt: () => undefined,
};

/**
 * Reads the files of `--baseline` and `--flaky-state`, and opens those that replace them. Each is added to `undo`, to be discarded
 * if the sinks are not ended.
 * `isComplete` is called at the end: whether the run came to the end of its list. Throws an `InputError` or `OutputError`.
 */
export async function createKnownFailures(
  options: ProgramOptions,
  isComplete: () => boolean,
  undo: Undo,
): Promise<KnownFailures> {
  const baseline = await createBaseline(options, isComplete, undo);
  const flaky = await createFlakyHistory(options, isComplete, undo);
  const parts = [baseline, flaky];
  return {
    annotate: (result) => parts.reduce((annotated, part) => part.annotate(annotated), result),
    annotateAgain: (result) => parts.reduce((annotated, part) => part.annotateAgain(annotated), result),
    watch: baseline.watch,
    sinks: parts.flatMap(({ sinks }) => sinks),
    outcome: baseline.outcome,
    doubt: baseline.doubt,
  };
}

async function createBaseline(
  options: ProgramOptions,
  isComplete: () => boolean,
  undo: Undo,
): Promise<KnownFailures> {
  const { baseline: path, updateBaseline, method, deadline: deadlineMs } = options;
  if (path === undefined) return NONE;
  // Opened first: what cannot be replaced, such as a pipe, is not read.
  const file = updateBaseline ? await AtomicFile.open(path) : undefined;
  undo.add(() => file?.discard());
  const { baseline, isList } = await readBaseline(path, {
    label: '--baseline',
    mayBeMissing: updateBaseline,
    hint: ' (create it with --update-baseline)',
    deadlineMs,
    after: systemClock.after,
    readSegment: async (segment) => (await createShardReader(path, undefined)).read(segment),
  });
  const annotate = (result: Result) => baseline.annotate(result);
  const compared: KnownFailures = {
    ...{ ...NONE, annotate, annotateAgain: annotate },
    watch: (jobs) => baseline.watch(jobs, method, updateBaseline),
    doubt: () => (baseline.isUnsure ? doubtText(path) : undefined),
  };
  if (file === undefined) return compared;
  let outcome: string | undefined;
  const onEnd = (written: BaselineOutcome | undefined) => {
    outcome = baselineOutcome(path, written);
  };
  const sink = baselineFileSink(file, { baseline, asList: isList, runMethod: method, isComplete, onEnd });
  return { ...compared, sinks: [sink], outcome: () => outcome };
}

function doubtText(path: string): string {
  return `jobs that share a URL cannot be told apart in ${JSON.stringify(printable(path, 200))}, so their failures count as new: give each job an "id" and update the baseline`;
}

function baselineOutcome(path: string, written: BaselineOutcome | undefined): string {
  const file = JSON.stringify(printable(path, 200));
  if (written === undefined) return `left ${file} as it was, because the run was cut short`;
  const { failures, kept } = written;
  const old = kept === 0 ? '' : `, ${kept} of them kept for URLs that are not in this list`;
  return `wrote ${failures} ${failures === 1 ? 'failure' : 'failures'} to ${file}${old}; the next run counts ${failures === 1 ? 'it' : 'them'} as known`;
}

async function createFlakyHistory(
  options: ProgramOptions,
  isComplete: () => boolean,
  undo: Undo,
): Promise<KnownFailures> {
  const { flakyAfter, flakyState, ordered, broker } = options;
  if (flakyAfter === undefined || flakyState === undefined) return NONE;
  const history = new FlakyHistory(flakyAfter, await readFlakyRuns(flakyState));
  const file = await AtomicFile.open(flakyState);
  undo.add(() => file.discard());
  const sinks = [flakyFileSink(file, history, isComplete)];
  const annotate = (result: Result) => history.annotate(result);
  return ordered && broker !== undefined
    ? { ...NONE, ...rememberCounts(annotate), sinks }
    : { ...NONE, annotate, sinks };
}

// Counting a result that is read again would count its URL twice, so the first count is remembered. The memory grows with
// the number of failed URLs, as that of the history does.
function rememberCounts(
  annotate: KnownFailures['annotate'],
): Pick<KnownFailures, 'annotate' | 'annotateAgain'> {
  const counts = new Map<number, number>();
  return {
    annotate(result) {
      const annotated = annotate(result);
      if (annotated.badRuns !== undefined) counts.set(annotated.index, annotated.badRuns);
      return annotated;
    },
    annotateAgain(result) {
      const badRuns = counts.get(result.index);
      return badRuns === undefined ? result : { ...result, badRuns };
    },
  };
}

/** Reads what an earlier run wrote to `--flaky-state`, one JSON object per line; nothing if there is no file yet. */
async function readFlakyRuns(path: string): Promise<readonly FlakyEntry[]> {
  const text = await readStateFile(path);
  return text
    .split('\n')
    .flatMap((line, index) =>
      line.trim() === '' ? [] : [parseFlakyRun(line, `${excerpt(path)}:${index + 1}`)],
    );
}

async function readStateFile(path: string): Promise<string> {
  try {
    const bytes = await readOwnFile(path, MAX_STATE_BYTES);
    const options = { maxOutputLength: MAX_STATE_BYTES };
    return (isGzipName(path) ? gunzipSync(bytes, options) : bytes).toString();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw new InputError(`cannot read --flaky-state "${excerpt(path)}": ${printable(systemReason(error))}`);
  }
}

function parseFlakyRun(line: string, place: string): FlakyEntry {
  const value = parseJson(line);
  if (isFlakyRun(value)) return value;
  throw new InputError(`${place} is not a line of --flaky-state (remove the file to start over)`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFlakyRun(value: unknown): value is FlakyEntry {
  if (typeof value !== 'object' || value === null) return false;
  if (!('method' in value && 'url' in value && 'badRuns' in value)) return false;
  const hasTexts = typeof value.method === 'string' && typeof value.url === 'string';
  const hasId = !('id' in value) || typeof value.id === 'string';
  return hasTexts && hasId && Number.isSafeInteger(value.badRuns) && Number(value.badRuns) > 0;
}
