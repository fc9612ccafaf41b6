import type { Readable } from 'node:stream';
import type { Result } from '../model/result.ts';
import { decodeLine, type ShardSegment } from '../model/result-line.ts';
import { type Line, LineSplitter } from './line-splitter.ts';
import { readChunks } from './read-stream.ts';

/** A line that holds no result record. */
export interface InvalidRecord {
  readonly source: string;
  /** From 1. */
  readonly line: number;
  readonly broken: string;
}

/** The longest record that is read: it may hold a whole body. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/**
 * The result records of a JSONL stream, and the frames of a manifest, those of one chunk at a time; blank lines are skipped.
 * - A line that holds none is given out as such, and reading goes on.
 * - Throws an `InputError` that names the source when it cannot be read.
 */
export async function* readRecords(
  stream: Readable,
  source: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly (Result | ShardSegment | InvalidRecord)[], void, undefined> {
  const splitter = new LineSplitter(MAX_RECORD_BYTES);
  let line = 0;
  const decode = (text: Line): (Result | ShardSegment | InvalidRecord)[] => {
    line += 1;
    if (typeof text === 'string' && text.trim() === '') return [];
    const record = typeof text === 'string' ? decodeLine(text) : { broken: 'it is too long' };
    return ['broken' in record ? { source, line, broken: record.broken } : record];
  };
  for await (const chunk of readChunks(stream, source, signal)) yield splitter.push(chunk).flatMap(decode);
  // What was read of a line when the signal came is no line.
  if (!signal?.aborted) yield splitter.end().flatMap(decode);
}
