/** A chunk as it is sent. */
export interface EncodedChunk {
  /** Its number among all chunks of the run, from 0. */
  readonly id: number;
  readonly partition: number;
  /** URLs in it. */
  readonly count: number;
  readonly body: Uint8Array;
}

/** A chunk that this worker has leased: it is redelivered to another one unless the lease is extended in time. */
export interface Delivery {
  /** As the sender set it; not yet checked. */
  readonly id: number;
  /** How often the chunk was delivered, this delivery included. */
  readonly deliveries: number;
  readonly body: Uint8Array;
  /** Extends the lease. */
  extend(): void;
  /** Removes the chunk from the queue: its results are in the log. Also resolves when the broker did not receive that. */
  ack(): Promise<void>;
  /** Ends the lease: the chunk is redelivered after this time, or at once. */
  giveBack(afterMs?: number): void;
}

/** The results of one chunk, or where they are. */
export interface LogRecord {
  /** `results`: the body is the packed results. `commit`: it is the segment of a shard, as in a manifest. */
  readonly kind: 'results' | 'commit';
  readonly chunk: number;
  /** Results in it. */
  readonly count: number;
  readonly worker: string;
  /** The run was stopped before the worker had all results: the chunk is redelivered when the run continues. */
  readonly isUnfinished?: boolean | undefined;
  readonly body: Uint8Array;
}

/** A record with its sequence number in the log. */
export interface LogEntry extends LogRecord {
  readonly sequence: number;
}

/** What a broker holds of a run. */
export interface QueueStats {
  /** Chunks that were ever sent. */
  readonly sent: number;
  /** Chunks that wait for a worker. */
  readonly queued: number;
  /** Chunks leased to workers. */
  readonly inFlight: number;
  /** Records in the log that the collector has not deleted yet. */
  readonly logged: number;
  /** The sequence number of the last record ever added to the log. */
  readonly lastLogged: number;
}

/** A URL that is not tried again, because several workers died while they fetched it. */
export interface DeadLetter {
  /** The index of its job in the run. */
  readonly index: number;
  /** The job as a chunk holds it. */
  readonly job: unknown;
  readonly reason: string;
}
