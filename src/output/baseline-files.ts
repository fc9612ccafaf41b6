import { stat } from 'node:fs/promises';
import { parseExpectation } from '../config/expectations.ts';
import type { Clock } from '../core/clock.ts';
import { foreignFormat } from '../input/input.ts';
import { type Line, LineSplitter } from '../input/line-splitter.ts';
import { jobText, parseLine, percentEncoded } from '../input/parse-job.ts';
import { openFile, readChunks } from '../input/read-stream.ts';
import { InputError } from '../model/errors.ts';
import { FAILURE_KINDS } from '../model/failure.ts';
import { excerpt } from '../model/printable.ts';
import { isCount } from '../model/record.ts';
import { type FailedResult, isNotFetched, type Result } from '../model/result.ts';
import { decodeLine, describeSegment, type ShardSegment } from '../model/result-line.ts';
import { Baseline, type FailureFields, type FlakyHistory, type KnownFailure } from '../results/history.ts';
import type { Sink } from '../results/sink.ts';
import type { AtomicFile } from './atomic-file.ts';
import { listLine } from './failed-list.ts';
import { escapeJson } from './jsonl.ts';

/** The longest line of a baseline: a record may contain a whole body. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** The largest baseline that is read, unpacked: about ten million records. */
const MAX_BASELINE_BYTES = 4 * 1024 ** 3;

/** How a new baseline was written. */
export interface BaselineOutcome {
  /** Its failures. */
  readonly failures: number;
  /** Those of them that are from the old baseline, since this run did not have their URLs. */
  readonly kept: number;
}

interface BaselineFileOptions {
  /** The old baseline, with which the results were compared. */
  readonly baseline: Baseline;
  /** Whether to write a list of URLs, as the old baseline is. */
  readonly asList: boolean;
  /** The method of a job that sets none. */
  readonly runMethod: string;
  /** Called at the end. The old baseline is kept if the run did not fetch the whole list. */
  readonly isComplete: () => boolean;
  /** Called at the end; with `undefined` if the old baseline was kept. */
  readonly onEnd?: (outcome: BaselineOutcome | undefined) => void;
}

type Failed = FailureFields & Pick<FailedResult, 'input'>;

/**
 * `--update-baseline`: replaces the baseline with the failures of this run, and with the old ones whose URLs this run did not
 * have. The lines are sorted and say nothing of times, so that they change only where a failure does. O(failures) in memory.
 */
export function baselineFileSink(file: AtomicFile, options: BaselineFileOptions): Sink {
  const { baseline, isComplete, onEnd } = options;
  const failed: Failed[] = [];
  return {
    write(result) {
      if (result.ok || isNotFetched(result)) return;
      const { index, url, input, method, id, failure, status } = result;
      failed.push({ index, url, input, method, id, failure, status });
    },
    async end() {
      if (!isComplete()) {
        await file.discard();
        onEnd?.(undefined);
        return;
      }
      const own = new Set(failed.map((result) => baselineLine(failureOf(result, options), options)));
      const all = new Set(own);
      for (const failure of baseline.unseen()) all.add(baselineLine(failure, options));
      for (const line of [...all].sort()) await file.write(`${line}\n`);
      await file.commit();
      onEnd?.({ failures: all.size, kept: all.size - own.size });
    },
  };
}

function failureOf(result: Failed, { baseline, asList }: BaselineFileOptions): KnownFailure {
  const failure = baseline.failureOf(result);
  // The `url` of an invalid line is made printable, which may be another URL.
  return asList && failure.kind === 'invalid' ? { ...failure, url: result.input ?? result.url } : failure;
}

/** One line of a baseline, without its newline. With the URL first, sorted lines are sorted by URL. */
function baselineLine(
  { url, method, id, occurrence, kind, status }: KnownFailure,
  { asList, runMethod }: BaselineFileOptions,
): string {
  if (asList && occurrence === undefined) return listLine({ url, method, id }, runMethod);
  return escapeJson(JSON.stringify({ url, method, id, occurrence, kind, status }));
}

/** What was read from a baseline. */
export interface BaselineFile {
  readonly baseline: Baseline;
  /** Whether the file is a list of URLs; otherwise it has results, or the failures of `--update-baseline`. */
  readonly isList: boolean;
}

interface BaselineReading {
  /** The option that names the file, in errors. */
  readonly label: string;
  readonly mayBeMissing?: boolean;
  /** Added to the error of a missing file. */
  readonly hint?: string;
  /** The time in ms that the reading may take. */
  readonly deadlineMs: number | undefined;
  readonly after: Clock['after'];
  /** Reads results that are in a shard beside the file. */
  readonly readSegment?: (segment: ShardSegment) => Promise<readonly Result[] | { readonly fault: string }>;
}

/**
 * Reads the failures that `--update-baseline` wrote, those of a JSONL result, with the shards beside it, or every URL of a list. The file may be a pipe, such as
 * `<(command)` of a shell.
 * With `mayBeMissing`, a file that does not exist is an empty baseline. Throws an `InputError` if it cannot be read, is none of these,
 * is damaged or too large, or does not end before the deadline.
 */
export async function readBaseline(
  path: string,
  { label, mayBeMissing = false, hint = '', deadlineMs, after, readSegment }: BaselineReading,
): Promise<BaselineFile> {
  const baseline = new Baseline();
  const refusal = (reason: string) => new InputError(`cannot read ${label} "${excerpt(path)}": ${reason}`);
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) {
    if (mayBeMissing) return { baseline, isList: false };
    throw refusal(`no such file${hint}`);
  }
  // A device may never end.
  if (!status.isFile() && !status.isFIFO() && !status.isDirectory()) {
    throw refusal('it is not a regular file or a pipe');
  }
  const splitter = new LineSplitter(MAX_RECORD_BYTES);
  let line = 0;
  let records = 0;
  let urls = 0;
  let texts = 0;
  let plausible = 0;
  const add = (record: Result): void => baseline.addRecord(record);
  const addLine = async (read: Line): Promise<void> => {
    line += 1;
    if (typeof read !== 'string' && 'start' in read) throw damaged(path, line, 'it is too long');
    const text = typeof read === 'string' ? read : percentEncoded(read);
    const job = jobText(text);
    if (text.startsWith('{"v":')) {
      records += 1;
      const record = decodeLine(text);
      if ('broken' in record) throw damaged(path, line, record.broken);
      if ('index' in record) return add(record);
      const found = (await readSegment?.(record)) ?? { fault: 'results in shards cannot be read here' };
      if ('fault' in found) throw damaged(path, line, `${describeSegment(record)}: ${found.fault}`);
      found.forEach(add);
    } else if (job !== undefined) {
      const failure = decodeFailure(job);
      if (failure !== undefined && 'broken' in failure) throw damaged(path, line, failure.broken);
      if (failure !== undefined) {
        records += 1;
        baseline.addFailure(failure);
        return;
      }
      const { url, method, id, invalid } = parseLine(job, { parseExpectation });
      urls += 1;
      texts += 1;
      // A list of --failed has invalid lines too, but hardly one with several words.
      if (invalid === undefined || !/\s/.test(job)) plausible += 1;
      baseline.addFailure({ url, method, id });
    }
  };
  const addLines = async (lines: readonly Line[]): Promise<void> => {
    const format = line === 0 ? foreignBaseline(lines) : undefined;
    if (format !== undefined) throw refusal(`it looks like ${format}; ${BASELINE_FORMS}`);
    for (const read of lines) await addLine(read);
  };
  const stop = new AbortController();
  const cancel = deadlineMs === undefined ? undefined : after(deadlineMs, () => stop.abort());
  let bytes = 0;
  try {
    for await (const chunk of readChunks(await openFile(path, stop.signal), path, stop.signal)) {
      await addLines(splitter.push(chunk));
      if (splitter.isTooLong) throw damaged(path, line + 1, 'it is too long');
      bytes += chunk.length;
      if (bytes > MAX_BASELINE_BYTES) throw refusal('it has more than 4 GiB');
    }
  } finally {
    cancel?.();
  }
  if (stop.signal.aborted) throw refusal('it did not end before the deadline of the run');
  await addLines(splitter.end());
  if (records === 0 && texts > 0 && plausible === 0)
    throw refusal(`no line is a URL or a result; ${BASELINE_FORMS}`);
  baseline.endRecords();
  return { baseline, isList: records === 0 && urls > 0 };
}

/** What the first lines look like if they are no baseline. */
function foreignBaseline(lines: readonly Line[]): string | undefined {
  const [first] = lines.filter((read) => typeof read !== 'string' || read.trim() !== '');
  const format = foreignFormat(lines);
  const isRecord = typeof first === 'string' && /^\{"v":\d+,"(?:index|chunk)"/.test(first);
  const name = format?.replace(/;.*/, '');
  return isRecord || name === 'a baseline' ? undefined : name;
}

const FAILURE_SHAPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  method: (value) => typeof value === 'string',
  id: (value) => value === undefined || typeof value === 'string',
  occurrence: (value) => value === undefined || isCount(value),
  kind: (value) => FAILURE_KINDS.some((kind) => kind === value),
  status: (value) => value === undefined || isCount(value),
};

/** Decodes a line that `baselineFileSink` wrote; `undefined` for a URL or a job, which have no `kind` and `occurrence`. */
function decodeFailure(text: string): KnownFailure | { readonly broken: string } | undefined {
  if (!text.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const fields: Readonly<Record<string, unknown>> = { ...Object(value) };
  if (typeof fields.url !== 'string' || (fields.kind === undefined && fields.occurrence === undefined))
    return undefined;
  const wrong = Object.entries(FAILURE_SHAPES).find(([key, isValid]) => !isValid(fields[key]));
  if (wrong !== undefined) return { broken: `its "${wrong[0]}" is missing or wrong` };
  const { url, method, id, occurrence, kind, status } = fields;
  // Each key was checked above, which the compiler cannot follow.
  return { url, method, id, occurrence, kind, status } as KnownFailure;
}

const BASELINE_FORMS = 'a baseline is what --update-baseline writes, JSONL results, or a list of URLs';

function damaged(path: string, line: number, reason: string): InputError {
  return new InputError(`${excerpt(path)}:${line} is not a result record: ${reason}`);
}

/** `--flaky-state FILE`: writes the number of consecutive bad runs per URL for the next run, one JSON object per line. */
export function flakyFileSink(file: AtomicFile, history: FlakyHistory, isComplete: () => boolean): Sink {
  return {
    write: () => undefined,
    async end() {
      const lines = Array.from(history.entries(isComplete()), (entry) => escapeJson(JSON.stringify(entry)));
      for (const line of lines.sort()) await file.write(`${line}\n`);
      await file.commit();
    },
  };
}
