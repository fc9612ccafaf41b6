import { gzipSync } from 'node:zlib';
import { OutputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { encodeRecord } from '../model/record.ts';
import type { FailedResult, Result } from '../model/result.ts';
import {
  decodeRecords,
  describeSegment,
  encodeSegment,
  MAX_SEGMENT_BYTES,
  type ShardSegment,
} from '../model/result-line.ts';
import type { LogRecord } from './chunk.ts';
import { unpacked } from './job-codec.ts';
import { pause } from './persist.ts';
import type { SegmentFault, ShardReader, ShardWriter } from './shards.ts';

const MAX_TEXT_BYTES = 512 * 1024 ** 2;

/**
 * Results as one member of gzip, a line each in the order of their indexes, of at most `maxBytes`. Where they are larger, the largest of them become failures
 * that say so. No more than `MAX_SEGMENT_BYTES` characters are put together.
 */
export function packResults(unsorted: readonly Result[], maxBytes: number): Uint8Array {
  const results = unsorted.toSorted((a, b) => a.index - b.index);
  const lines = results.map(encodeRecord);
  const bySize = [...lines.keys()].sort((a, b) => (lines[b]?.length ?? 0) - (lines[a]?.length ?? 0));
  for (let replaced = 0, count = 1; ; replaced = count, count *= 2) {
    const isShortest = replaced >= lines.length;
    if (isShortest || charactersOf(lines) <= MAX_SEGMENT_BYTES) {
      const body = gzipSync(`${lines.join('\n')}\n`, { level: 1 });
      if (isShortest || body.length <= maxBytes) return body;
    }
    for (const at of bySize.slice(replaced, count)) {
      const result = results[at];
      if (result !== undefined) lines[at] = encodeRecord(tooLarge(result, lines[at]?.length ?? 0, maxBytes));
    }
  }
}

/**
 * The results of a message in the order of their indexes, with their lines, or `undefined` when any of it is damaged or there are
 * more than `most`.
 */
export function unpackResults(
  body: Uint8Array,
  most = Number.POSITIVE_INFINITY,
): { readonly text: string; readonly results: readonly Result[] } | undefined {
  const text = unpacked(body, MAX_TEXT_BYTES);
  const results = text === undefined ? undefined : decodeRecords(text, most);
  if (text === undefined || results === undefined) return undefined;
  if (results.every(({ index }, at) => at === 0 || index > (results[at - 1]?.index ?? 0))) {
    return { text: text.endsWith('\n') ? text : `${text}\n`, results };
  }
  const lines = text.split('\n');
  const pairs = results.map((result, at) => ({ result, line: lines[at] ?? '' }));
  pairs.sort((a, b) => a.result.index - b.result.index);
  return {
    text: pairs.map(({ line }) => `${line}\n`).join(''),
    results: pairs.map(({ result }) => result),
  };
}

function charactersOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}

function tooLarge(result: Result, characters: number, maxBytes: number): FailedResult {
  const { index, source, line, url, method, attempts, startedAt, durationMs, worker } = result;
  const message = `its record of ${characters} characters does not fit: all results of a chunk may have ${maxBytes} bytes`;
  const place = { index, source, line, url: url.slice(0, 2000), method };
  return {
    ...place,
    ok: false,
    attempts,
    redirects: [],
    bytes: result.bytes,
    truncated: result.truncated,
    startedAt,
    durationMs,
    failure: { kind: 'write', code: 'ERR_RECORD_SIZE', message },
    worker,
  };
}

const HEADER_BYTES = 4096; // left for the headers of a message

/** What a worker says of a chunk. */
interface FinishedChunk {
  readonly chunk: number;
  readonly results: readonly Result[];
  readonly worker: string;
  /** The run was stopped before all results were there. */
  readonly isUnfinished?: boolean | undefined;
}

/** How it is said: in messages of at most `maxBytes`, or in shards. */
interface LogForm {
  readonly maxBytes: number;
  readonly shards?: Pick<ShardWriter, 'append'> | undefined;
}

/**
 * The record of a chunk for the log: its results, or the place on the disk where they are by then. Throws an `OutputError` when
 * they cannot be written there.
 */
export async function logRecord(finished: FinishedChunk, { maxBytes, shards }: LogForm): Promise<LogRecord> {
  const { chunk, results, worker, isUnfinished } = finished;
  const count = results.length;
  const about = { chunk, count, worker, isUnfinished };
  if (shards === undefined || count === 0) {
    return { kind: 'results', ...about, body: packResults(results, maxBytes - HEADER_BYTES) };
  }
  const place = await shards.append(packResults(results, MAX_SEGMENT_BYTES));
  const ok = results.filter((result) => result.ok).length;
  const first = results.reduce((lowest, { index }) => Math.min(lowest, index), Number.POSITIVE_INFINITY);
  const frame = { ...place, chunk, count, first, ok, failed: count - ok, worker };
  return { kind: 'commit', ...about, body: Buffer.from(encodeSegment(frame)) };
}

/** A file system of several machines may show late what one of them has written. */
const PAUSES_MS: readonly number[] = [200, 400, 800, 1600];

/** So many frames of a shard that cannot be read are named. */
const NAMED = 3;

interface FrameSourceParts {
  readonly shards: Pick<ShardReader, 'directory' | 'read' | 'hasAny'>;
  readonly warn: (text: string) => void;
  /** How long what is not there is waited for, between one try and the next. */
  readonly pausesMs?: readonly number[];
  /** Ends the waiting for what is not there yet. */
  readonly signal: AbortSignal;
}

/** Frames as the collector reads them: it waits for what is late, and tells what is lost. */
export class SegmentSource {
  readonly #parts: FrameSourceParts;
  /** Frames that could not be read, by their shard. */
  readonly #lost = new Map<string, number>();

  constructor(parts: FrameSourceParts) {
    this.#parts = parts;
  }

  /**
   * The results of a frame that is new; `undefined` when it is damaged, or lost with its shard: then its chunk is to be sent
   * again. Throws an `OutputError` when the directory itself seems to be the wrong one, or cannot be read.
   */
  async first(frame: ShardSegment): Promise<readonly Result[] | undefined> {
    const { shards, signal, pausesMs = PAUSES_MS } = this.#parts;
    let found = await shards.read(frame);
    for (const ms of this.#lost.has(frame.shard) ? [] : pausesMs) {
      if (!('fault' in found) || found.kind === 'damaged' || signal.aborted) break;
      await pause(ms, signal);
      found = await shards.read(frame);
    }
    if (!('fault' in found)) {
      this.#lost.delete(frame.shard);
      return found;
    }
    if (signal.aborted) return undefined;
    if (found.kind === 'unreadable') throw unreadable(frame, found);
    if (found.kind === 'missing' && !(await shards.hasAny())) {
      throw new OutputError(
        `Cannot read ${describeSegment(frame)}: there is no shard at all in "${printable(shards.directory, 200)}"; give --shards the directory that the workers write to`,
      );
    }
    this.#tell(frame, found);
    return undefined;
  }

  /** The results of a frame that was read before. Throws an `OutputError` when that is not possible any more. */
  async again(frame: ShardSegment): Promise<readonly Result[]> {
    const found = await this.#parts.shards.read(frame);
    if ('fault' in found) throw unreadable(frame, found);
    return found;
  }

  #tell(frame: ShardSegment, { fault }: SegmentFault): void {
    const { warn } = this.#parts;
    const count = (this.#lost.get(frame.shard) ?? 0) + 1;
    this.#lost.set(frame.shard, count);
    const hint = '"fanout feed --reconcile" sends it again';
    if (count <= NAMED)
      warn(`${describeSegment(frame)} cannot be read, ${fault}: its chunk is not done; ${hint}`);
    else if (count === NAMED + 1) {
      warn(`more chunks of ${frame.shard} cannot be read, and are not named one by one`);
    }
  }
}

function unreadable(frame: ShardSegment, { fault }: SegmentFault): OutputError {
  return new OutputError(
    `Cannot read ${describeSegment(frame)}: ${fault}; start again when it can be read, or without --shards, which counts results and does not read them`,
  );
}
