import type { KV } from '@nats-io/kv';
import { type HostState, toHostState } from '../hosts/retry-policy.ts';
import { printable } from '../model/printable.ts';
import { pause } from './broker-connection.ts';
import { partitionOf, textHash } from './chunk.ts';
import {
  apiErrorCode,
  type BrokerRun,
  parseJson,
  type RunSettings,
  WRONG_LAST_SEQUENCE,
} from './jetstream-setup.ts';

/** Hosts of a partition whose state is passed on, at most. */
const MAX_HOSTS = 500;

/** Before a watch begins again. */
const WATCH_PAUSE_MS = 500;

/** After this many ack waits without a sign, the record of a worker is deleted. */
const FORGOTTEN_AFTER = 5;

const WORKER_KEY = 'live.worker.';
const LEASE_KEY = 'live.lease.';
const HOSTS_KEY = 'hosts.';

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
  #kv: KV | undefined;

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

  async #open(): Promise<KV> {
    const { nats, client, names } = this.#run;
    this.#kv ??= await new nats.kv.Kvm(client).open(names.leases, { allow_direct: false });
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

/** The state of hosts by the key that the run has for each. */
type HostStates = readonly (readonly [host: string, state: HostState])[];

export interface LeasesParts {
  readonly bucket: Pick<LeaseBucket, 'get' | 'put' | 'remove' | 'watch'>;
  readonly settings: Pick<RunSettings, 'partitions' | 'ackWaitMs'>;
  /** The id of this process in the bucket: no two processes have the same one. */
  readonly id: string;
  /** What this worker says of itself. */
  readonly describe: () => Omit<WorkerRecord, 'partitions'>;
  /** The hosts of this process. */
  readonly hosts: {
    states(now: number): Iterable<readonly [string, HostState]>;
    restore(host: string, state: HostState, at: number): void;
  };
  /** Monotonic, in ms. */
  readonly now: () => number;
  /** Called each third of the ack wait, before this worker says that it is alive. */
  readonly extend: () => void;
  /** Called when the leases of these partitions are over, or of all if unset: others may fetch from their hosts. */
  readonly lost: (partitions?: readonly number[]) => void;
  /** Called when another worker has come, gone, taken or released something. */
  readonly changed: () => void;
  /** Creates what is missing on the broker. */
  readonly ensure: () => Promise<void>;
}

interface SeenEntry extends BucketEntry {
  /** When this process saw it first. */
  readonly at: number;
  /** The watch that saw it last. */
  readonly watch: number;
  /** Of a lease: its holder has left. */
  readonly isFree?: boolean;
}

/**
 * The partitions that this worker has leased, and what it knows of the other workers.
 * - A worker says that it is alive each third of the ack wait. Another one may take over its partitions when it has not seen that for
 *   the ack wait. Each measures this with its own monotonic clock: clocks are not compared.
 * - A worker whose last sign that the broker has confirmed was sent an ack wait ago has lost its leases. Since it counts
 *   from the time of sending, it notices before the others do.
 * - The state of the hosts of a partition is written each third of the ack wait, and when it is released; who takes it next
 *   continues with it.
 * - A run with one partition has no leases: each worker takes any chunk.
 */
export class Leases {
  readonly #parts: LeasesParts;
  readonly #closing = new AbortController();
  /** The last entries of the bucket, by key. */
  readonly #seen = new Map<string, SeenEntry>();
  /** The leased partitions: the revision of each lease, and the state of its hosts as it was last written. */
  readonly #held = new Map<number, { readonly revision: number; hosts: string }>();
  readonly #releasing = new Set<Promise<void>>();
  #watch = 0;
  #restartWatch = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isTicking = false;
  /** When the last sign of life that the broker has confirmed was sent. */
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #checkedAt: number;
  #ownRevision = 0;
  #isReady = false;
  #epoch = 0;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#checkedAt = parts.now();
  }

  /** Whether this worker knows the others. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Grows each time that leases are lost. What was begun before is not valid after that. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The leased partitions. */
  get held(): ReadonlyMap<number, unknown> {
    return this.#held;
  }

  /** The number of workers between which a rate over all hosts is divided. */
  get sharers(): number {
    if (this.#parts.settings.partitions === 1) return Math.max(1, this.#liveWorkers().length);
    return new Set([this.#parts.id, ...this.#holders()]).size;
  }

  start(): void {
    void this.#watchBucket();
    this.#timer = setInterval(() => void this.#tick(), this.#parts.settings.ackWaitMs / 3);
    void this.#tick();
  }

  /** Whether the leases are valid now. Notices if they are over: to be called before each request. */
  check(): boolean {
    const { now, settings } = this.#parts;
    const at = now();
    const wasSuspended = at - this.#checkedAt > settings.ackWaitMs;
    this.#checkedAt = at;
    const isValid = settings.partitions === 1 || at - this.#confirmedAt < settings.ackWaitMs;
    if (wasSuspended || (!isValid && this.#held.size > 0)) {
      this.#epoch += 1;
      this.#held.clear();
      this.#parts.lost();
    }
    return isValid;
  }

  /**
   * Which of the partitions that have chunks this worker should take now. All workers get equal parts; what is left over goes to some of them, one each.
   */
  toTake(active: ReadonlySet<number>): readonly number[] {
    const { id } = this.#parts;
    if (!this.#isReady || !this.check()) return [];
    const workers = this.#liveWorkers();
    const share = active.size / Math.max(1, workers.length);
    const own = [...this.#held.keys()].filter((partition) => active.has(partition)).length;
    // What is left over after equal parts is taken one at a time.
    const count = Math.max(Math.floor(share) - own, own < share ? 1 : 0);
    return (
      [...active]
        .filter((partition) => !this.#held.has(partition) && this.#holderOf(partition) === '')
        // Each worker has an order of its own, so that two seldom try to take the same one.
        .map((partition) => ({ partition, place: textHash(`${id} ${partition}`) }))
        .sort((a, b) => a.place - b.place)
        .slice(0, count)
        .map(({ partition }) => partition)
    );
  }

  /** How many partitions this worker should release, since others have fewer. */
  get surplus(): number {
    const [workers, holders] = [this.#liveWorkers(), this.#holders()];
    const share = holders.length / Math.max(1, workers.length);
    const countOf = (id: string) => holders.filter((holder) => holder === id).length;
    const isUneven = workers.some((id) => countOf(id) < Math.floor(share));
    const most = isUneven ? Math.floor(share) : Math.ceil(share);
    return Math.max(0, this.#held.size - Math.max(1, most));
  }

  /** Leases a partition, and continues with the state of its hosts. Resolves to `false` if another worker was first. */
  async take(partition: number): Promise<boolean> {
    const { bucket, id, now } = this.#parts;
    if (this.#holderOf(partition) !== '') return false;
    const before = this.#seen.get(leaseKey(partition));
    const epoch = this.#epoch;
    const revision = await bucket.put(leaseKey(partition), { holder: id }, before?.revision ?? 0);
    if (revision === undefined) return false;
    // It was written before the release, or before the last sign of its holder.
    const sign = this.#seen.get(WORKER_KEY + holderIn(before?.value)) ?? before;
    const writtenAt = sign?.at ?? now();
    const states = await bucket.get(hostsKey(partition));
    if (this.#epoch !== epoch || !this.check()) return false;
    for (const [host, state] of entriesIn(states))
      if (partitionOf(host, this.#parts.settings.partitions) === partition)
        this.#parts.hosts.restore(host, toHostState(state), writtenAt);
    this.#held.set(partition, { revision, hosts: '' });
    this.#parts.changed();
    return true;
  }

  /** Ends leases, for other workers: nothing may be in flight to their hosts. */
  release(partitions: readonly number[]): Promise<void> {
    const releasing = this.#release(partitions).finally(() => this.#releasing.delete(releasing));
    this.#releasing.add(releasing);
    return releasing;
  }

  async #release(partitions: readonly number[]): Promise<void> {
    const { bucket } = this.#parts;
    this.check();
    const released = partitions.flatMap((partition) => {
      const held = this.#held.get(partition);
      return held === undefined ? [] : [{ partition, held }];
    });
    const states = this.#statesByPartition(new Set(released.map(({ partition }) => partition)));
    for (const { partition } of released) this.#held.delete(partition);
    await Promise.all(
      released.map(async ({ partition, held }) => {
        await this.#writeHosts(partition, held, states.get(partition) ?? []);
        await bucket.put(leaseKey(partition), { holder: '' }, held.revision);
      }),
    ).catch(() => {}); // the broker is away: others take them over after the ack wait
  }

  /** Says at once what is new of this worker, and not only with the next sign. */
  announce(): void {
    void this.#tick({ isExtra: true });
  }

  /** Releases everything, and leaves the list of workers. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    void this.release([...this.#held.keys()]);
    await Promise.all(this.#releasing);
    this.#closing.abort();
    this.#restartWatch.abort();
    await this.#parts.bucket.remove(WORKER_KEY + this.#parts.id).catch(() => {});
  }

  async #tick({ isExtra = false } = {}): Promise<void> {
    const { bucket, id, describe, extend, ensure, now } = this.#parts;
    if (this.#isTicking || this.#closing.signal.aborted) return;
    this.#isTicking = true;
    try {
      this.check();
      extend();
      const sentAt = now();
      const hasArrived = this.#seen.get(WORKER_KEY + id)?.revision === this.#ownRevision;
      if (!hasArrived && !isExtra && this.#ownRevision > 0) this.#restartWatch.abort();
      const record = { ...describe(), partitions: [...this.#held.keys()].sort((a, b) => a - b) };
      this.#ownRevision = (await bucket.put(WORKER_KEY + id, record)) ?? 0;
      this.#confirmedAt = Math.max(this.#confirmedAt, sentAt);
      await this.#renew();
    } catch {
      await ensure().catch(() => {}); // the broker is away, or has lost its data
      this.#restartWatch.abort();
      setTimeout(() => void this.#tick(), WATCH_PAUSE_MS).unref();
    } finally {
      this.#isTicking = false;
    }
  }

  /** Writes the state of hosts, repeats leases that the broker has lost, and deletes the records of dead workers. */
  async #renew(): Promise<void> {
    const { bucket, id, now, settings } = this.#parts;
    const states = this.#statesByPartition(this.#held);
    for (const [partition, held] of this.#held) {
      if (this.#isReady && !this.#seen.has(leaseKey(partition))) {
        const revision = await bucket.put(leaseKey(partition), { holder: id }, 0);
        if (revision !== undefined) this.#held.set(partition, { ...held, revision });
      }
      if (!this.check()) return;
      await this.#writeHosts(partition, held, states.get(partition) ?? []);
    }
    for (const { key, at } of this.#seen.values())
      if (key.startsWith(WORKER_KEY) && now() - at > FORGOTTEN_AFTER * settings.ackWaitMs)
        await bucket.remove(key);
  }

  async #writeHosts(partition: number, held: { hosts: string }, states: HostStates): Promise<void> {
    const text = states.length === 0 ? '' : JSON.stringify(states);
    if (text === held.hosts) return;
    await this.#parts.bucket.put(hostsKey(partition), states);
    held.hosts = text;
  }

  #statesByPartition(wanted: {
    readonly size: number;
    has(partition: number): boolean;
  }): ReadonlyMap<number, HostStates> {
    const { hosts, now, settings } = this.#parts;
    const found = new Map<number, (readonly [string, HostState])[]>();
    if (wanted.size === 0) return found;
    for (const entry of hosts.states(now())) {
      const partition = partitionOf(entry[0], settings.partitions);
      if (!wanted.has(partition)) continue;
      const states = found.get(partition) ?? [];
      if (states.length < MAX_HOSTS) found.set(partition, [...states, entry]);
    }
    return found;
  }

  /** Reads the changes of the bucket. Begins again when it ends, and when what this worker wrote does not arrive. */
  async #watchBucket(): Promise<void> {
    const { bucket } = this.#parts;
    while (!this.#closing.signal.aborted) {
      this.#restartWatch = new AbortController();
      this.#watch += 1;
      await bucket.watch((entry) => this.#onEntry(entry), this.#restartWatch.signal).catch(() => {});
      if (!this.#closing.signal.aborted) await pause(WATCH_PAUSE_MS, this.#closing.signal);
    }
  }

  #onEntry(entry: BucketEntry): void {
    const { id, now, changed, lost } = this.#parts;
    const { key, value, revision, storedAt } = entry;
    const known = this.#seen.get(key);
    // After the watch has begun again, what is known already is not new.
    const isKnown = known?.revision === revision && known.storedAt === storedAt;
    if (value === undefined) this.#seen.delete(key);
    else this.#seen.set(key, { ...entry, at: isKnown ? known.at : now(), watch: this.#watch });
    if (key === WORKER_KEY + id) {
      // All that was stored before has arrived: the rest is of a bucket that was lost.
      for (const { key: old, watch } of this.#seen.values()) if (watch < this.#watch) this.#seen.delete(old);
      this.#isReady = true;
    }
    const partition = Number(key.slice(LEASE_KEY.length));
    // Who has left has no leases, whatever became of their release.
    if (key.startsWith(WORKER_KEY) && value === undefined)
      for (const [old, lease] of this.#seen)
        if (WORKER_KEY + holderIn(lease.value) === key) this.#seen.set(old, { ...lease, isFree: true });
    const held = key.startsWith(LEASE_KEY) ? this.#held.get(partition) : undefined;
    if (held !== undefined && revision > held.revision && holderIn(value) !== id) {
      this.#held.delete(partition);
      lost([partition]);
    }
    if (!isKnown) changed();
  }

  /** The ids of the workers that are alive and take chunks. */
  #liveWorkers(): readonly string[] {
    const { id, now, settings } = this.#parts;
    return [...this.#seen.values()]
      .filter(({ key, value }) => key.startsWith(WORKER_KEY) && Object(value).isLeaving !== true)
      .filter(({ key, at }) => key === WORKER_KEY + id || now() - at < settings.ackWaitMs)
      .map(({ key }) => key.slice(WORKER_KEY.length));
  }

  /** The id of the worker that holds a lease, or `''`. */
  #holderOf(partition: number): string {
    if (this.#held.has(partition)) return this.#parts.id;
    const entry = this.#seen.get(leaseKey(partition));
    const holder = holderIn(entry?.value);
    if (entry === undefined || entry.isFree || holder === this.#parts.id) return '';
    // Without a record of its holder, it counts from the lease.
    const { at } = this.#seen.get(WORKER_KEY + holder) ?? entry;
    return this.#parts.now() - at < this.#parts.settings.ackWaitMs ? holder : ''; // which is '' if it was released
  }

  /** The holder of each lease that is held. */
  #holders(): readonly string[] {
    const others = [...this.#seen.keys()]
      .filter((key) => key.startsWith(LEASE_KEY))
      .map((key) => this.#holderOf(Number(key.slice(LEASE_KEY.length))))
      .filter((holder) => holder !== '' && holder !== this.#parts.id);
    return [...others, ...[...this.#held.keys()].map(() => this.#parts.id)];
  }
}

const leaseKey = (partition: number): string => `${LEASE_KEY}${partition}`;
const hostsKey = (partition: number): string => `${HOSTS_KEY}${partition}`;

function holderIn(value: unknown): string {
  const { holder }: Record<string, unknown> = { ...Object(value) };
  return typeof holder === 'string' ? holder : '';
}

/** The hosts and their states, not checked, in what a worker has written. */
function entriesIn(value: unknown): readonly (readonly [string, unknown])[] {
  const entries: readonly unknown[] = Array.isArray(value) ? value.slice(0, MAX_HOSTS) : [];
  return entries.flatMap((entry) =>
    Array.isArray(entry) && typeof entry[0] === 'string' ? [[entry[0], entry[1]] as const] : [],
  );
}
