import { FAILURE_KINDS, type FailureKind } from '../model/failure.ts';
import type { Result } from '../model/result.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';

/** A metric whose values are read when it is scraped, so that nothing is counted twice. */
export interface Family {
  readonly type: 'counter' | 'gauge';
  /** With its unit, and `_total` if it is a counter. */
  readonly name: string;
  readonly help: string;
  /** The label names of its samples. */
  readonly labels?: readonly string[];
  /** `undefined` while the value is not known: the metric then has no sample. */
  readonly read: () => Reading | Promise<Reading>;
}

/** The value of a metric without labels, or the samples of one with labels. */
type Reading = number | readonly Sample[] | undefined;

/** One value of a family. Label values are few and known in advance: never a host or a URL. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The longest time that a scrape waits for the broker. */
const BROKER_TIMEOUT_MS = 1000;

/** The connection to the broker, for every role. */
export function connectionFamilies(engine: JetStreamEngine): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_broker_connected',
      help: '1 while this process is connected to the broker, 0 while it waits for it.',
      read: () => (engine.isConnected ? 1 : 0),
    },
  ];
}

/** What waits in the broker, for senders and collectors only: workers are many, and would all ask the same. */
export function queueFamilies(engine: JetStreamEngine): readonly Family[] {
  const ask = <T>(request: () => Promise<T>) =>
    engine.isConnected ? withTimeout(BROKER_TIMEOUT_MS, request()) : Promise.resolve(undefined);
  return [
    {
      type: 'gauge',
      name: 'fanout_queue_chunks',
      help: 'Chunks of the run in the broker: those that wait for a worker, are under way, or have results in the log.',
      labels: ['state'],
      async read() {
        const stats = await ask(() => engine.stats());
        if (stats === undefined) return undefined;
        return [
          { labels: { state: 'waiting' }, value: stats.queued },
          { labels: { state: 'under_way' }, value: stats.inFlight },
          { labels: { state: 'committed' }, value: stats.committed },
        ];
      },
    },
    {
      type: 'gauge',
      name: 'fanout_dead_urls',
      help: 'URLs of the run that no worker survived.',
      read: () => ask(() => engine.deadLetterCount()),
    },
  ];
}

/** The value of a promise, or `undefined` when it fails or takes too long. Does not keep the process alive. */
async function withTimeout<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined).unref();
  });
  try {
    return await Promise.race([promise.catch(() => undefined), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** What metrics show of a collector. */
export interface CollectSource {
  /** `undefined` before it has begun. */
  progress(): CollectProgress | undefined;
  readonly isComplete: boolean;
  /** URLs whose results this process has taken. */
  readonly taken: number;
  /** The size of the run, once the end of the list was sent. */
  readonly total: { readonly chunks: number; readonly urls: number } | undefined;
}

interface CollectProgress {
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
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
      type: 'gauge',
      name: 'fanout_run_urls_done',
      help: 'URLs of the run whose results this process has taken, by verdict.',
      labels: ['verdict'],
      read() {
        const progress = collect.progress();
        if (progress === undefined) return [];
        return [
          { labels: { verdict: 'ok' }, value: progress.ok },
          { labels: { verdict: 'failed' }, value: progress.failed },
        ];
      },
    },
    {
      type: 'gauge',
      name: 'fanout_run_urls',
      help: 'URLs of the run; not there before the list has come to its end.',
      read: () => collect.total?.urls,
    },
    {
      type: 'gauge',
      name: 'fanout_run_chunks_done',
      help: 'Chunks of the run whose results this process has taken.',
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
    {
      type: 'gauge',
      name: 'fanout_run_complete',
      help: '1 when each chunk of the run has its results, 0 before.',
      read: () => (collect.isComplete ? 1 : 0),
    },
  ];
}

/** What a sender has counted since its process began. */
export interface FeedCounts {
  /** Jobs that were read. */
  readonly read: () => number;
  /** Of these, the jobs that were left out on purpose. */
  readonly skipped: () => number;
  /** What the broker has confirmed. */
  readonly sentChunks: () => number;
  readonly sentUrls: () => number;
}

export function feedFamilies({ read, skipped, sentChunks, sentUrls }: FeedCounts): readonly Family[] {
  return [
    {
      type: 'counter',
      name: 'fanout_feed_urls_read_total',
      help: 'URLs read from the inputs.',
      read,
    },
    {
      type: 'counter',
      name: 'fanout_feed_urls_skipped_total',
      help: 'URLs read and left out, as --unique does.',
      read: skipped,
    },
    {
      type: 'counter',
      name: 'fanout_feed_chunks_sent_total',
      help: 'Chunks that this process sent to the broker.',
      read: sentChunks,
    },
    {
      type: 'counter',
      name: 'fanout_feed_urls_sent_total',
      help: 'URLs in the chunks that this process sent.',
      read: sentUrls,
    },
  ];
}

/** What metrics show of a worker. */
export interface WorkSource {
  /** Requests in flight. */
  readonly inFlight: number;
  /** Chunks that it has leased, that it has finished, and that had been delivered before. */
  readonly chunks: Readonly<Record<'leased' | 'finished' | 'redelivered', number>>;
  hosts(): { readonly known: number; readonly paused: number };
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
      read: () => work.chunks.leased,
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
        const { known, paused } = work.hosts();
        return [
          { labels: { state: 'known' }, value: known },
          { labels: { state: 'parked' }, value: paused },
        ];
      },
    },
  ];
}

/** Counts the results of a worker. */
export class ResultCounts {
  readonly #failed = new Map<FailureKind, number>(FAILURE_KINDS.map((kind) => [kind, 0]));
  readonly #observe: (seconds: number) => void;
  #ok = 0;
  #attempts = 0;
  #bytes = 0;

  /** `observe` is called with the duration of the last attempt of each result. */
  constructor(observe: (seconds: number) => void) {
    this.#observe = observe;
  }

  add({ ok, failure, attempts, bytes, durationMs }: Result): void {
    if (ok) this.#ok += 1;
    else this.#failed.set(failure.kind, (this.#failed.get(failure.kind) ?? 0) + 1);
    this.#attempts += attempts;
    this.#bytes += bytes;
    if (attempts > 0) this.#observe(durationMs / 1000);
  }

  /** Every kind of failure has a sample from the start: a rate would miss the first value of a new series. */
  families(): readonly Family[] {
    return [
      {
        type: 'counter',
        name: 'fanout_work_urls_total',
        help: 'URLs with a result, by verdict (ok or failed) and kind of the failure.',
        labels: ['verdict', 'kind'],
        read: () => [
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
