import type { RunSettings } from './run-settings.ts';

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

/**
 * One run on one broker.
 * - Every call waits while the broker is away, and goes on when it is back, until its signal or `close` ends it.
 * - A run that the broker has forgotten is made anew; what it held is then lost, which the collector knows.
 */
export interface QueueEngine {
  readonly settings: RunSettings;
  /** Whether the broker is there just now. */
  readonly isConnected: boolean;
  /** Creates or repairs what the run needs on the broker; may be called at any time. */
  ensure(): Promise<void>;
  /** The number of chunks that were ever sent. */
  published(): Promise<number>;
  /** Sends chunks in their order, waiting while the queue is full; `id` of the first is `published()`. */
  publish(chunks: AsyncIterable<EncodedChunk>, sending: Sending): Promise<void>;
  /** Sends chunks whose numbers are not those of the stream: such as were sent before. */
  republish(chunks: AsyncIterable<EncodedChunk>, sending: Sending): Promise<void>;
  /** The next chunk of a partition, or `undefined` when none came within a second or so. */
  next(partition: number, signal: AbortSignal): Promise<Delivery | undefined>;
  /** Resolves when the broker has had all that was sent until now; rejects when it went away before. */
  heard(): Promise<void>;
  /** Resolves when the record is stored; waits while the log is full. */
  append(record: LogRecord, signal: AbortSignal): Promise<void>;
  /** All records, from the first that is still held, and again from there after each reconnect. */
  log(signal: AbortSignal): AsyncIterable<LogEntry>;
  /** Drops the records up to this one. */
  trim(sequence: number): Promise<void>;
  /** The last value of a key, or `undefined`. */
  state(key: string): Promise<unknown>;
  setState(key: string, value: unknown): Promise<void>;
  bury(letter: DeadLetter): Promise<void>;
  /** Takes all URLs but these off the list of the dead. */
  keepDead(indexes: ReadonlySet<number>): Promise<void>;
  deadLetters(): AsyncIterable<DeadLetter>;
  deadCount(): Promise<number>;
  /** Answers questions to the collector of this run, until the signal. */
  serve(answer: () => Uint8Array, signal: AbortSignal): void;
  /**
   * Asks the collector, so often until it answers; `undefined` when there is none, `'silent'` when it does not answer: it
   * may be busy, or the question was lost with the connection.
   */
  ask(how: { readonly tries: number }): Promise<Uint8Array | undefined | 'silent'>;
  stats(): Promise<QueueStats>;
  /** Hands out again what the broker has lost sight of; whether there was any. */
  adoptOrphans(): Promise<boolean>;
  /** The largest message in bytes. */
  readonly maxBytes: number;
  purge(): Promise<void>;
  close(): Promise<void>;
}
