import type { ConsumerConfig, JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import type { Nats } from './broker-connection.ts';
import type { RunSettings } from './run-settings.ts';

/** What the parts of one run are called on the broker. */
export interface RunNames {
  /** The stream of jobs, a work queue. */
  readonly jobs: string;
  /** The stream of results. */
  readonly log: string;
  /** The stream that holds the last word on each key of the run, such as its settings. */
  readonly state: string;
  /** The stream of URLs that no worker survived. */
  readonly dead: string;
  /** Where chunks of a partition are published. */
  jobSubject(partition: number): string;
  readonly logSubject: string;
  stateSubject(key: string): string;
  deadSubject(key: string): string;
  /** The durable consumer of a partition. */
  consumer(partition: number): string;
  /** Where the collector answers what it is asked. */
  readonly collectorSubject: string;
}

// What may stand in the names of streams and in subjects, and in the name of a file.
const RUN_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a run may be called so. */
export function isRunName(text: string): boolean {
  return RUN_NAME.test(text);
}

/** The name of the run in which the dead of this one are tried again. */
export function retryName(run: string): string {
  const [, first = run, tries = '0'] = /^(.*)-retry-(\d{1,9})$/.exec(run) ?? [];
  return `${first}-retry-${Number(tries) + 1}`;
}

export function runNames(run: string): RunNames {
  return {
    jobs: `fanout_${run}_jobs`,
    log: `fanout_${run}_log`,
    state: `fanout_${run}_state`,
    dead: `fanout_${run}_dead`,
    jobSubject: (partition) => `fanout.${run}.jobs.${partition}`,
    logSubject: `fanout.${run}.log`,
    stateSubject: (key) => `fanout.${run}.state.${key}`,
    deadSubject: (key) => `fanout.${run}.dead.${key}`,
    consumer: (partition) => `p${partition}`,
    collectorSubject: `fanout.${run}.collector`,
  };
}

/** The server's own limit is so many times ours, which the sender keeps: see "Bounds" in docs/distributed-details.md. */
const SAFETY = 20;

const NS_PER_MS = 1_000_000;
const NAME_IN_USE = 10058;
const NOT_FOUND: ReadonlySet<number> = new Set([10014, 10059]);

/** Creates what is missing of a run: streams, and a consumer for each partition. May be called by many at once. */
export async function setUp(
  manager: JetStreamManager,
  nats: Nats,
  names: RunNames,
  settings: RunSettings,
): Promise<void> {
  for (const config of streamsOf(nats, names, settings)) await addStream(manager, config);
  for (let partition = 0; partition < settings.partitions; partition++) {
    await manager.consumers.add(names.jobs, consumerOf(nats, names, settings, partition));
  }
}

/** Creates the stream of a run's state, where its settings are. */
export async function setUpState(
  manager: JetStreamManager,
  nats: Nats,
  names: RunNames,
  replicas: number,
): Promise<void> {
  await addStream(manager, stateStream(nats, names, replicas));
}

/**
 * Deletes and creates the consumers when the stream holds more messages than they know of: nats-server 2.9 loses sight of
 * some when it is killed. What is under way is then handed out a second time, which the collector sees.
 */
export async function adoptOrphans(
  manager: JetStreamManager,
  nats: Nats,
  names: RunNames,
  settings: RunSettings,
): Promise<boolean> {
  let known = 0;
  for await (const { num_pending, num_ack_pending } of manager.consumers.list(names.jobs)) {
    known += num_pending + num_ack_pending;
  }
  const { state } = await manager.streams.info(names.jobs);
  if (state.messages <= known) return false;
  for (let partition = 0; partition < settings.partitions; partition++) {
    await manager.consumers.delete(names.jobs, names.consumer(partition)).catch(() => false);
    await manager.consumers.add(names.jobs, consumerOf(nats, names, settings, partition));
  }
  return true;
}

/** Deletes all that there is of a run; its state is the last, so that it can be tried again. */
export async function deleteStreams(manager: JetStreamManager, names: RunNames): Promise<void> {
  for (const name of [names.jobs, names.log, names.dead, names.state]) {
    await manager.streams.delete(name).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}

/** Whether the broker says that a stream or consumer does not exist. */
export function isMissing(error: unknown): boolean {
  return (
    NOT_FOUND.has(codeOf(error)) ||
    (error instanceof Error && /stream not found|deleted/i.test(error.message))
  );
}

/** The code of an error of the JetStream API, 0 of any other error. */
export function codeOf(error: unknown): number {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : 0;
}

async function addStream(manager: JetStreamManager, config: Config): Promise<void> {
  try {
    await manager.streams.add(config);
  } catch (error) {
    // It exists, with settings of its own: of another version of this program, or of a server with defaults of its own.
    if (codeOf(error) !== NAME_IN_USE) throw error;
  }
}

type Config = Partial<StreamConfig> & { name: string };

function streamsOf(nats: Nats, names: RunNames, settings: RunSettings): readonly Config[] {
  const { DiscardPolicy, RetentionPolicy, StorageType } = nats.jetstream;
  const { replicas, maxQueued, maxLog } = settings;
  const common = { storage: StorageType.File, num_replicas: replicas, discard: DiscardPolicy.New };
  return [
    stateStream(nats, names, replicas),
    {
      ...common,
      name: names.jobs,
      subjects: [names.jobSubject(0).replace(/0$/, '*')],
      retention: RetentionPolicy.Workqueue,
      max_msgs: SAFETY * maxQueued + 1000,
      // No message carries an id, and a window costs memory for each one.
      duplicate_window: 100 * NS_PER_MS,
    },
    {
      ...common,
      name: names.log,
      subjects: [names.logSubject],
      max_msgs: SAFETY * maxLog + 1000,
      duplicate_window: 100 * NS_PER_MS,
    },
    {
      name: names.dead,
      subjects: [names.deadSubject('*')],
      storage: StorageType.File,
      num_replicas: replicas,
      max_msgs_per_subject: 1,
    },
  ];
}

function stateStream({ jetstream }: Nats, names: RunNames, replicas: number): Config {
  return {
    name: names.state,
    subjects: [names.stateSubject('*')],
    storage: jetstream.StorageType.File,
    num_replicas: replicas,
    max_msgs_per_subject: 1,
  };
}

function consumerOf(
  { jetstream }: Nats,
  names: RunNames,
  settings: RunSettings,
  partition: number,
): Partial<ConsumerConfig> {
  return {
    durable_name: names.consumer(partition),
    filter_subject: names.jobSubject(partition),
    ack_policy: jetstream.AckPolicy.Explicit,
    ack_wait: settings.ackWaitMs * NS_PER_MS,
    // One chunk of a partition in the whole cluster; otherwise as many as there are lanes, of which nobody knows the number.
    max_ack_pending: settings.partitions > 1 ? 1 : 100_000,
    max_deliver: -1,
    max_waiting: 4096,
  };
}
