import type { ConsumerConfig, JetStreamClient, JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import { printable } from '../model/printable.ts';
import type { Nats } from './broker-connection.ts';

/** The settings of a whole run on all machines: written once, by the process that creates the run, and read by all. */
export interface RunSettings {
  /** URLs in a chunk, the unit of work. */
  readonly chunk: number;
  /** With more than one, each host belongs to one partition, and one worker at a time takes chunks of it. */
  readonly partitions: number;
  /** A chunk is redelivered when its worker has not extended the lease for this time. */
  readonly ackWaitMs: number;
  /** Chunks that wait in the broker at most. */
  readonly maxQueued: number;
  /** Copies of each message in a cluster of brokers. */
  readonly replicas: number;
}

/** The smallest and the largest value of each setting. */
const BOUNDS: Readonly<Record<keyof RunSettings, readonly [number, number]>> = {
  chunk: [1, 10_000],
  partitions: [1, 1024],
  ackWaitMs: [1000, 3_600_000],
  maxQueued: [1, 10_000_000],
  replicas: [1, 5],
};

/** Settings as read from the broker; `undefined` if they are not valid. */
export function settingsFrom(value: unknown): RunSettings | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const isValid = Object.entries(BOUNDS).every(([key, [min, max]]) => {
    const number = fields[key];
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max;
  });
  // Every key was checked just above, which the compiler cannot follow.
  return isValid ? (fields as unknown as RunSettings) : undefined;
}

/** The names of the settings in which the second differs from the first. */
export function differences(
  first: RunSettings,
  second: Partial<RunSettings>,
): readonly (keyof RunSettings)[] {
  // The keys of a record that has each setting once.
  const keys = Object.keys(BOUNDS) as (keyof RunSettings)[];
  return keys.filter((key) => second[key] !== undefined && second[key] !== first[key]);
}

/** The names of the parts of one run on the broker. All of them contain the id of the run. */
export interface RunNames {
  /** The id of the run. */
  readonly id: string;
  /** The stream of chunks, a work queue. */
  readonly jobs: string;
  /** The stream of results: a subject for each chunk. */
  readonly log: string;
  /** The stream that holds the last value of each key of the run, such as its end. */
  readonly state: string;
  /** The stream of dead letters. */
  readonly dead: string;
  /** The key-value bucket of leases, and of the workers. */
  readonly leases: string;
  /** Where chunks of a partition are published. */
  jobSubject(partition: number | '*'): string;
  /** Where the results of a chunk are published. */
  logSubject(chunk: number): string;
  stateSubject(key: string): string;
  /** What workers have left of a chunk that they gave back; in the stream of the state. */
  leftSubject(chunk: number | '*'): string;
  deadSubject(key: string): string;
  /** The durable consumer of a partition. */
  consumer(partition: number): string;
  /** Where the collector answers requests. */
  readonly collectorSubject: string;
}

/** A run on the broker: the client, and the names of its parts. */
export interface BrokerRun {
  readonly nats: Nats;
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly names: RunNames;
}

/**
 * The server's own limits are this many times ours, which the sender keeps: nats-server 2.9 drops unfinished jobs when it
 * is killed at its own limit.
 */
const SERVER_LIMIT_FACTOR = 20;

/** Each worker that takes chunks of a partition has some in flight. */
const MAX_IN_FLIGHT = 100_000;

const NS_PER_MS = 1_000_000;

// Error codes of the JetStream API.
const STREAM_NAME_IN_USE = 10058;
const SUBJECTS_OVERLAP = 10065;
const CONSUMER_NOT_FOUND = 10014;
const STREAM_NOT_FOUND = 10059;
/** A message was not the expected one: another client was first. */
export const WRONG_LAST_SEQUENCE = 10071;
/** The status of a pull request whose stream or consumer was deleted. */
const PULL_ENDED = 409;

// What is allowed in the names of streams, in subjects, and in the name of a file.
const RUN_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether this is a valid name for a run. */
export function isRunName(text: string): boolean {
  return RUN_NAME.test(text);
}

/** The name of the run that retries the dead letters of this one. */
export function retryName(run: string): string {
  const [, first = run, tries = '0'] = /^(.*)-retry-(\d{1,9})$/.exec(run) ?? [];
  return `${first}-retry-${Number(tries) + 1}`;
}

export function runNames(run: string): RunNames {
  return {
    id: run,
    jobs: `fanout_${run}_jobs`,
    log: `fanout_${run}_log`,
    state: `fanout_${run}_state`,
    dead: `fanout_${run}_dead`,
    leases: `fanout_${run}`,
    jobSubject: (partition) => `fanout.${run}.jobs.${partition}`,
    logSubject: (chunk) => `fanout.${run}.log.${chunk}`,
    stateSubject: (key) => `fanout.${run}.state.${key}`,
    leftSubject: (chunk) => `fanout.${run}.state.left.${chunk}`,
    deadSubject: (key) => `fanout.${run}.dead.${key}`,
    consumer: (partition) => `p${partition}`,
    collectorSubject: `fanout.${run}.collector`,
  };
}

/** Creates the missing streams of a run. Several processes may call it at once. */
export async function setUpRun(run: BrokerRun, settings: RunSettings): Promise<void> {
  for (const config of streamConfigs(run, settings)) await addStream(run.manager, config);
}

/** Creates the consumer of a partition if it is missing. */
export async function addConsumer(run: BrokerRun, settings: RunSettings, partition: number): Promise<void> {
  await run.manager.consumers.add(run.names.jobs, consumerConfig(run, settings, partition));
}

/**
 * Recreates the consumers of partitions that hold more chunks than they account for: nats-server 2.9 loses some when it
 * is killed. Chunks in flight are then redelivered, and the collector drops the duplicates. Resolves to whether chunks
 * were lost.
 */
export async function redeliverLostChunks(run: BrokerRun, settings: RunSettings): Promise<boolean> {
  const { manager, names } = run;
  const accounted = new Map<string, number>();
  for await (const { name, num_pending, num_ack_pending } of manager.consumers.list(names.jobs)) {
    accounted.set(name, num_pending + num_ack_pending);
  }
  const { state } = await manager.streams.info(names.jobs, { subjects_filter: names.jobSubject('*') });
  let hasLost = false;
  for (let partition = 0; partition < settings.partitions; partition++) {
    const held = accounted.get(names.consumer(partition));
    if (held === undefined || held >= (state.subjects?.[names.jobSubject(partition)] ?? 0)) continue;
    hasLost = true;
    await manager.consumers.delete(names.jobs, names.consumer(partition)).catch(() => false);
    await addConsumer(run, settings, partition);
  }
  return hasLost;
}

/** Deletes the streams of a run. The state comes last, so that a purge that failed can be repeated. */
export async function deleteStreams({ manager, names }: BrokerRun): Promise<void> {
  for (const name of [names.jobs, names.log, names.dead, bucketStream(names), names.state]) {
    await manager.streams.delete(name).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}

/** Whether the broker reports that a stream or consumer does not exist. */
export function isMissing(error: unknown): boolean {
  return [CONSUMER_NOT_FOUND, STREAM_NOT_FOUND, PULL_ENDED].includes(apiErrorCode(error));
}

/** The code of an error of the JetStream API, or of the status of a pull request; 0 for any other error. */
export function apiErrorCode(error: unknown): number {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : 0;
}

/** The version of the format of messages. */
const MESSAGE_VERSION = 1;

/** The headers of a message, with the id of its run and the version of the format. */
export function messageHeaders(
  { nats, names }: Pick<BrokerRun, 'nats' | 'names'>,
  fields: Readonly<Record<string, string>>,
): MsgHdrs {
  const headers = nats.transport.headers();
  headers.set('Fanout-V', String(MESSAGE_VERSION));
  headers.set('Fanout-Run', names.id);
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  return headers;
}

/** A whole number of up to 15 digits in a header, or `undefined`. */
export function numberHeader(headers: MsgHdrs | undefined, name: string): number | undefined {
  const text = headers?.get(name) ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Why a message cannot be read. Another version of fanout may be able to read one that is `newer`. */
interface MessageFault {
  readonly fault: string;
  readonly isNewer: boolean;
}

/** Whether a message belongs to this run and has a version that is known; `undefined` if so. */
export function messageFault(headers: MsgHdrs | undefined, { id }: RunNames): MessageFault | undefined {
  const version = numberHeader(headers, 'Fanout-V');
  if (version === undefined) return { fault: 'it is no message of fanout', isNewer: false };
  const run = headers?.get('Fanout-Run') ?? '';
  if (version > MESSAGE_VERSION) {
    const fault = `it has version ${version}, and this fanout reads version ${MESSAGE_VERSION}`;
    return { fault, isNewer: true };
  }
  if (run === id) return undefined;
  return {
    fault: `it belongs to the run ${printable(run, 50) || '""'}, and this run is ${id}`,
    isNewer: false,
  };
}

/** The stream behind the bucket of leases, as NATS names it. */
function bucketStream({ leases }: RunNames): string {
  return `KV_${leases}`;
}

async function addStream(manager: JetStreamManager, config: NamedConfig): Promise<void> {
  try {
    await manager.streams.add(config);
  } catch (error) {
    // It exists with other settings: another version of this program made it, or the server has other defaults.
    if (apiErrorCode(error) === STREAM_NAME_IN_USE) return;
    // nats-server 2.9 also reports this if another process creates the same stream at this moment.
    if (apiErrorCode(error) !== SUBJECTS_OVERLAP || !(await hasStream(manager, config.name))) throw error;
  }
}

async function hasStream(manager: JetStreamManager, name: string): Promise<boolean> {
  try {
    await manager.streams.info(name);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

type NamedConfig = Partial<StreamConfig> & { name: string };

function streamConfigs(run: BrokerRun, settings: RunSettings): readonly NamedConfig[] {
  const { nats, names } = run;
  const { DiscardPolicy, RetentionPolicy, StorageType } = nats.jetstream;
  const { replicas, maxQueued } = settings;
  const common = { storage: StorageType.File, num_replicas: replicas };
  return [
    {
      ...common,
      name: names.state,
      subjects: [names.stateSubject('>')],
      max_msgs_per_subject: 1,
    },
    {
      ...common,
      name: names.jobs,
      subjects: [names.jobSubject('*')],
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      max_msgs: SERVER_LIMIT_FACTOR * maxQueued + 1000,
      // Messages carry no ids to find duplicates by, and the window costs memory for each message.
      duplicate_window: 100 * NS_PER_MS,
    },
    {
      ...common,
      name: names.log,
      subjects: [names.logSubject(0).replace(/0$/, '*')],
      max_msgs_per_subject: 1,
      duplicate_window: 100 * NS_PER_MS,
    },
    {
      ...common,
      name: names.dead,
      subjects: [names.deadSubject('*')],
      max_msgs_per_subject: 1,
    },
    {
      ...common,
      name: bucketStream(names),
      discard: DiscardPolicy.New,
      subjects: [`$KV.${names.leases}.>`],
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
      deny_delete: true,
      duplicate_window: 100 * NS_PER_MS,
    },
  ];
}

function consumerConfig(
  { nats, names }: BrokerRun,
  settings: RunSettings,
  partition: number,
): Partial<ConsumerConfig> {
  return {
    durable_name: names.consumer(partition),
    filter_subject: names.jobSubject(partition),
    ack_policy: nats.jetstream.AckPolicy.Explicit,
    ack_wait: settings.ackWaitMs * NS_PER_MS,
    max_ack_pending: MAX_IN_FLIGHT,
    max_deliver: -1,
    max_waiting: 4096,
  };
}

/**
 * The value of a key; `undefined` when there is no such key or run, or the value is not JSON. An empty stream is not
 * read: nats-server 2.9 crashes when it is asked for a message of a stream that it is just creating.
 */
export async function readState({ manager, names }: BrokerRun, key: string): Promise<unknown> {
  try {
    if ((await manager.streams.info(names.state)).state.messages === 0) return undefined;
    const message = await manager.streams.getMessage(names.state, { last_by_subj: names.stateSubject(key) });
    return message === null ? undefined : parseJson(message.string());
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The value of a JSON text; `undefined` if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
