import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { openShardReader } from '../cluster/shard-bucket.ts';
import type { ShardReader } from '../cluster/shards.ts';
import { classifyInput, foreignFormat, quotedInputName } from '../input/input.ts';
import { type Line, LineSplitter, type LongLine, type RawLine } from '../input/line-splitter.ts';
import { openFile, readChunks } from '../input/read-stream.ts';
import { InputError, UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { decodeLine, describeSegment, type ShardSegment } from '../model/result-line.ts';

/** How many damaged lines are reported one by one. */
const REPORTED_LINES = 10;

/** The longest record that is read, in bytes: it may contain a whole body. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** How much of the first line shows what a file is. */
const MAX_FIRST = 4096;

export interface RecordOptions {
  /** Read for the name `-`. */
  readonly stdin: Readable;
  /** Receives messages about damaged lines. */
  readonly onDamage: (message: string) => void;
  readonly signal?: AbortSignal;
  /** The directory or bucket of shards; the directory of the file if unset. */
  readonly shards?: string | undefined;
}

/** Throws an error for the first name that is not a readable file, and for a second `-`. */
export async function checkRecordFiles(names: readonly string[]): Promise<void> {
  if (names.filter((name) => name === '-').length > 1) {
    throw new UsageError('standard input can be read only once: give - once');
  }
  for (const name of names) {
    if (name === '-') continue;
    const status = await stat(name).catch(() => undefined);
    if (status !== undefined && !status.isDirectory()) continue;
    const reason = status === undefined ? 'no such file' : 'is a directory';
    throw new InputError(
      `cannot read "${excerpt(name)}": ${reason} (expected results of fanout fetch --json)`,
    );
  }
}

/**
 * Reads the files one after the other and calls `onResult` for each record. Resolves to the number of damaged lines, which are
 * lines without a record, and segments of shards that cannot be read. Throws an `InputError` if a file cannot be read, or is clearly
 * something else than results, such as a report.
 */
export async function forEachRecord(
  names: readonly string[],
  { stdin, onDamage, signal, shards }: RecordOptions,
  onResult: (result: Result) => void | Promise<void>,
): Promise<number> {
  let damaged = 0;
  for (const name of names) {
    const lines = new DamagedLines(name, onDamage);
    let reader: ShardReader | undefined;
    const stream = name === '-' ? stdin : await openFile(name, signal);
    for await (const records of readRecords(stream, name, signal)) {
      for (const record of records) {
        if ('broken' in record) {
          refuseForeignFile(record, name);
          lines.add(`${displayName(name)}:${record.line} is not a result record: ${record.broken}`);
        } else if ('index' in record) {
          lines.foundRecord();
          const accepted = onResult(record);
          if (accepted !== undefined) await accepted;
        } else {
          lines.foundRecord();
          reader ??= await createShardReader(name, shards);
          const found = await reader.read(record);
          if ('fault' in found) {
            lines.add(
              `${displayName(name)}: cannot read ${describeSegment(record)} in ${excerpt(reader.place)}: ${found.fault}`,
            );
          } else {
            for (const result of found) await onResult(result);
          }
        }
      }
      if (signal?.aborted) return damaged + lines.count;
    }
    lines.end();
    damaged += lines.count;
  }
  return damaged;
}

/** Throws an `InputError` if the first line shows what the file is instead of results. */
function refuseForeignFile({ first }: InvalidRecord, name: string): void {
  if (first === undefined) return;
  const format = describeForeign(first);
  if (format === undefined) return;
  throw new InputError(
    `cannot read ${quotedInputName(name)} as results: it is ${format}; name the JSONL file of "fanout fetch -o results.jsonl"`,
  );
}

function describeForeign(first: string): string | undefined {
  if (first.startsWith('{"v":1,"findings":')) return 'a JSON report, which does not have all results';
  if (first.startsWith('{"v":1,"differences":')) return 'the output of "fanout diff"';
  if (first.startsWith('{"v":')) return undefined; // it is damaged
  if (/^index,source,line,/.test(first)) return 'results as CSV';
  const format = foreignFormat([first])?.replace(/;.*/, '');
  if (format === 'a baseline') return 'a baseline of --update-baseline';
  if (format !== undefined) return format === 'a result file' ? 'results as text' : format;
  return classifyInput(first).kind === 'url' ? 'a list of URLs' : undefined;
}

/** Reports the damaged lines of one file: the first ten of them, or only that a longer file has no record at all. */
class DamagedLines {
  readonly #name: string;
  readonly #report: (message: string) => void;
  #pending: string[] = [];
  #hasRecords = false;
  count = 0;

  constructor(name: string, report: (message: string) => void) {
    this.#name = name;
    this.#report = report;
  }

  add(message: string): void {
    this.count += 1;
    if (this.count > REPORTED_LINES) return;
    if (this.#hasRecords) this.#report(message);
    else this.#pending.push(message);
  }

  foundRecord(): void {
    this.#hasRecords = true;
    this.#flush();
  }

  #flush(): void {
    for (const message of this.#pending.splice(0)) this.#report(message);
  }

  end(): void {
    if (!this.#hasRecords && this.count >= REPORTED_LINES) {
      this.#report(`${displayName(this.#name)} does not look like results of fanout fetch --json`);
    } else if (this.count > REPORTED_LINES) {
      this.#report(
        `${displayName(this.#name)}: ${this.count - REPORTED_LINES} more lines are not result records`,
      );
    } else this.#flush();
  }
}

/** Reads the shards of a results file from the place of `--store` or, if that is unset, from beside the file. */
export async function createShardReader(name: string, place: string | undefined): Promise<ShardReader> {
  if (place !== undefined) return openShardReader(place);
  if (name !== '-') return openShardReader(dirname(name));
  throw new UsageError('cannot find the shards of standard input: name their directory with --store');
}

function displayName(name: string): string {
  return name === '-' ? 'standard input' : excerpt(name);
}

/** A line that is not a result record. */
interface InvalidRecord {
  readonly source: string;
  /** The start of the line, of the first line that is not blank. */
  readonly first?: string;
  /** From 1. */
  readonly line: number;
  /** Why it is not a record. */
  readonly broken: string;
}

/**
 * Yields the result records of a JSONL stream and the segments of a manifest, those of one chunk at a time. Skips
 * blank lines.
 * - A line that is neither becomes an `InvalidRecord`.
 * - Throws an `InputError` that names the source if it cannot be read.
 */
export async function* readRecords(
  stream: Readable,
  source: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly (Result | ShardSegment | InvalidRecord)[], void, undefined> {
  const splitter = new LineSplitter(MAX_RECORD_BYTES);
  let number = 0;
  let isFirst = true;
  const decode = (line: Line): (Result | ShardSegment | InvalidRecord)[] => {
    number += 1;
    if (typeof line === 'string' && line.trim() === '') return [];
    const first = isFirst && typeof line === 'string' ? { first: line.trim().slice(0, MAX_FIRST) } : {};
    isFirst = false;
    const record = typeof line === 'string' ? decodeLine(line) : { broken: unreadable(line) };
    return ['broken' in record ? { source, line: number, broken: record.broken, ...first } : record];
  };
  for await (const chunk of readChunks(stream, source, signal)) yield splitter.push(chunk).flatMap(decode);
  // After an abort the rest of the last line may be missing.
  if (!signal?.aborted) yield splitter.end().flatMap(decode);
}

function unreadable(line: LongLine | RawLine): string {
  return 'bytes' in line ? 'it is not UTF-8' : 'it is too long';
}
