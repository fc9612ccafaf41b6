import type { Frame } from '../model/frame.ts';
import type { ShardReader } from '../shards/shard-reader.ts';
import type { QueueEngine } from './queue-engine.ts';
import type { ResultStore } from './result-store.ts';

export interface CollectorParts {
  readonly engine: QueueEngine;
  readonly store: ResultStore;
  /** Where the results go, in words for whoever starts a second collector. */
  readonly place: string;
  /** Where the results are read that workers write into shards; if left out they are counted alone. */
  readonly shards?: ShardReader | undefined;
  /** Told of results that are counted alone: they are not among `results`. */
  readonly onCounted: (frame: Frame, isResumed: boolean) => void;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Ends the collecting before the run is complete. */
  readonly signal: AbortSignal;
}
