import type { MsgHdrs } from '@nats-io/transport-node';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { type CollectorState, decodeCollectorState } from './bitmap.ts';
import {
  type Broker,
  type BrokerAddress,
  closeConnection,
  connectBroker,
  retryUntilBack,
  Troubles,
} from './broker-connection.ts';
import type { DeadLetter, DeadMessage, LeftChunk, QueueStats } from './chunk.ts';
import { JetStreamLog } from './jetstream-log.ts';
import { JetStreamQueue, PAUSE_KEY, PauseWatch } from './jetstream-queue.ts';
import {
  apiErrorCode,
  type BrokerRun,
  differences,
  isMissing,
  messageFault,
  messageHeaders,
  numberHeader,
  parseJson,
  type RunSettings,
  readState,
  redeliverLostChunks,
  runNames,
  setUpRun,
} from './jetstream-setup.ts';
import { LeaseBucket } from './lease.ts';
import {
  checkInputs,
  createRunRecord,
  type InputRecord,
  purgeRun,
  type RunRecord,
  RunRegistry,
} from './run-registry.ts';
import { readAll } from './stream-reader.ts';

/** How long to retry opening a run, once there was a connection. */
const OPEN_TIMEOUT_MS = 30_000;
/** The error codes of the JetStream API begin here. */
const API_ERRORS = 10_000;
/** Error codes of a cluster of brokers that has not elected a leader, or does not know all its servers yet. */
const CLUSTER_STARTS = [10_005, 10_008];

const REQUEST_TIMEOUT_MS = 2000;
const DEFAULT_MAX_BYTES = 1024 ** 2;

/** The header of a dead letter that is a message which cannot be read. */
const REASON_HEADER = 'Fanout-Reason';
const GIVE_BACKS_HEADER = 'Fanout-Give-Backs';

export interface RunAddress {
  readonly address: BrokerAddress;
  /** The name or the id of the run. */
  readonly run: string;
  /** Called when the broker is lost and when it is back, with a whole sentence. */
  readonly warn: (text: string) => void;
  readonly note: (text: string) => void;
  /** Create nothing on the broker, also if parts of the run are missing. */
  readonly isReadOnly?: boolean | undefined;
}

export interface NewRun {
  readonly settings: RunSettings;
  /** The settings that the user gave: an existing run must have the same. */
  readonly wanted: Partial<RunSettings>;
  /** The options that select URLs of the inputs. An existing run must have the same. */
  readonly list: readonly string[];
  /** Looks at the inputs. An existing run must have the same; what it knows of them is passed, to save reading them. */
  readonly inputs: (known: readonly InputRecord[]) => Promise<readonly InputRecord[]>;
  /** Create a new run also if the name is in use. */
  readonly replaces?: boolean | undefined;
  /** Ms since the epoch. */
  readonly now: () => number;
}

/**
 * Opens a run that exists on the broker, or creates it if `created` is given. Throws a `UsageError` when the broker
 * cannot be used, the run does not exist, or it has other settings or inputs than those wanted.
 */
export async function openRun(
  { address, run, warn, note, isReadOnly = false }: RunAddress,
  created?: NewRun,
): Promise<JetStreamEngine> {
  const broker = await connectBroker(address, { warn, note });
  try {
    // The broker may go away meanwhile, or be starting; anything else that it refuses is final.
    return await retryUntilBack(() => openOn(broker, { run, warn, note, isReadOnly }, created), {
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

interface EngineRun {
  readonly record: RunRecord;
  readonly registry: RunRegistry;
  readonly isNew: boolean;
  readonly warn: (text: string) => void;
  readonly note: (text: string) => void;
  readonly isReadOnly?: boolean | undefined;
}

/**
 * One run on one broker.
 * - Every call waits while the broker is away, and continues when it is back, until its signal or `close` ends it.
 * - A run that the broker has lost is created again, without its content: the collector knows which chunks have results.
 */
export class JetStreamEngine {
  readonly record: RunRecord;
  readonly settings: RunSettings;
  /** Whether this process has created the run. */
  readonly isNew: boolean;
  readonly queue: JetStreamQueue;
  readonly log: JetStreamLog;
  readonly leases: LeaseBucket;
  readonly #broker: Broker;
  readonly #run: BrokerRun;
  readonly #registry: RunRegistry;
  readonly #isReadOnly: boolean;
  readonly #troubles: Troubles;
  readonly #closing = new AbortController();
  readonly #pause: PauseWatch;
  #ensuring: Promise<void> | undefined;

  constructor(
    broker: Broker,
    run: BrokerRun,
    { record, registry, isNew, warn, note, isReadOnly = false }: EngineRun,
  ) {
    const { settings } = record;
    this.record = record;
    this.settings = settings;
    this.isNew = isNew;
    this.#broker = broker;
    this.#run = run;
    this.#registry = registry;
    this.#isReadOnly = isReadOnly;
    this.#troubles = new Troubles(warn);
    const report = (error: unknown) => this.#report(error);
    const ensure = () => this.ensure();
    const bury = (letter: DeadMessage) => this.#bury(letter);
    const isPaused = () => this.isPaused();
    this.#pause = new PauseWatch({ read: () => readState(run, PAUSE_KEY), warn, note });
    this.queue = new JetStreamQueue({ ...run, settings, ensure, bury, isPaused, warn, report });
    this.leases = new LeaseBucket(run);
    this.log = new JetStreamLog({ ...run, ensure, warn, report });
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
   * once. Throws a `RunGoneError` if the run was purged.
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

  /** Whether the run is paused, as of a second ago at most. Says so when that changes. Never rejects. */
  isPaused(): Promise<boolean> {
    return this.#pause.isPaused();
  }

  /** The last value of a key, or `undefined`. */
  state(key: string): Promise<unknown> {
    return this.#retry(() => readState(this.#run, key));
  }

  /** The sequence number of the last value of a key in the state; 0 if there is none. */
  stateSequence(key: string): Promise<number> {
    const { manager, names } = this.#run;
    return this.#retry(async () => {
      const query = { last_by_subj: names.stateSubject(key) };
      return (await manager.streams.getMessage(names.state, query))?.seq ?? 0;
    });
  }

  async setState(key: string, value: unknown): Promise<void> {
    const { client, names } = this.#run;
    await this.#retry(() => client.publish(names.stateSubject(key), JSON.stringify(value)));
  }

  /**
   * Keeps what a worker has of a chunk that it gives back: it has not died at it, and its results need not be fetched again. Tries
   * once, since the worker is about to end.
   */
  async leaveChunk({ chunk, giveBacks, count, body }: LeftChunk): Promise<void> {
    const { client, names } = this.#run;
    const fields = { 'Fanout-Count': String(count), [GIVE_BACKS_HEADER]: String(giveBacks) };
    await client.publish(names.leftSubject(chunk), body, { headers: messageHeaders(this.#run, fields) });
  }

  /** What the last worker that gave a chunk back has left; `undefined` if none did. */
  leftChunk(chunk: number): Promise<LeftChunk | undefined> {
    const { manager, names } = this.#run;
    return this.#retry(async () => {
      const message = await manager.streams.getMessage(names.state, {
        last_by_subj: names.leftSubject(chunk),
      });
      return message === null ? undefined : this.#toLeftChunk(chunk, message.header, message.data);
    });
  }

  /** What workers have left of chunks, since this sequence number of the state. */
  async *leftChunks(after: number, { headersOnly = false } = {}): AsyncGenerator<LeftChunk, void, void> {
    const { names } = this.#run;
    const options = { stream: names.state, subject: names.leftSubject('*'), after, headersOnly };
    for await (const { subject, headers, data } of readAll(this.#run, options)) {
      const left = this.#toLeftChunk(Number(subject.slice(subject.lastIndexOf('.') + 1)), headers, data);
      if (left !== undefined) yield left;
    }
  }

  #toLeftChunk(chunk: number, headers: MsgHdrs | undefined, body: Uint8Array): LeftChunk | undefined {
    const giveBacks = numberHeader(headers, GIVE_BACKS_HEADER);
    const count = numberHeader(headers, 'Fanout-Count');
    if (giveBacks === undefined || count === undefined || !Number.isSafeInteger(chunk)) return undefined;
    return messageFault(headers, this.#run.names) === undefined
      ? { chunk, giveBacks, count, body }
      : undefined;
  }

  /** Empties what workers have left of a finished chunk: a worker needs no right to delete messages for that. */
  async forgetChunk(chunk: number): Promise<void> {
    const { client, names } = this.#run;
    for (const subject of [names.leftSubject(chunk), names.stateSubject(`suspect-${chunk}`)])
      await client.publish(subject, '');
  }

  async addDeadLetter(letter: DeadLetter): Promise<void> {
    const { client, names } = this.#run;
    const subject = names.deadSubject(String(letter.index));
    await this.#retry(() => client.publish(subject, JSON.stringify(letter)));
  }

  /**
   * Compares the options of this worker, as short hashes by key, with those of the first worker. Resolves to a key in which they
   * differ, or `undefined`.
   */
  differingOption(options: Readonly<Record<string, string>>): Promise<string | undefined> {
    return this.#retry(() => this.#registry.differingOption(this.record.id, options));
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
    for await (const message of readAll(this.#run, { stream: this.#run.names.dead })) {
      const letter = toDeadLetter(parseJson(message.string()));
      if (letter !== undefined) yield letter;
    }
  }

  /** Why messages of the queue could not be read, for people. The messages are kept as dead letters. */
  async unreadable(): Promise<readonly string[]> {
    const reasons: string[] = [];
    for await (const { headers } of readAll(this.#run, { stream: this.#run.names.dead, headersOnly: true })) {
      const reason = headers?.get(REASON_HEADER) ?? '';
      if (reason !== '') reasons.push(printable(reason, 300));
    }
    return reasons;
  }

  /** Messages that could not be read are not counted. */
  async deadLetterCount(): Promise<number> {
    const { manager, names } = this.#run;
    const options = { subjects_filter: names.deadSubject('*') };
    const { state } = await manager.streams.info(names.dead, options).catch((error: unknown) => {
      if (this.#isReadOnly && isMissing(error)) return { state: { subjects: {} } };
      throw error;
    });
    return Object.keys(state.subjects ?? {}).filter((subject) => /\.\d+$/.test(subject)).length;
  }

  /** Responds to requests to the collectors of this run, until the signal. */
  serveCollector(respond: () => Uint8Array, signal: AbortSignal): void {
    const { connection, names } = this.#run;
    const subscription = connection.subscribe(names.collectorSubject, {
      callback: (error, message) => {
        if (error === null) message.respond(respond());
      },
    });
    signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true });
  }

  /** The states of all running collectors. `'silent'` if there are any and none responds: they may be busy. */
  async askCollectors(): Promise<readonly CollectorState[] | 'silent'> {
    const { connection, names, nats } = this.#run;
    const { NoRespondersError } = nats.transport;
    const states: CollectorState[] = [];
    try {
      const options = { strategy: 'stall', maxWait: REQUEST_TIMEOUT_MS, noMux: true } as const;
      for await (const { data } of await connection.requestMany(names.collectorSubject, '', options)) {
        const state = decodeCollectorState(data);
        if (state !== undefined) states.push(state);
      }
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (error instanceof NoRespondersError || cause instanceof NoRespondersError) return [];
    }
    return states.length === 0 ? 'silent' : states;
  }

  async stats(): Promise<QueueStats> {
    try {
      return await this.#stats();
    } catch (error) {
      if (!this.#isReadOnly || !isMissing(error)) throw error;
      // The broker has lost its data.
      return { sent: 0, queued: 0, inFlight: 0, committed: 0, lastCommit: 0 };
    }
  }

  async #stats(): Promise<QueueStats> {
    const { manager, names } = this.#run;
    const jobs = (await manager.streams.info(names.jobs)).state;
    const log = (await manager.streams.info(names.log)).state;
    let inFlight = 0;
    for await (const { num_ack_pending } of manager.consumers.list(names.jobs)) inFlight += num_ack_pending;
    const queued = Math.max(0, jobs.messages - inFlight);
    return { sent: jobs.last_seq, queued, inFlight, committed: log.messages, lastCommit: log.last_seq };
  }

  /** Redelivers chunks that the broker has lost track of. Resolves to whether there were any. */
  redeliverLostChunks(): Promise<boolean> {
    return redeliverLostChunks(this.#run, this.settings);
  }

  /** Deletes the run on the broker. Throws a `UsageError` if the user of the broker may not do that. */
  purge(): Promise<void> {
    return purgeRun(this.#run, this.#registry, this.record);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await closeConnection(this.#run.connection);
  }

  async #setUp(): Promise<void> {
    if (this.#isReadOnly) return;
    await this.#registry.confirm(this.record);
    await setUpRun(this.#run, this.settings);
  }

  /** Keeps a message that cannot be read. */
  async #bury({ key, reason, body }: DeadMessage): Promise<void> {
    const { client, names } = this.#run;
    const headers = messageHeaders(this.#run, { [REASON_HEADER]: printable(reason, 300) });
    await this.#retry(() => client.publish(names.deadSubject(key), body, { headers }));
  }

  #retry<T>(act: () => Promise<T>): Promise<T> {
    return retryUntilBack(act, {
      signal: this.#closing.signal,
      ...(this.#isReadOnly && { isTransient: (error) => !isMissing(error) }),
      // A stream that is missing shows as "no responders" when something is published to it.
      repair: async () => {
        if (this.isConnected) await this.ensure();
      },
      report: (error) => this.#report(error),
    });
  }

  /** A lost connection is reported by itself. */
  #report(error: unknown): void {
    if (this.isConnected && !this.#closing.signal.aborted) this.#troubles.report(error);
  }
}

async function openOn(
  broker: Broker,
  { run: name, warn, note, isReadOnly }: Omit<RunAddress, 'address'>,
  created: NewRun | undefined,
): Promise<JetStreamEngine> {
  const { nats, connection } = broker;
  const client = nats.jetstream.jetstream(connection);
  const manager = await nats.jetstream.jetstreamManager(connection, { checkAPI: false });
  const registry = new RunRegistry({ nats, client, manager });
  const found = await findOrCreate(registry, name, created);
  const { record } = found;
  checkSettings(record, created?.wanted ?? {});
  const run: BrokerRun = { nats, connection, client, manager, names: runNames(record.id) };
  const engine = new JetStreamEngine(broker, run, { ...found, registry, warn, note, isReadOnly });
  if (created !== undefined) await engine.ensure();
  return engine;
}

async function findOrCreate(
  registry: RunRegistry,
  name: string,
  created: NewRun | undefined,
): Promise<Pick<EngineRun, 'record' | 'isNew'>> {
  for (;;) {
    const found = await registry.find(name);
    if (created === undefined) {
      if (found !== undefined) return { record: found, isNew: false };
      throw new UsageError(
        `the broker has no run "${name}": create it with "fanout cluster feed INPUT --broker URL --run ${name}"`,
      );
    }
    const { settings, list, replaces = false, now } = created;
    const inputs = await created.inputs(found?.inputs ?? []);
    if (found !== undefined && !replaces) {
      checkInputs(found, { inputs, list });
      return { record: found, isNew: false };
    }
    const record = createRunRecord({ name, settings, inputs, list }, now());
    if (await registry.add(record, { replaces })) return { record, isNew: true };
  }
}

function checkSettings({ settings, name }: RunRecord, wanted: Partial<RunSettings>): void {
  const [first] = differences(settings, wanted);
  if (first === undefined) return;
  throw new UsageError(
    `cannot change ${first} of the run "${name}" from ${settings[first]} to ${wanted[first]}: it is fixed when the run is created`,
  );
}

function toDeadLetter(value: unknown): DeadLetter | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { index, job, reason }: { index?: unknown; job?: unknown; reason?: unknown } = value;
  return Number.isSafeInteger(index) && typeof reason === 'string'
    ? { index: Number(index), job, reason }
    : undefined;
}
