import type { ShardWriter } from '../shards/shard-writer.ts';
import type { JobWire } from './job-line.ts';
import type { QueueEngine } from './queue-engine.ts';

export interface ChunkWorkerParts {
  readonly engine: QueueEngine;
  readonly wire: JobWire;
  /** Chunks that are under way here at a time; with partitions it is one for each, up to 32. */
  readonly lanes: number;
  /** What this worker is called in the log. */
  readonly name: string;
  /** Where results are written; into the log if left out. */
  readonly shards?: ShardWriter | undefined;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Called when jobs that were handed out are wanted no more. */
  readonly unwanted: () => void;
}
