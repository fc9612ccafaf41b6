import { gzipSync } from 'node:zlib';
import { OutputError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { encodeRecord } from '../model/record.ts';
import type { FailedRequest, FailedResult, Result } from '../model/result.ts';
import {
  decodeRecords,
  describeSegment,
  encodeSegment,
  MAX_SEGMENT_BYTES,
  type ShardSegment,
} from '../model/result-line.ts';
import { pause } from './broker-connection.ts';
import { type Commit, unpackText } from './chunk.ts';
import type { SegmentFault, ShardReader, ShardWriter } from './shards.ts';

/** Bytes of a message that are reserved for its headers. */
export const HEADER_BYTES = 4096;

/** The longest text that results are unpacked to. */
export const MAX_TEXT_BYTES = 512 * 1024 ** 2;

/** The pauses between reads of a segment that is missing: a network file system may show new data late. */
const RETRY_PAUSES_MS: readonly number[] = [200, 400, 800, 1600];

/** How many unreadable segments of a shard get a warning of their own. */
const MAX_WARNINGS = 3;

/** The results of a chunk, as its worker has them. */
interface ChunkResults {
  readonly chunk: number;
  readonly results: readonly Result[];
  readonly worker: string;
}

/**
 * The commit of a chunk. With `shards` the results are written there first, and the commit says where; without, the
 * commit holds them, and is at most `maxBytes` with its headers. Throws an `OutputError` when the shard cannot be written.
 */
export async function createCommit(
  { chunk, results, worker }: ChunkResults,
  target: { readonly maxBytes: number; readonly shards?: Pick<ShardWriter, 'append'> | undefined },
): Promise<Commit> {
  const { maxBytes, shards } = target;
  const count = results.length;
  const ok = results.filter((result) => result.ok).length;
  const about = { chunk, ok, failed: count - ok, worker };
  if (shards === undefined) {
    return { kind: 'results', ...about, body: packResults(results, maxBytes - HEADER_BYTES) };
  }
  // The body of a request may be a secret.
  const isPrivate = results.some(({ request }) => request !== undefined);
  const place = await shards.append(packResults(results, MAX_SEGMENT_BYTES), { isPrivate });
  const first = results.reduce((lowest, { index }) => Math.min(lowest, index), Number.POSITIVE_INFINITY);
  const segment = { ...place, ...about, count, first };
  return { kind: 'segment', ...about, body: Buffer.from(encodeSegment(segment)) };
}

/**
 * Packs results into one gzip member of at most `maxBytes`, one line each, ordered by index. If they do not fit, first the
 * requests of failed jobs are left out, and then the largest results are replaced by failures that say so. The text has at most
 * `MAX_SEGMENT_BYTES` characters.
 */
export function packResults(unsorted: readonly Result[], maxBytes: number): Uint8Array {
  return pack(unsorted, maxBytes, tooLarge).body;
}

/** Packs those of the results that fit into `maxBytes`, as `packResults` does: the largest ones may be left out. */
export function packFitting(unsorted: readonly Result[], maxBytes: number): Packed {
  return pack(unsorted, maxBytes, () => undefined);
}

interface Packed {
  readonly count: number;
  readonly body: Uint8Array;
}

function pack(unsorted: readonly Result[], maxBytes: number, replacementOf: typeof tooLarge): Packed {
  const results = unsorted.toSorted((a, b) => a.index - b.index);
  const whole = packLines(
    results.map((result) => encodeWith(result, result.request)),
    maxBytes,
  );
  if (whole !== undefined) return whole;
  const lines: string[] = results.map((result) => encodeWith(result, result.request && { isTooLarge: true }));
  const bySize = [...lines.keys()].sort((a, b) => (lines[b]?.length ?? 0) - (lines[a]?.length ?? 0));
  for (let replaced = 0, count = 1; ; replaced = count, count *= 2) {
    const packed = packLines(lines, replaced >= lines.length ? Number.POSITIVE_INFINITY : maxBytes);
    if (packed !== undefined) return packed;
    for (const at of bySize.slice(replaced, count)) {
      const result = results[at];
      const replacement = result && replacementOf(result, lines[at]?.length ?? 0, maxBytes);
      lines[at] = replacement === undefined ? '' : encodeRecord(replacement);
    }
  }
}

/** A record with what the list of `--failed` repeats of its job. */
function encodeWith(result: Result, request: FailedRequest | undefined): string {
  const record = encodeRecord(result);
  return request === undefined ? record : `${record.slice(0, -1)},"request":${JSON.stringify(request)}}`;
}

/** Packs the lines that are not empty; `undefined` if they are too long. */
function packLines(lines: readonly string[], maxBytes: number): Packed | undefined {
  const kept = lines.filter((line) => line !== '');
  const length = kept.reduce((sum, line) => sum + line.length + 1, 0);
  if (length > MAX_SEGMENT_BYTES && maxBytes !== Number.POSITIVE_INFINITY) return undefined;
  const body = gzipSync(`${kept.join('\n')}\n`, { level: 1 });
  return body.length <= maxBytes ? { count: kept.length, body } : undefined;
}

function tooLarge(result: Result, characters: number, maxBytes: number): FailedResult | undefined {
  const { index, source, line, url, method, attempts, startedAt, durationMs, totalMs, worker } = result;
  const message = `its record of ${characters} characters does not fit: all results of a chunk may have ${maxBytes} bytes`;
  return {
    index,
    source,
    line,
    url: url.slice(0, 2000),
    method,
    ok: false,
    attempts,
    redirects: [],
    bytes: result.bytes,
    truncated: result.truncated,
    startedAt,
    durationMs,
    totalMs,
    failure: { kind: 'write', code: 'ERR_RECORD_SIZE', message },
    worker,
  };
}

/**
 * The results in a message, ordered by index. `undefined` when any of them is damaged or out of order, or there are more than
 * `maxCount`.
 */
export function unpackResults(
  body: Uint8Array,
  maxCount = Number.POSITIVE_INFINITY,
): readonly Result[] | undefined {
  const text = unpackText(body, MAX_TEXT_BYTES);
  const results = text === undefined ? undefined : decodeRecords(text, maxCount);
  return results?.every(({ index }, at) => at === 0 || index > (results[at - 1]?.index ?? 0))
    ? results
    : undefined;
}

interface SegmentReaderOptions {
  readonly shards: Pick<ShardReader, 'place' | 'read' | 'hasAny'>;
  readonly warn: (text: string) => void;
  /** The pauses between reads of a segment that is missing. */
  readonly pausesMs?: readonly number[];
  /** Ends the wait for segments that are missing. */
  readonly signal: AbortSignal;
}

/** Reads the segments of shards for the collector: waits for those that are late, and warns of those that are lost. */
export class SegmentReader {
  readonly #options: SegmentReaderOptions;
  /** The number of segments that could not be read, by shard. */
  readonly #lost = new Map<string, number>();

  constructor(options: SegmentReaderOptions) {
    this.#options = options;
  }

  /**
   * The results of a segment that is new. `undefined` when it is damaged or missing: its chunk has to be sent again. Throws an
   * `OutputError` when the directory is probably the wrong one, or cannot be read.
   */
  async read(segment: ShardSegment): Promise<readonly Result[] | undefined> {
    const { shards, signal, pausesMs = RETRY_PAUSES_MS } = this.#options;
    let found = await shards.read(segment);
    for (const ms of this.#lost.has(segment.shard) ? [] : pausesMs) {
      if (!('fault' in found) || found.kind === 'damaged' || signal.aborted) break;
      await pause(ms, signal);
      found = await shards.read(segment);
    }
    if (!('fault' in found)) {
      this.#lost.delete(segment.shard);
      return found;
    }
    if (signal.aborted) return undefined;
    if (found.kind === 'unreadable') throw unreadable(segment, found);
    if (found.kind === 'missing' && !(await shards.hasAny())) {
      throw new OutputError(
        `cannot read ${describeSegment(segment)}: there are no shards in "${excerpt(shards.place)}"; name the directory of the workers with --store`,
      );
    }
    this.#warnOfLoss(segment, found);
    return undefined;
  }

  #warnOfLoss(segment: ShardSegment, { fault }: SegmentFault): void {
    const { warn } = this.#options;
    const count = (this.#lost.get(segment.shard) ?? 0) + 1;
    this.#lost.set(segment.shard, count);
    if (count <= MAX_WARNINGS) {
      warn(
        `cannot read ${describeSegment(segment)}: ${fault}; "fanout cluster feed --reconcile" sends its chunk again`,
      );
    } else if (count === MAX_WARNINGS + 1) {
      warn(`more chunks of ${segment.shard} cannot be read; they are not named one by one`);
    }
  }
}

function unreadable(segment: ShardSegment, { fault }: SegmentFault): OutputError {
  return new OutputError(
    `cannot read ${describeSegment(segment)}: ${fault}; start again when it can be read, or without --store to count the results only`,
  );
}
