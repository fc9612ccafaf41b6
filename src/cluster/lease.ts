import type { KV } from '@nats-io/kv';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { failedRequest } from '../output/failed-list.ts';
import type { Delivery } from './chunk.ts';
import { apiErrorCode, type BrokerRun, type RunSettings, WRONG_LAST_SEQUENCE } from './jetstream-setup.ts';

interface LeaseHolder {
  readonly worker: string;
  readonly leasedSince: number;
}

/** A chunk that is leased to this worker. */
export class LeasedChunk {
  readonly jobs: readonly Job[];
  readonly results: Result[] = [];
  /** The last delivery to this worker: the broker ignores what is sent for earlier ones. */
  delivery: Delivery;
  /** When the last extension that reached the broker was sent: the ack wait counts from then, in ms. */
  leasedSince: number;
  /** Whether the lease is over: the chunk was given back, or another worker has it. */
  isLost = false;
  /** Of a chunk that is fetched URL by URL: resolves when that is over, and the broker knows that no URL is in flight. */
  serialFetch: Promise<void> | undefined;
  /** Resolves when all results are there, or after `release()`. */
  readonly ended: Promise<void>;
  /** Ends the wait for more results. */
  release: () => void = () => {};
  readonly #worker: string;
  /** Made when the first job fails. */
  #jobsByIndex: ReadonlyMap<number, Job> | undefined;

  constructor(delivery: Delivery, jobs: readonly Job[], { worker, leasedSince }: LeaseHolder) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.#worker = worker;
    this.leasedSince = leasedSince;
    this.ended = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** Whether all results are there. */
  get isFetched(): boolean {
    return this.results.length === this.jobs.length;
  }

  /** Adds a result, and to it the name of its worker and, if it failed, what the list of `--failed` repeats of its job. */
  add(result: Result): void {
    const { index, ok } = result;
    const job = ok ? undefined : this.#jobAt(index);
    const request = job && failedRequest(job);
    this.results.push(Object.assign(result, { worker: this.#worker }, request && { request })); // copying that many keys costs as much as encoding them
    if (this.isFetched) this.release();
  }

  #jobAt(index: number): Job | undefined {
    this.#jobsByIndex ??= new Map(this.jobs.map((job) => [job.index, job]));
    return this.#jobsByIndex.get(index);
  }

  /** Adds what an earlier worker has fetched. Returns the jobs without a result. */
  restore(results: readonly Result[]): readonly Job[] {
    const indexes = new Set(this.jobs.map(({ index }) => index));
    for (const result of results) if (indexes.delete(result.index)) this.results.push(result);
    if (this.isFetched) this.release();
    return this.jobs.filter(({ index }) => indexes.has(index));
  }

  /** It was redelivered to this worker: the last extension did not reach the broker in time. */
  redelivered(delivery: Delivery, leasedSince: number): void {
    this.delivery = delivery;
    this.leasedSince = Math.max(this.leasedSince, leasedSince);
  }
}

interface LeasesParts {
  readonly engine: { readonly settings: RunSettings; flush(): Promise<void> };
  readonly now: () => number;
  /** The chunks that are leased now. */
  readonly chunks: () => Iterable<LeasedChunk>;
  /** Called with chunks whose lease may be over. */
  readonly lost: (chunks: readonly LeasedChunk[]) => void;
}

/**
 * Extends the leases of a worker, and notices when that came too late: then another worker has the chunk, and with
 * partitions no two workers may fetch from one host.
 * - A process that was suspended for longer than the ack wait has lost its leases.
 * - With partitions it also loses a lease when no extension reached the broker for that long; without, its results
 *   are still valid.
 */
export class Leases {
  readonly #parts: LeasesParts;
  #timer: NodeJS.Timeout | undefined;
  #checkedAt: number;
  #resumedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#checkedAt = parts.now();
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#reportLost();
      this.extend();
    }, this.#parts.engine.settings.ackWaitMs / 3);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Extends all leases. They count from the time of sending, once the broker has received it. */
  extend(): void {
    const { engine, chunks } = this.#parts;
    const sentAt = this.#checkSuspended();
    const extended = [...chunks()];
    if (extended.length === 0) return;
    for (const { delivery } of extended) delivery.extend();
    const confirm = (): void => {
      for (const chunk of extended) chunk.leasedSince = Math.max(chunk.leasedSince, sentAt);
    };
    engine.flush().then(confirm, () => {}); // the broker is away, and did not receive it
  }

  /** Whether a chunk that was requested at this time may still be leased to this worker. */
  isFresh(requestedAt: number): boolean {
    this.#checkSuspended();
    return requestedAt >= this.#resumedAt;
  }

  #reportLost(): void {
    const { engine, chunks, lost } = this.#parts;
    const { partitions, ackWaitMs } = engine.settings;
    const now = this.#checkSuspended();
    const lostChunks = [...chunks()].filter(
      ({ leasedSince, isFetched }) =>
        !isFetched && (leasedSince < this.#resumedAt || (partitions > 1 && now - leasedSince > ackWaitMs)),
    );
    if (lostChunks.length > 0) lost(lostChunks);
  }

  /** Notices that the process was suspended. Returns the time. */
  #checkSuspended(): number {
    const now = this.#parts.now();
    if (now - this.#checkedAt > this.#parts.engine.settings.ackWaitMs) this.#resumedAt = now;
    this.#checkedAt = now;
    return now;
  }
}

const WORKER_KEY = 'live.worker.';

/** What a worker says of itself, every third of the ack wait. */
export interface WorkerRecord {
  /** As in the results: host and process id. */
  readonly name: string;
  /** The version of fanout. */
  readonly version: string;
  readonly host: string;
  /** It takes no more chunks. */
  readonly isLeaving: boolean;
  /** The partitions that it has leased; none in a run with one partition. */
  readonly partitions: readonly number[];
  /** Chunks in hand. */
  readonly chunks: number;
  /** URLs with a result, since it started. */
  readonly urls: number;
  /** In the time since its last record. */
  readonly urlsPerSecond: number;
}

/** A change of the bucket. */
export interface BucketEntry {
  readonly key: string;
  /** `undefined` if the key was deleted. */
  readonly value: unknown;
  readonly revision: number;
  /** When the broker stored it, by its own clock. */
  readonly storedAt: string;
}

/** Where workers keep leases, what they say of themselves, and the state of hosts. The broker decides who is first. */
export class LeaseBucket {
  readonly #run: BrokerRun;
  #kv: Promise<KV> | undefined;

  constructor(run: BrokerRun) {
    this.#run = run;
  }

  async get(key: string): Promise<unknown> {
    const entry = await (await this.#open()).get(key);
    return entry === null || entry.operation !== 'PUT' ? undefined : parseJson(entry.string());
  }

  /**
   * Resolves to the revision. With `revision`, that of the last value or 0, it resolves to `undefined` if another process has
   * changed it first.
   */
  async put(key: string, value: unknown, revision?: number): Promise<number | undefined> {
    const kv = await this.#open();
    const text = JSON.stringify(value);
    if (revision === undefined) return kv.put(key, text);
    try {
      return await (revision === 0 ? kv.create(key, text) : kv.update(key, text, revision));
    } catch (error) {
      if (apiErrorCode(error) === WRONG_LAST_SEQUENCE) return undefined;
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    await (await this.#open()).purge(key);
  }

  /** Passes on the last value of each key of workers and leases, and then each change, until the signal. */
  async watch(onEntry: (entry: BucketEntry) => void, signal: AbortSignal): Promise<void> {
    const watcher = await (await this.#open()).watch({ key: 'live.>' });
    signal.addEventListener('abort', () => watcher.stop(), { once: true });
    if (signal.aborted) watcher.stop();
    for await (const entry of watcher) {
      if (signal.aborted) return;
      const value = entry.operation === 'PUT' ? parseJson(entry.string()) : undefined;
      onEntry({ key: entry.key, value, revision: entry.revision, storedAt: entry.created.toISOString() });
    }
  }

  /** The last records of all workers, and how long ago the broker has stored each, in ms by both clocks. */
  async workers(nowMs: number): Promise<readonly (WorkerRecord & { readonly silentMs: number })[]> {
    const found: (WorkerRecord & { readonly silentMs: number })[] = [];
    for await (const entry of await (await this.#open()).history({ key: `${WORKER_KEY}*` })) {
      const record = entry.operation === 'PUT' ? toWorkerRecord(parseJson(entry.string())) : undefined;
      if (record) found.push({ ...record, silentMs: Math.max(0, nowMs - entry.created.getTime()) });
    }
    return found;
  }

  #open(): Promise<KV> {
    const { nats, client, names } = this.#run;
    this.#kv ??= new nats.kv.Kvm(client).open(names.leases, { allow_direct: false });
    return this.#kv;
  }
}

/** The workers of a run that are alive, by name. */
export async function listWorkers(
  { leases, settings }: { readonly leases: LeaseBucket; readonly settings: RunSettings },
  nowMs: number,
): Promise<readonly (WorkerRecord & { readonly silentMs: number })[]> {
  const all = await leases.workers(nowMs);
  // Workers are compared with each other by the clock of the broker; ours may differ a little.
  const least = Math.min(...all.map(({ silentMs }) => silentMs));
  return all
    .filter(({ silentMs }) => silentMs - least <= settings.ackWaitMs && least <= 2 * settings.ackWaitMs)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function toWorkerRecord(value: unknown): WorkerRecord | undefined {
  const { name, version, host, partitions, isLeaving, ...counts }: Record<string, unknown> = {
    ...Object(value),
  };
  if (typeof name !== 'string' || typeof version !== 'string' || typeof host !== 'string') return undefined;
  const [chunks, urls, urlsPerSecond] = [counts.chunks, counts.urls, counts.urlsPerSecond].map((count) =>
    typeof count === 'number' && count >= 0 ? count : 0,
  ) as [number, number, number]; // of three values
  return {
    name: printable(name, 150),
    version: printable(version, 50),
    host: printable(host, 150),
    isLeaving: isLeaving === true,
    partitions: Array.isArray(partitions) ? partitions.filter(Number.isSafeInteger) : [],
    ...{ chunks, urls, urlsPerSecond },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
