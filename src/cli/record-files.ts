import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { openFile } from '../input/open-file.ts';
import { readRecords } from '../input/read-records.ts';
import { InputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';

/** So many damaged lines are named. */
const NAMED = 10;

/** What reading records needs of the program. `-` is standard input. */
export interface RecordReading {
  readonly stdin: Readable;
  /** Takes messages about damaged lines. */
  warn(text: string): void;
  readonly signal?: AbortSignal;
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
 * Hands on every record of the files, one file after the other, and resolves to the number of lines that hold none.
 * Throws an `InputError` when a file cannot be read.
 */
export async function forEachRecord(
  names: readonly string[],
  reading: RecordReading,
  take: (result: Result) => void | Promise<void>,
): Promise<number> {
  const { stdin, signal, warn } = reading;
  let damaged = 0;
  for (const name of names) {
    const stream = name === '-' ? stdin : await openFile(name, signal);
    for await (const records of readRecords(stream, name, signal)) {
      for (const record of records) {
        if ('broken' in record) {
          damaged += 1;
          if (damaged <= NAMED) warn(`${shown(name)}:${record.line} is no result record: ${record.broken}`);
          continue;
        }
        const taken = take(record);
        if (taken !== undefined) await taken;
      }
      if (signal?.aborted) return damaged;
    }
  }
  if (damaged > NAMED) warn(`${damaged - NAMED} more lines are no result records`);
  return damaged;
}

function shown(name: string): string {
  return name === '-' ? 'standard input' : printable(name, 200);
}
