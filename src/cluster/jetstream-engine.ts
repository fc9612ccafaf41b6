import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { type Broker, type BrokerAddress, closeConnection, connectBroker } from './broker-connection.ts';
import type { DeadLetter, QueueStats } from './chunk.ts';
import { JetStreamLog } from './jetstream-log.ts';
import { JetStreamQueue } from './jetstream-queue.ts';
import {
  apiErrorCode,
  type BrokerRun,
  deleteStreams,
  differences,
  isMissing,
  type RunSettings,
  redeliverLostChunks,
  runNames,
  settingsFrom,
  setUpRun,
  setUpState,
} from './jetstream-setup.ts';
import { pause, retryUntilBack } from './retry-until-back.ts';

/** How long to retry opening a run, once there was a connection. */
const OPEN_TIMEOUT_MS = 30_000;
/** The error codes of the JetStream API begin here. */
const API_ERRORS = 10_000;
/** Error codes of a cluster of brokers that has not elected a leader, or does not know all its servers yet. */
const CLUSTER_STARTS = [10_005, 10_008];

const REQUEST_TIMEOUT_MS = 2000;
const REQUEST_PAUSE_MS = 500;
const DEFAULT_MAX_BYTES = 1024 ** 2;

/** The key of a run's state that holds its settings. */
const SETTINGS_KEY = 'settings';

export interface RunAddress {
  readonly address: BrokerAddress;
  readonly run: string;
  /** Called when the broker is lost and when it is back, with a whole sentence. */
  readonly warn: (text: string) => void;
  readonly note: (text: string) => void;
}

export interface NewRun {
  readonly settings: RunSettings;
  /** The settings that the user gave: an existing run must have the same. */
  readonly wanted: Partial<RunSettings>;
}

/**
 * Opens a run that exists on the broker, or creates it if `created` is given. Throws a `UsageError` when the broker
 * cannot be used, the run does not exist, or it has other settings than those wanted.
 */
export async function openRun(
  { address, run, warn, note }: RunAddress,
  created?: NewRun,
): Promise<JetStreamEngine> {
  const broker = await connectBroker(address, { warn, note });
  try {
    // The broker may go away meanwhile, or be starting; anything else that it refuses is final.
    return await retryUntilBack(() => openOn(broker, run, created), {
      signal: AbortSignal.timeout(OPEN_TIMEOUT_MS),
      isTransient: (error) =>
        !(error instanceof UsageError) &&
        (apiErrorCode(error) < API_ERRORS || CLUSTER_STARTS.includes(apiErrorCode(error))),
    });
  } catch (error) {
    await closeConnection(broker.connection);
    if (!(error instanceof Error) || error instanceof UsageError) throw error;
    throw new UsageError(`cannot open the run on the broker: ${printable(error.message, 200)}`, {
      cause: error,
    });
  }
}

/**
 * One run on one broker.
 * - Every call waits while the broker is away, and continues when it is back, until its signal or `close` ends it.
 * - A run that the broker has lost is created again, without its content: the collector knows which chunks have results.
 */
export class JetStreamEngine {
  readonly settings: RunSettings;
  readonly queue: JetStreamQueue;
  readonly log: JetStreamLog;
  readonly #broker: Broker;
  readonly #run: BrokerRun;
  readonly #closing = new AbortController();
  #ensuring: Promise<void> | undefined;

  constructor(broker: Broker, run: BrokerRun, settings: RunSettings) {
    this.settings = settings;
    this.#broker = broker;
    this.#run = run;
    const ensure = () => this.ensure();
    this.queue = new JetStreamQueue({ ...run, maxQueued: settings.maxQueued, ensure });
    this.log = new JetStreamLog({ ...run, maxLog: settings.maxLog, ensure });
  }

  /** Whether there is a connection to the broker now. */
  get isConnected(): boolean {
    return this.#broker.isConnected();
  }

  /** The size of the largest message in bytes. */
  get maxBytes(): number {
    return this.#broker.connection.info?.max_payload ?? DEFAULT_MAX_BYTES;
  }

  /**
   * Creates what is missing of the run on the broker. Concurrent calls share one attempt: many lanes may notice it at
   * once.
   */
  ensure(): Promise<void> {
    this.#ensuring ??= this.#setUp().finally(() => {
      this.#ensuring = undefined;
    });
    return this.#ensuring;
  }

  /** The number of chunks that were ever published: the `id` of the next one. */
  async published(): Promise<number> {
    const { manager, names } = this.#run;
    return (await this.#retry(() => manager.streams.info(names.jobs))).state.last_seq;
  }

  /** Resolves when the broker has received all that was sent so far; rejects when it went away before. */
  flush(): Promise<void> {
    return this.#run.connection.flush();
  }

  /** The last value of a key, or `undefined`. */
  state(key: string): Promise<unknown> {
    return this.#retry(() => readState(this.#run, key));
  }

  async setState(key: string, value: unknown): Promise<void> {
    const { client, names } = this.#run;
    await this.#retry(() => client.publish(names.stateSubject(key), JSON.stringify(value)));
  }

  async addDeadLetter(letter: DeadLetter): Promise<void> {
    const { client, names } = this.#run;
    const subject = names.deadSubject(String(letter.index));
    await this.#retry(() => client.publish(subject, JSON.stringify(letter)));
  }

  /** Deletes the dead letters of all URLs but these. */
  retainDeadLetters(indexes: ReadonlySet<number>): Promise<void> {
    const { manager, names } = this.#run;
    return this.#retry(async () => {
      for await (const { index } of this.deadLetters()) {
        if (indexes.has(index)) continue;
        await manager.streams.purge(names.dead, { filter: names.deadSubject(String(index)) });
      }
    });
  }

  /** In the order in which they were added. Damaged ones are left out. */
  async *deadLetters(): AsyncGenerator<DeadLetter, void, void> {
    const { manager, names } = this.#run;
    const { state } = await manager.streams.info(names.dead);
    // The first sequence number of an empty stream is 0, which no message has.
    for (let sequence = Math.max(1, state.first_seq); sequence <= state.last_seq; sequence++) {
      const message = await manager.streams.getMessage(names.dead, { seq: sequence });
      const letter = message === null ? undefined : toDeadLetter(parseJson(message.string()));
      if (letter !== undefined) yield letter;
    }
  }

  async deadLetterCount(): Promise<number> {
    const { manager, names } = this.#run;
    return (await manager.streams.info(names.dead)).state.messages;
  }

  /** Responds to requests to the collector of this run, until the signal. */
  serveCollector(respond: () => Uint8Array, signal: AbortSignal): void {
    const { connection, names } = this.#run;
    const subscription = connection.subscribe(names.collectorSubject, {
      callback: (error, message) => {
        if (error === null) message.respond(respond());
      },
    });
    signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true });
  }

  /**
   * Sends a request to the collector, up to `tries` times. Resolves to `undefined` when there is no collector, and to
   * `'silent'` when it does not respond: it may be busy, or the request was lost with the connection.
   */
  async askCollector({ tries }: { readonly tries: number }): Promise<Uint8Array | undefined | 'silent'> {
    const { connection, names, nats } = this.#run;
    const { NoRespondersError } = nats.transport;
    for (let attempt = 0; attempt < tries; attempt++) {
      if (attempt > 0) await pause(REQUEST_PAUSE_MS);
      try {
        const { data } = await connection.request(names.collectorSubject, undefined, {
          timeout: REQUEST_TIMEOUT_MS,
        });
        return data;
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        if (error instanceof NoRespondersError || cause instanceof NoRespondersError) return undefined;
      }
    }
    return 'silent';
  }

  async stats(): Promise<QueueStats> {
    const { manager, names } = this.#run;
    const jobs = (await manager.streams.info(names.jobs)).state;
    const log = (await manager.streams.info(names.log)).state;
    let inFlight = 0;
    for await (const { num_ack_pending } of manager.consumers.list(names.jobs)) inFlight += num_ack_pending;
    const queued = Math.max(0, jobs.messages - inFlight);
    return { sent: jobs.last_seq, queued, inFlight, logged: log.messages, lastLogged: log.last_seq };
  }

  /** Redelivers chunks that the broker has lost track of. Resolves to whether there were any. */
  redeliverLostChunks(): Promise<boolean> {
    return redeliverLostChunks(this.#run, this.settings);
  }

  /** Deletes the run on the broker. */
  purge(): Promise<void> {
    return deleteStreams(this.#run);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await closeConnection(this.#run.connection);
  }

  async #setUp(): Promise<void> {
    await setUpRun(this.#run, this.settings);
    // The broker may have lost the settings too: write them again.
    await retryUntilBack(() => setFirstState(this.#run, SETTINGS_KEY, this.settings), {
      signal: this.#closing.signal,
      isTransient: (error) => !isMissing(error),
    });
  }

  #retry<T>(act: () => Promise<T>): Promise<T> {
    return retryUntilBack(act, {
      signal: this.#closing.signal,
      repair: async (error) => {
        if (isMissing(error)) await this.ensure();
      },
    });
  }
}

async function openOn(broker: Broker, name: string, created: NewRun | undefined): Promise<JetStreamEngine> {
  const { nats, connection } = broker;
  const client = nats.jetstream.jetstream(connection);
  const manager = await nats.jetstream.jetstreamManager(connection, { checkAPI: false });
  const run: BrokerRun = { nats, connection, client, manager, names: runNames(name) };
  if (created !== undefined) {
    await setUpState(run, created.settings.replicas);
    await setFirstState(run, SETTINGS_KEY, created.settings);
  }
  const settings = checkSettings(await readState(run, SETTINGS_KEY), name, created?.wanted ?? {});
  const engine = new JetStreamEngine(broker, run, settings);
  await engine.ensure();
  return engine;
}

function checkSettings(found: unknown, run: string, wanted: Partial<RunSettings>): RunSettings {
  if (found === undefined) {
    throw new UsageError(
      `the broker has no run "${run}": create it with "fanout cluster feed INPUT --broker URL --run ${run}"`,
    );
  }
  const settings = settingsFrom(found);
  if (settings === undefined) {
    throw new UsageError(
      `the settings of the run "${run}" are damaged or of another version of fanout: purge it, or use another --run`,
    );
  }
  const [first] = differences(settings, wanted);
  if (first === undefined) return settings;
  throw new UsageError(
    `cannot change ${first} of the run "${run}" from ${settings[first]} to ${wanted[first]}: it is fixed when the run is created`,
  );
}

/**
 * The value of a key; `undefined` when there is no such key or run, or the value is not JSON. An empty stream is not
 * read: nats-server 2.9 crashes when it is asked for a message of a stream that it is just creating.
 */
async function readState({ manager, names }: BrokerRun, key: string): Promise<unknown> {
  try {
    if ((await manager.streams.info(names.state)).state.messages === 0) return undefined;
    const message = await manager.streams.getMessage(names.state, { last_by_subj: names.stateSubject(key) });
    return message === null ? undefined : parseJson(message.string());
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Sets a key unless it has a value. */
async function setFirstState(run: BrokerRun, key: string, value: unknown): Promise<void> {
  const subject = run.names.stateSubject(key);
  try {
    await run.client.publish(subject, JSON.stringify(value), { expect: { lastSubjectSequence: 0 } });
  } catch (error) {
    if ((await readState(run, key)) === undefined) throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toDeadLetter(value: unknown): DeadLetter | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { index, job, reason }: { index?: unknown; job?: unknown; reason?: unknown } = value;
  return Number.isSafeInteger(index) && typeof reason === 'string'
    ? { index: Number(index), job, reason }
    : undefined;
}
