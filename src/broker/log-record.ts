import { encodeFrame, MAX_FRAME_BYTES } from '../model/frame.ts';
import type { Result } from '../model/result.ts';
import type { ShardWriter } from '../shards/shard-writer.ts';
import { packResults } from './packed-results.ts';
import type { LogRecord } from './queue-engine.ts';

const HEADER_BYTES = 4096; // left for the headers of a message

/** What a worker says of a chunk. */
export interface FinishedChunk {
  readonly chunk: number;
  readonly results: readonly Result[];
  readonly worker: string;
  /** The run was stopped before all results were there. */
  readonly isUnfinished?: boolean | undefined;
}

/** How it is said: in messages of at most `maxBytes`, or in shards. */
export interface LogForm {
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
  const place = await shards.append(packResults(results, MAX_FRAME_BYTES));
  const ok = results.filter((result) => result.ok).length;
  const first = results.reduce((lowest, { index }) => Math.min(lowest, index), Number.POSITIVE_INFINITY);
  const frame = { ...place, chunk, count, first, ok, failed: count - ok, worker };
  return { kind: 'commit', ...about, body: Buffer.from(encodeFrame(frame)) };
}
