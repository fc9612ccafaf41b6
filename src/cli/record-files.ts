import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { ShardReader } from '../cluster/shards.ts';
import { readRecords } from '../input/read-records.ts';
import { openFile } from '../input/read-stream.ts';
import { InputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { describeSegment, type ShardSegment } from '../model/result-line.ts';

/** So many damaged lines are named. */
const NAMED = 10;

/** What reading records needs of the program. `-` is standard input. */
export interface RecordReading {
  readonly stdin: Readable;
  /** Takes messages about damaged lines. */
  warn(text: string): void;
  readonly signal?: AbortSignal;
  /** The directory of shards; that of the file if left out. */
  readonly shards?: string | undefined;
}

/** Throws an error for the first name that is no file that can be read, and for a second `-`. */
export async function checkRecordFiles(names: readonly string[]): Promise<void> {
  if (names.filter((name) => name === '-').length > 1) {
    throw new UsageError('Cannot read standard input twice: give - once');
  }
  for (const name of names) {
    const found = name === '-' ? undefined : await stat(name).catch(() => 'nothing' as const);
    const reason =
      found === 'nothing' ? 'there is no such file' : found?.isDirectory() ? 'it is a directory' : '';
    if (reason !== '') {
      throw new InputError(
        `Cannot read "${printable(name, 200)}": ${reason}; it must be a file of results, as fanout fetch --json writes them`,
      );
    }
  }
}

/**
 * Hands on every record of the files, one file after the other, and resolves to the number of lines that hold none, or the place
 * of records that cannot be read there. Throws an `InputError` when a file cannot be read.
 */
export async function forEachRecord(
  names: readonly string[],
  reading: RecordReading,
  take: (result: Result) => void | Promise<void>,
): Promise<number> {
  const { stdin, signal, warn } = reading;
  let damaged = 0;
  const tell = (text: string) => {
    damaged += 1;
    if (damaged <= NAMED) warn(text);
  };
  for (const name of names) {
    const stream = name === '-' ? stdin : await openFile(name, signal);
    for await (const records of readRecords(stream, name, signal)) {
      for (const record of records) {
        if ('broken' in record) tell(`${shown(name)}:${record.line} is no result record: ${record.broken}`);
        else if ('index' in record) {
          const taken = take(record);
          if (taken !== undefined) await taken;
        } else await forEachOf(record, { name, shards: reading.shards, tell }, take);
      }
      if (signal?.aborted) return damaged;
    }
  }
  if (damaged > NAMED) warn(`${damaged - NAMED} more lines are no result records`);
  return damaged;
}

interface FrameReading {
  readonly name: string;
  readonly shards: string | undefined;
  readonly tell: (text: string) => void;
}

async function forEachOf(
  frame: ShardSegment,
  { name, shards, tell }: FrameReading,
  take: (result: Result) => void | Promise<void>,
): Promise<void> {
  const reader = shardsOf(name, shards);
  const found = await reader.read(frame);
  if ('fault' in found) {
    return tell(
      `${shown(name)}: Cannot read ${describeSegment(frame)} in ${printable(reader.directory, 200)}: ${found.fault}`,
    );
  }
  for (const result of found) await take(result);
}

/** Where the shards of a manifest are: in the directory of `--shards`, or beside it. */
export function shardsOf(name: string, directory: string | undefined): ShardReader {
  if (directory !== undefined) return new ShardReader(directory);
  if (name !== '-') return new ShardReader(dirname(name));
  throw new UsageError('Cannot tell where the shards of standard input are: give --shards DIR, too');
}

function shown(name: string): string {
  return name === '-' ? 'standard input' : printable(name, 200);
}
