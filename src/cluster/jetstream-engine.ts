import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { type Broker, closeConnection } from './broker-connection.ts';
import type {
  DeadLetter,
  Delivery,
  EncodedChunk,
  LogEntry,
  LogRecord,
  QueueStats,
  Sending,
} from './chunk.ts';
import { JetStreamJobs } from './jetstream-jobs.ts';
import { JetStreamLog } from './jetstream-log.ts';
import { JetStreamSender } from './jetstream-sender.ts';
import { adoptOrphans, deleteStreams, isMissing, type RunNames, runNames, setUp } from './jetstream-setup.ts';
import { JetStreamState } from './jetstream-state.ts';
import { pause, persist } from './persist.ts';
import type { RunSettings } from './run-settings.ts';

const ASK_MS = 2000;
const ASK_PAUSE_MS = 500;
const DEFAULT_MAX_BYTES = 1024 ** 2;

/** What the settings of a run are kept under, in its state. */
export const SETTINGS_KEY = 'settings';

/**
 * One run on one broker.
 * - Every call waits while the broker is away, and goes on when it is back, until its signal or `close` ends it.
 * - A run that the broker has forgotten is made anew; what it held is then lost, which the collector knows.
 */
export class JetStreamEngine {
  readonly settings: RunSettings;
  readonly #broker: Broker;
  readonly #manager: JetStreamManager;
  readonly #names: RunNames;
  readonly #sender: JetStreamSender;
  readonly #jobs: JetStreamJobs;
  readonly #log: JetStreamLog;
  readonly #state: JetStreamState;
  readonly #closing = new AbortController();
  #ensuring: Promise<void> | undefined;

  constructor(broker: Broker, manager: JetStreamManager, run: string, settings: RunSettings) {
    this.settings = settings;
    this.#broker = broker;
    this.#manager = manager;
    const { nats, connection } = broker;
    const names = runNames(run);
    const client: JetStreamClient = nats.jetstream.jetstream(connection);
    const ensure = () => this.ensure();
    const makeHeaders = (fields: Readonly<Record<string, string>>) => {
      const headers = nats.transport.headers();
      headers.set('Fanout-V', '1');
      for (const [name, value] of Object.entries(fields)) headers.set(name, value);
      return headers;
    };
    const headersOf = ({ id }: EncodedChunk) => makeHeaders({ 'Fanout-Chunk': String(id) });
    const parts = { connection, client, manager, names, ensure, makeHeaders, headersOf };
    this.#names = names;
    this.#sender = new JetStreamSender({ ...parts, maxQueued: settings.maxQueued });
    this.#jobs = new JetStreamJobs(parts);
    this.#log = new JetStreamLog({ ...parts, maxLog: settings.maxLog });
    this.#state = new JetStreamState(parts);
  }

  /** Whether the broker is there just now. */
  get isConnected(): boolean {
    return this.#broker.isConnected();
  }

  /** The largest message in bytes. */
  get maxBytes(): number {
    return this.#broker.connection.info?.max_payload ?? DEFAULT_MAX_BYTES;
  }

  /** Creates or repairs what the run needs on the broker. One call at a time does the work: many lanes may notice at once that
   * something is missing. */
  ensure(): Promise<void> {
    this.#ensuring ??= this.#setUp().finally(() => {
      this.#ensuring = undefined;
    });
    return this.#ensuring;
  }

  /** The number of chunks that were ever sent. */
  async published(): Promise<number> {
    return (await this.#persist(() => this.#manager.streams.info(this.#names.jobs))).state.last_seq;
  }

  /** Sends chunks in their order, waiting while the queue is full; `id` of the first is `published()`. */
  publish(chunks: AsyncIterable<EncodedChunk>, sending: Sending): Promise<void> {
    return this.#sender.inOrder(chunks, sending);
  }

  /** Sends chunks whose numbers are not those of the stream: such as were sent before. */
  republish(chunks: AsyncIterable<EncodedChunk>, sending: Sending): Promise<void> {
    return this.#sender.anywhere(chunks, sending);
  }

  /** The next chunk of a partition, or `undefined` when none came within a second or so. */
  next(partition: number, signal: AbortSignal): Promise<Delivery | undefined> {
    return this.#jobs.next(partition, signal);
  }

  /** Resolves when the broker has had all that was sent until now; rejects when it went away before. */
  heard(): Promise<void> {
    return this.#broker.connection.flush();
  }

  /** Resolves when the record is stored; waits while the log is full. */
  append(record: LogRecord, signal: AbortSignal): Promise<void> {
    return this.#log.append(record, signal);
  }

  /** All records, from the first that is still held, and again from there after each reconnect. */
  log(signal: AbortSignal): AsyncIterable<LogEntry> {
    return this.#log.entries(signal);
  }

  /** Drops the records up to this one. */
  trim(sequence: number): Promise<void> {
    return this.#log.trim(sequence);
  }

  /** The last value of a key, or `undefined`. */
  state(key: string): Promise<unknown> {
    return this.#persist(() => this.#state.get(key));
  }

  setState(key: string, value: unknown): Promise<void> {
    return this.#persist(() => this.#state.set(key, value));
  }

  addDeadLetter(letter: DeadLetter): Promise<void> {
    return this.#persist(() => this.#state.addDeadLetter(letter));
  }

  /** Takes all URLs but these off the list of the dead. */
  retainDeadLetters(indexes: ReadonlySet<number>): Promise<void> {
    return this.#persist(() => this.#state.retainDeadLetters(indexes));
  }

  deadLetters(): AsyncIterable<DeadLetter> {
    return this.#state.deadLetters();
  }

  async deadCount(): Promise<number> {
    return (await this.#manager.streams.info(this.#names.dead)).state.messages;
  }

  /** Answers questions to the collector of this run, until the signal. */
  serve(answer: () => Uint8Array, signal: AbortSignal): void {
    const subscription = this.#broker.connection.subscribe(this.#names.collectorSubject, {
      callback: (error, message) => {
        if (error === null) message.respond(answer());
      },
    });
    signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true });
  }

  /**
   * Asks the collector, so often until it answers; `undefined` when there is none, `'silent'` when it does not answer: it
   * may be busy, or the question was lost with the connection.
   */
  async ask({ tries }: { tries: number }): Promise<Uint8Array | undefined | 'silent'> {
    const { NoRespondersError } = this.#broker.nats.transport;
    for (let asked = 0; asked < tries; asked++) {
      if (asked > 0) await pause(ASK_PAUSE_MS);
      try {
        const { connection } = this.#broker;
        return (await connection.request(this.#names.collectorSubject, undefined, { timeout: ASK_MS })).data;
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        if (error instanceof NoRespondersError || cause instanceof NoRespondersError) return undefined;
      }
    }
    return 'silent';
  }

  async stats(): Promise<QueueStats> {
    const { streams, consumers } = this.#manager;
    const jobs = (await streams.info(this.#names.jobs)).state;
    const log = (await streams.info(this.#names.log)).state;
    let underWay = 0;
    for await (const { num_ack_pending } of consumers.list(this.#names.jobs)) underWay += num_ack_pending;
    const queued = Math.max(0, jobs.messages - underWay);
    return { sent: jobs.last_seq, queued, underWay, logged: log.messages, lastLogged: log.last_seq };
  }

  /** Hands out again what the broker has lost sight of; whether there was any. */
  adoptOrphans(): Promise<boolean> {
    return adoptOrphans(this.#manager, this.#broker.nats, this.#names, this.settings);
  }

  purge(): Promise<void> {
    return deleteStreams(this.#manager, this.#names);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await closeConnection(this.#broker.connection);
  }

  async #setUp(): Promise<void> {
    await setUp(this.#manager, this.#broker.nats, this.#names, this.settings);
    // Of a run that the broker has forgotten, what this process knows holds.
    const how = { signal: this.#closing.signal, isPassing: (error: unknown) => !isMissing(error) };
    await persist(() => this.#state.setFirst(SETTINGS_KEY, this.settings), how);
  }

  #persist<T>(act: () => Promise<T>): Promise<T> {
    const mend = async (error: unknown) => {
      if (isMissing(error)) await this.ensure();
    };
    return persist(act, { signal: this.#closing.signal, mend });
  }
}
