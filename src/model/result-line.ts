import { decodeRecord, RECORD_VERSION } from './record.ts';
import type { Result } from './result.ts';

/** The results of one chunk that stand in another file, a shard: where they are, and how many. */
export interface ShardSegment {
  readonly chunk: number;
  /** The name of the file, without a directory. */
  readonly shard: string;
  /** Where it begins in the file, and its length there. */
  readonly offset: number;
  readonly bytes: number;
  /** In lower-case hex, of these bytes. */
  readonly sha256: string;
  readonly count: number;
  /** The lowest index of its results. */
  readonly first: number;
  readonly ok: number;
  readonly failed: number;
  readonly worker: string;
}

/** The longest frame, and the most characters of its records. */
export const MAX_SEGMENT_BYTES = 128 * 1024 ** 2;

/** A frame as one line of JSON without its newline: a line of a manifest. */
export function encodeSegment(frame: ShardSegment): string {
  const { chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker } = frame;
  return JSON.stringify({
    v: RECORD_VERSION,
    ...{ chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker },
  });
}

/** The frame that a line holds, the reason why it is none, or `undefined` when it does not look like one at all. */
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
  const wrong = KEYS.find(([key, isRight]) => !isRight(fields[key]));
  if (wrong !== undefined) return { broken: `its "${wrong[0]}" is missing or wrong` };
  // Each key has been checked just above, which the compiler cannot follow.
  const { chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker } =
    fields as unknown as ShardSegment;
  if (ok + failed !== count) return { broken: 'its "ok" and "failed" do not add up to its "count"' };
  return { chunk, shard, offset, bytes, sha256, count, first, ok, failed, worker };
}

/** A frame for messages. */
export function describeSegment({ chunk, shard, offset }: ShardSegment): string {
  return `the results of chunk ${chunk} at ${offset} of ${shard}`;
}

// Plain file names alone: whoever may write to the broker must not choose what the collector reads.
const SHARD = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}\.jsonl\.gz$/;
const WORKER = /^[\w.-]{1,150}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Whether a shard may be called so. */
export function isShardName(name: string): boolean {
  return SHARD.test(name);
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

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

/** The lines of a text one after the other: an array of all of them would be far larger than a text of many newlines. */
export function* eachLine(text: string): Generator<string, void, undefined> {
  let start = 0;
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
    yield text.slice(start, end);
    start = end + 1;
  }
  yield text.slice(start);
}

/** What a line of a file of results holds: a result, the place of those of a whole chunk, or why it is neither. */
export function decodeLine(line: string): Result | ShardSegment | { readonly broken: string } {
  const record = decodeRecord(line);
  return 'broken' in record ? (decodeSegment(line) ?? record) : record;
}

/**
 * The results of several lines, the last of which may end in a newline, or `undefined` when one of them holds none, or there are
 * more than `most`.
 */
export function decodeRecords(text: string, most = Number.POSITIVE_INFINITY): readonly Result[] | undefined {
  const results: Result[] = [];
  const lines = text.endsWith('\n') ? text.slice(0, -1) : text;
  for (const line of eachLine(lines)) {
    const result = decodeRecord(line);
    if ('broken' in result || results.length >= most) return undefined;
    results.push(result);
  }
  return results;
}
