/** A chunk as it is sent: `id` is its place among all chunks of the run, from 0. */
export interface EncodedChunk {
  readonly id: number;
  readonly partition: number;
  /** URLs in it. */
  readonly count: number;
  readonly body: Uint8Array;
}

/** How chunks are sent. */
export interface Sending {
  readonly signal: AbortSignal;
  /** Told of each chunk that the broker has. */
  readonly sent?: ((chunk: EncodedChunk) => void) | undefined;
}

/** A chunk in the hands of this worker. It is given to another one when it is not extended in time. */
export interface Delivery {
  /** As the sender said; not yet known to be right. */
  readonly id: number;
  /** How often it was handed out, this time counted. */
  readonly attempts: number;
  readonly body: Uint8Array;
  /** Asks for more time. */
  extend(): void;
  /** Its results are in the log: it is never handed out again. Resolves also when the broker did not hear it. */
  ack(): Promise<void>;
  /** Gives it back, to be handed out again at once, or after so many ms. */
  giveBack(afterMs?: number): void;
}

/** The results of one chunk, or where they are. */
export interface LogRecord {
  /** `commit`: the body is a frame, as a manifest has it. `results`: it is the packed results. */
  readonly kind: 'results' | 'commit';
  readonly chunk: number;
  /** Results in it. */
  readonly count: number;
  readonly worker: string;
  /** The run was stopped before the worker had all results: the chunk is given out again when the run goes on. */
  readonly isUnfinished?: boolean | undefined;
  readonly body: Uint8Array;
}

/** A record with its place in the log. */
export interface LogEntry extends LogRecord {
  readonly sequence: number;
}

/** What a broker holds of a run. */
export interface QueueStats {
  /** Chunks that were ever sent. */
  readonly sent: number;
  /** Chunks that wait. */
  readonly queued: number;
  /** Chunks in the hands of workers. */
  readonly underWay: number;
  /** Records in the log that the collector has not dropped yet. */
  readonly logged: number;
  /** The number of the last record that was put into the log, also of one that was dropped since. */
  readonly lastLogged: number;
}

/** A URL that no worker survived. */
export interface DeadLetter {
  /** The place of its job among all jobs of the run. */
  readonly index: number;
  /** The job as the queue carries it. */
  readonly job: unknown;
  readonly reason: string;
}
