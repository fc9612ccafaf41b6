import { decodeRecord, isCount, RECORD_VERSION } from './record.ts';
import type { Result } from './result.ts';

/** The results of one chunk that are stored in another file, a shard: their place and their number. */
export interface ShardSegment {
  readonly chunk: number;
  /** Name of the shard file, without a directory. */
  readonly shard: string;
  /** Start in the shard, in bytes. */
  readonly offset: number;
  /** Length in the shard, in bytes. */
  readonly bytes: number;
  /** Hash of these bytes, in lower-case hex. */
  readonly sha256: string;
  readonly count: number;
  /** The lowest index of its results. */
  readonly first: number;
  readonly ok: number;
  readonly failed: number;
  readonly worker: string;
}

/** Maximum length of a segment in bytes, and of its records in characters. */
export const MAX_SEGMENT_BYTES = 128 * 1024 ** 2;

/** Decodes a line of a result file: a result, a segment, or why it is neither. */
export function decodeLine(line: string): Result | ShardSegment | { readonly broken: string } {
  const record = decodeRecord(line);
  return 'broken' in record ? (decodeSegment(line) ?? record) : record;
}

/**
 * Decodes several lines of records; the last may end in a newline. `undefined` if a line is not a record, or if there are more
 * than `max`.
 */
export function decodeRecords(text: string, max = Number.POSITIVE_INFINITY): readonly Result[] | undefined {
  const results: Result[] = [];
  const lines = text.endsWith('\n') ? text.slice(0, -1) : text;
  for (const line of eachLine(lines)) {
    const result = decodeRecord(line);
    if ('broken' in result || results.length >= max) return undefined;
    results.push(result);
  }
  return results;
}

/** Yields the lines of a text one by one. An array of them would be far larger than a text with many newlines. */
export function* eachLine(text: string): Generator<string, void, undefined> {
  let start = 0;
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
    yield text.slice(start, end);
    start = end + 1;
  }
  yield text.slice(start);
}

/** Encodes a segment as one line of JSON without its newline, a line of a manifest. */
export function encodeSegment(segment: ShardSegment): string {
  const { chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker } = segment;
  return JSON.stringify({
    v: RECORD_VERSION,
    ...{ chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker },
  });
}

/** Decodes a segment, or reports why it is invalid; `undefined` if the line does not look like a segment. */
export function decodeSegment(line: string): ShardSegment | { readonly broken: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const fields: Readonly<Record<string, unknown>> = { ...Object(value) };
  if (fields.v !== RECORD_VERSION || fields.shard === undefined || fields.index !== undefined)
    return undefined;
  const invalid = KEYS.find(([key, isValid]) => !isValid(fields[key]));
  if (invalid !== undefined) return { broken: `its "${invalid[0]}" is missing or wrong` };
  // Each key was checked above, which the compiler cannot follow.
  const { chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker } =
    fields as unknown as ShardSegment;
  if (ok + failed !== count) return { broken: 'its "ok" and "failed" do not add up to its "count"' };
  return { chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker };
}

/** Names a segment in messages. */
export function describeSegment({ chunk, shard, offset }: ShardSegment): string {
  return `the results of chunk ${chunk} at ${offset} of ${shard}`;
}

/** Whether this is a valid name of a shard file. */
export function isShardName(name: string): boolean {
  return SHARD_NAME.test(name);
}

// Only plain file names: a client of the broker must not choose which file the collector reads.
const SHARD_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}\.jsonl\.gz$/;
const WORKER = /^[\w.-]{1,150}$/;
const SHA256 = /^[0-9a-f]{64}$/;

const SHAPES: Readonly<Record<keyof ShardSegment, (value: unknown) => boolean>> = {
  chunk: isCount,
  shard: (value) => typeof value === 'string' && isShardName(value),
  offset: (value) => isCount(value) && Number(value) <= Number.MAX_SAFE_INTEGER - MAX_SEGMENT_BYTES,
  bytes: (value) => isCount(value) && Number(value) > 0 && Number(value) <= MAX_SEGMENT_BYTES,
  sha256: (value) => typeof value === 'string' && SHA256.test(value),
  count: (value) => isCount(value) && Number(value) > 0,
  first: isCount,
  ok: isCount,
  failed: isCount,
  worker: (value) => typeof value === 'string' && WORKER.test(value),
};

const KEYS = Object.entries(SHAPES);
