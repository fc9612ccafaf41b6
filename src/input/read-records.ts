import type { Readable } from 'node:stream';
import type { Result } from '../model/result.ts';
import { decodeLine, type ShardSegment } from '../model/result-line.ts';
import { type Line, LineSplitter, type LongLine, type RawLine } from './line-splitter.ts';
import { readChunks } from './read-stream.ts';

/** The longest record that is read, in bytes: it may contain a whole body. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** A line that is not a result record. */
export interface InvalidRecord {
  readonly source: string;
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
  const decode = (line: Line): (Result | ShardSegment | InvalidRecord)[] => {
    number += 1;
    if (typeof line === 'string' && line.trim() === '') return [];
    const record = typeof line === 'string' ? decodeLine(line) : { broken: unreadable(line) };
    return ['broken' in record ? { source, line: number, broken: record.broken } : record];
  };
  for await (const chunk of readChunks(stream, source, signal)) yield splitter.push(chunk).flatMap(decode);
  // After an abort the rest of the last line may be missing.
  if (!signal?.aborted) yield splitter.end().flatMap(decode);
}

function unreadable(line: LongLine | RawLine): string {
  return 'bytes' in line ? 'it is not UTF-8' : 'it is too long';
}
