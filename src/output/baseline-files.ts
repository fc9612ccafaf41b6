import { stat } from 'node:fs/promises';
import { parseExpectation } from '../config/expectations.ts';
import type { Clock } from '../core/clock.ts';
import { type Line, LineSplitter } from '../input/line-splitter.ts';
import { jobText, parseLine, percentEncoded } from '../input/parse-job.ts';
import { openFile, readChunks } from '../input/read-stream.ts';
import { InputError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { encodeRecord } from '../model/record.ts';
import { isNotFetched, type Result } from '../model/result.ts';
import { decodeLine, describeSegment, type ShardSegment } from '../model/result-line.ts';
import { Baseline, type FlakyHistory } from '../results/history.ts';
import type { Sink } from '../results/sink.ts';
import type { AtomicFile } from './atomic-file.ts';
import { listLine } from './failed-list.ts';
import { escapeJson } from './jsonl.ts';

/** The longest line of a baseline: a record may contain a whole body. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** The largest baseline that is read, unpacked: about ten million records. */
const MAX_BASELINE_BYTES = 4 * 1024 ** 3;

interface BaselineFileOptions {
  /** Whether to write a list of URLs, as the old baseline is, instead of JSONL. */
  readonly asList: boolean;
  /** The method of a job that sets none. */
  readonly runMethod: string;
  /** Called at the end. The old baseline is kept if the run did not fetch the whole list. */
  readonly isComplete: () => boolean;
  /** Called at the end with the number of failures that were written; `undefined` if the old baseline was kept. */
  readonly onEnd?: (failures: number | undefined) => void;
}

/** `--update-baseline`: replaces the baseline with the failures of this run. */
export function baselineFileSink(file: AtomicFile, options: BaselineFileOptions): Sink {
  const { asList, runMethod, isComplete, onEnd } = options;
  let failures = 0;
  return {
    write(result) {
      if (result.ok || isNotFetched(result)) return undefined;
      failures += 1;
      const line = asList
        ? listLine(result, runMethod)
        : escapeJson(encodeRecord({ ...result, baseline: undefined }));
      return file.write(`${line}\n`);
    },
    async end() {
      const isWritten = isComplete();
      await (isWritten ? file.commit() : file.discard());
      onEnd?.(isWritten ? failures : undefined);
    },
  };
}

/** What was read from a baseline. */
export interface BaselineFile {
  readonly baseline: Baseline;
  /** Whether the file is a list of URLs; otherwise it is a JSONL result. */
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
 * Reads the failures of a JSONL result, with the shards beside it, or every URL of a list. The file may be a pipe, such as
 * `<(command)` of a shell.
 * With `mayBeMissing`, a file that does not exist is an empty baseline. Throws an `InputError` if it cannot be read, is damaged or
 * too large, or does not end before the deadline.
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
      urls += 1;
      baseline.addLine(parseLine(job, { parseExpectation }));
    }
  };
  const stop = new AbortController();
  const cancel = deadlineMs === undefined ? undefined : after(deadlineMs, () => stop.abort());
  let bytes = 0;
  try {
    for await (const chunk of readChunks(await openFile(path, stop.signal), path, stop.signal)) {
      for (const text of splitter.push(chunk)) await addLine(text);
      if (splitter.isTooLong) throw damaged(path, line + 1, 'it is too long');
      bytes += chunk.length;
      if (bytes > MAX_BASELINE_BYTES) throw refusal('it has more than 4 GiB');
    }
  } finally {
    cancel?.();
  }
  if (stop.signal.aborted) throw refusal('it did not end before the deadline of the run');
  for (const text of splitter.end()) await addLine(text);
  baseline.endRecords();
  return { baseline, isList: records === 0 && urls > 0 };
}

function damaged(path: string, line: number, reason: string): InputError {
  return new InputError(`${excerpt(path)}:${line} is not a result record: ${reason}`);
}

/** `--flaky-state FILE`: writes the number of consecutive bad runs per URL for the next run, one JSON object per line. */
export function flakyFileSink(file: AtomicFile, history: FlakyHistory, isComplete: () => boolean): Sink {
  return {
    write: () => undefined,
    async end() {
      for (const entry of history.entries(isComplete())) {
        await file.write(`${escapeJson(JSON.stringify(entry))}\n`);
      }
      await file.commit();
    },
  };
}
