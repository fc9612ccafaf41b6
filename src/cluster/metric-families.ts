import type { Registry } from 'prom-client';
import { errorCode, UsageError } from '../model/errors.ts';
import { FAILURE_KINDS, type FailureKind } from '../model/failure.ts';
import type { Result } from '../model/result.ts';

/** The package that writes metrics, installed with fanout where npm does not leave out what is optional. */
export type PromClient = typeof import('prom-client');

/** Loads it on use. Throws a `UsageError` that says how to install it when it is missing. */
export async function loadPromClient(): Promise<PromClient> {
  try {
    return (await import('prom-client')).default;
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError(
      'Cannot serve metrics: the package for them is not installed; type "npm install prom-client@15"',
      { cause: error },
    );
  }
}

/** One value of a family, told from others by its labels: of few, known values, and never a host or a URL. */
interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric whose values are looked up when it is asked for, so that nothing is counted twice. */
export interface Family {
  readonly type: 'counter' | 'gauge';
  /** With its unit, and `_total` where it is a counter. */
  readonly name: string;
  readonly help: string;
  /** The names of the labels of its samples. */
  readonly labels?: readonly string[];
  /** `undefined` of what is not known at the time. */
  readonly read: () => Reading | Promise<Reading>;
}

type Reading = number | readonly Sample[] | undefined;

export type OpenMetricsRegistry = Registry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>;

/** Makes a family part of what is shown. */
export function register(prom: PromClient, registry: OpenMetricsRegistry, family: Family): void {
  const { type, name, help, labels = [], read } = family;
  const Metric = type === 'counter' ? prom.Counter : prom.Gauge;
  const metric = new Metric({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    async collect() {
      const reading = await read();
      metric.reset();
      if (labels.length === 0) metric.remove();
      for (const { labels: own, value } of samplesOf(reading)) metric.inc(own, value);
    },
  });
}

function samplesOf(reading: Reading): readonly Sample[] {
  if (reading === undefined) return [];
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
}

/** What a promise gives, or `undefined` when it fails or takes longer than this. Keeps no process alive. */
async function within<T>(ms: number, asked: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined).unref();
  });
  try {
    return await Promise.race([asked.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a broker can be asked of a run; the parts of its engine that are needed here. */
export interface BrokerSource {
  readonly isConnected: boolean;
  stats(): Promise<BrokerStats>;
  deadCount(): Promise<number>;
}

interface BrokerStats {
  readonly queued: number;
  readonly underWay: number;
  readonly logged: number;
}

/** Whoever asks for metrics does not wait longer than this for a broker that is away. */
const ASK_MS = 1000;

/** Whether there is a broker: for every role. */
export function connectionFamilies(broker: Pick<BrokerSource, 'isConnected'>): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_broker_connected',
      help: '1 while this process is connected to the broker, 0 while it waits for it.',
      read: () => (broker.isConnected ? 1 : 0),
    },
  ];
}

/** How much waits in the broker: for whoever feeds or collects, since workers are many. */
export function queueFamilies(broker: BrokerSource): readonly Family[] {
  const ask = <T>(question: () => Promise<T>) =>
    broker.isConnected ? within(ASK_MS, question()) : Promise.resolve(undefined);
  return [
    {
      type: 'gauge',
      name: 'fanout_queue_chunks',
      help: 'Chunks of the run in the broker: those that wait for a worker, are under way, or wait for the collector.',
      labels: ['state'],
      async read() {
        const stats = await ask(() => broker.stats());
        if (stats === undefined) return undefined;
        const { queued, underWay, logged } = stats;
        return [
          { labels: { state: 'waiting' }, value: queued },
          { labels: { state: 'under_way' }, value: underWay },
          { labels: { state: 'uncollected' }, value: logged },
        ];
      },
    },
    {
      type: 'gauge',
      name: 'fanout_dead_urls',
      help: 'URLs of the run that no worker survived.',
      read: () => ask(() => broker.deadCount()),
    },
  ];
}

/** How a collector stands; the parts of it that are needed here. `undefined` before it has begun. */
export interface CollectSource {
  progress(): CollectProgress | undefined;
  readonly isComplete: boolean;
  /** URLs whose results came in this process, and were not in its file before. */
  readonly taken: number;
  /** All of the run, once the list has come to its end. */
  readonly total: { readonly chunks: number; readonly urls: number } | undefined;
}

interface CollectProgress {
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
  readonly duplicates: number;
  readonly oldest: number;
}

export function collectFamilies(collect: CollectSource): readonly Family[] {
  return [
    {
      type: 'counter',
      name: 'fanout_collect_urls_total',
      help: 'URLs whose results this process took from the log.',
      read: () => collect.taken,
    },
    {
      type: 'counter',
      name: 'fanout_collect_duplicate_chunks_total',
      help: 'Results of chunks that had some already, and were dropped by this process.',
      read: () => collect.progress()?.duplicates ?? 0,
    },
    {
      type: 'gauge',
      name: 'fanout_run_urls_done',
      help: 'URLs of the run with a result, by verdict, those of earlier collectors included.',
      labels: ['verdict'],
      read: () => verdicts(collect.progress()),
    },
    {
      type: 'gauge',
      name: 'fanout_run_urls',
      help: 'URLs of the run; not there before the list has come to its end.',
      read: () => collect.total?.urls,
    },
    ...chunkFamilies(collect),
    {
      type: 'gauge',
      name: 'fanout_run_complete',
      help: '1 when each chunk of the run has its results, 0 before.',
      read: () => (collect.isComplete ? 1 : 0),
    },
  ];
}

function chunkFamilies(collect: CollectSource): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_run_chunks_done',
      help: 'Chunks of the run that are finished.',
      read: () => collect.progress()?.chunks,
    },
    {
      type: 'gauge',
      name: 'fanout_run_chunks',
      help: 'Chunks of the run; not there before the list has come to its end.',
      read: () => collect.total?.chunks,
    },
    {
      type: 'gauge',
      name: 'fanout_run_oldest_unfinished_chunk',
      help: 'The lowest chunk without a result; one that stays while others finish is in trouble.',
      read: () => (collect.isComplete ? undefined : collect.progress()?.oldest),
    },
  ];
}

function verdicts(progress: CollectProgress | undefined): readonly Sample[] {
  if (progress === undefined) return [];
  return [
    { labels: { verdict: 'ok' }, value: progress.ok },
    { labels: { verdict: 'failed' }, value: progress.failed },
  ];
}

/** What whoever feeds a run has counted, since this process began. */
export interface FeedCounts {
  /** Jobs that were read, and those of them that were left out on purpose. */
  readonly read: () => number;
  readonly skipped: () => number;
  /** What the broker has confirmed. */
  readonly sentChunks: () => number;
  readonly sentUrls: () => number;
}

export function feedFamilies({ read, skipped, sentChunks, sentUrls }: FeedCounts): readonly Family[] {
  return [
    counter('fanout_feed_urls_read_total', 'URLs read from the inputs.', read),
    counter('fanout_feed_urls_skipped_total', 'URLs read and left out, as --unique does.', skipped),
    counter('fanout_feed_chunks_sent_total', 'Chunks that this process sent to the broker.', sentChunks),
    counter('fanout_feed_urls_sent_total', 'URLs in the chunks that this process sent.', sentUrls),
  ];
}

function counter(name: string, help: string, read: () => number): Family {
  return { type: 'counter', name, help, read };
}

/** How a worker stands; the parts of it that are needed here. */
export interface WorkSource {
  /** Requests under way. */
  readonly inFlight: number;
  /** Chunks that it is at, whose results are in the log, and that came after they had been handed out before. */
  readonly chunks: Readonly<Record<'inHand' | 'finished' | 'redelivered', number>>;
  hosts(): { readonly known: number; readonly parked: number };
}

/** Counts the results of a worker. */
export class WorkCounts {
  readonly #failed = new Map<FailureKind, number>(FAILURE_KINDS.map((kind) => [kind, 0]));
  readonly #observe: (seconds: number) => void;
  #ok = 0;
  #attempts = 0;
  #bytes = 0;

  /** `observe` is told how long each last attempt took. */
  constructor(observe: (seconds: number) => void) {
    this.#observe = observe;
  }

  take({ ok, failure, attempts, bytes, durationMs }: Result): void {
    if (ok) this.#ok += 1;
    else this.#failed.set(failure.kind, (this.#failed.get(failure.kind) ?? 0) + 1);
    this.#attempts += attempts;
    this.#bytes += bytes;
    if (attempts > 0) this.#observe(durationMs / 1000);
  }

  /** The kinds are all there from the start: a rate would not see the first of a new one. */
  families(): readonly Family[] {
    return [
      {
        type: 'counter',
        name: 'fanout_work_urls_total',
        help: 'URLs with a result, by verdict (ok or failed) and kind of the failure.',
        labels: ['verdict', 'kind'],
        read: (): readonly Sample[] => [
          { labels: { verdict: 'ok', kind: 'none' }, value: this.#ok },
          ...[...this.#failed].map(([kind, value]) => ({ labels: { verdict: 'failed', kind }, value })),
        ],
      },
      {
        type: 'counter',
        name: 'fanout_work_attempts_total',
        help: 'Attempts for these URLs, redirect hops not counted.',
        read: () => this.#attempts,
      },
      {
        type: 'counter',
        name: 'fanout_work_received_bytes_total',
        help: 'Bytes of the bodies of these URLs, decoded, as far as they were read.',
        read: () => this.#bytes,
      },
    ];
  }
}

export function workFamilies(work: WorkSource): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_work_requests_in_flight',
      help: 'Requests under way.',
      read: () => work.inFlight,
    },
    {
      type: 'gauge',
      name: 'fanout_work_chunks_in_hand',
      help: 'Chunks that this worker is at.',
      read: () => work.chunks.inHand,
    },
    {
      type: 'counter',
      name: 'fanout_work_chunks_finished_total',
      help: 'Chunks whose results this worker put into the log.',
      read: () => work.chunks.finished,
    },
    {
      type: 'counter',
      name: 'fanout_work_chunks_redelivered_total',
      help: 'Chunks that this worker got after they had been handed out before.',
      read: () => work.chunks.redelivered,
    },
    {
      type: 'gauge',
      name: 'fanout_work_hosts',
      help: 'Hosts that are remembered, and those of them that get nothing for now (a pause or an open breaker).',
      labels: ['state'],
      read() {
        const { known, parked } = work.hosts();
        return [
          { labels: { state: 'known' }, value: known },
          { labels: { state: 'parked' }, value: parked },
        ];
      },
    },
  ];
}
