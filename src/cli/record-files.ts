import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { ShardReader } from '../cluster/shards.ts';
import { readRecords } from '../input/read-records.ts';
import { openFile } from '../input/read-stream.ts';
import { InputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { describeSegment } from '../model/result-line.ts';

/** How many damaged lines are reported one by one. */
const REPORTED_LINES = 10;

export interface RecordOptions {
  /** Read for the name `-`. */
  readonly stdin: Readable;
  /** Receives messages about damaged lines. */
  readonly warn: (message: string) => void;
  readonly signal?: AbortSignal;
  /** The directory of shards; that of the file if unset. */
  readonly shards?: string | undefined;
}

/** Throws an error for the first name that is not a readable file, and for a second `-`. */
export async function checkRecordFiles(names: readonly string[]): Promise<void> {
  if (names.filter((name) => name === '-').length > 1) {
    throw new UsageError('Cannot read standard input twice: give - once');
  }
  for (const name of names) {
    if (name === '-') continue;
    const status = await stat(name).catch(() => undefined);
    if (status !== undefined && !status.isDirectory()) continue;
    const reason = status === undefined ? 'there is no such file' : 'it is a directory';
    throw new InputError(
      `Cannot read "${printable(name, 200)}": ${reason}; it must be a file of results, as fanout fetch --json writes them`,
    );
  }
}

/**
 * Reads the files one after the other and calls `onResult` for each record. Resolves to the number of damaged lines, which are
 * lines without a record, and segments of shards that cannot be read. Throws an `InputError` if a file cannot be read.
 */
export async function forEachRecord(
  names: readonly string[],
  { stdin, warn, signal, shards }: RecordOptions,
  onResult: (result: Result) => void | Promise<void>,
): Promise<number> {
  let damaged = 0;
  const report = (message: string) => {
    damaged += 1;
    if (damaged <= REPORTED_LINES) warn(message);
  };
  for (const name of names) {
    const stream = name === '-' ? stdin : await openFile(name, signal);
    for await (const records of readRecords(stream, name, signal)) {
      for (const record of records) {
        if ('broken' in record) {
          report(`${displayName(name)}:${record.line} is no result record: ${record.broken}`);
        } else if ('index' in record) {
          const accepted = onResult(record);
          if (accepted !== undefined) await accepted;
        } else {
          const reader = createShardReader(name, shards);
          const found = await reader.read(record);
          if ('fault' in found) {
            report(
              `${displayName(name)}: Cannot read ${describeSegment(record)} in ${printable(reader.directory, 200)}: ${found.fault}`,
            );
          } else {
            for (const result of found) await onResult(result);
          }
        }
      }
      if (signal?.aborted) return damaged;
    }
  }
  if (damaged > REPORTED_LINES) warn(`${damaged - REPORTED_LINES} more lines are no result records`);
  return damaged;
}

/** Reads the shards of a results file from the directory of `--shards` or, if that is unset, from beside the file. */
export function createShardReader(name: string, directory: string | undefined): ShardReader {
  if (directory !== undefined) return new ShardReader(directory);
  if (name !== '-') return new ShardReader(dirname(name));
  throw new UsageError('Cannot tell where the shards of standard input are: give --shards DIR, too');
}

function displayName(name: string): string {
  return name === '-' ? 'standard input' : printable(name, 200);
}
