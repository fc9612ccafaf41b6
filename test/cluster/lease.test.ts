import { describe, expect, it, onTestFinished } from 'vitest';
import { type BucketEntry, Leases } from '../../src/cluster/lease.ts';
import type { HostState } from '../../src/hosts/retry-policy.ts';

const ACK_WAIT_MS = 60;

const RECORD = { version: '1', host: 'h', isLeaving: false, chunks: 0, urls: 0, urlsPerSecond: 0 };

/** A bucket in memory, which passes changes on a little later. */
class MemoryBucket {
  readonly #entries = new Map<string, BucketEntry>();
  readonly #watchers = new Set<(entry: BucketEntry) => void>();
  #revision = 0;

  async get(key: string): Promise<unknown> {
    return this.#entries.get(key)?.value;
  }

  async put(key: string, value: unknown, revision?: number): Promise<number | undefined> {
    if (revision !== undefined && (this.#entries.get(key)?.revision ?? 0) !== revision) return undefined;
    return this.#store(key, structuredClone(value));
  }

  async remove(key: string): Promise<void> {
    this.#store(key, undefined);
    this.#entries.delete(key);
  }

  async watch(onEntry: (entry: BucketEntry) => void, signal: AbortSignal): Promise<void> {
    for (const entry of this.#entries.values()) if (entry.key.startsWith('live.')) onEntry(entry);
    this.#watchers.add(onEntry);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.#watchers.delete(onEntry);
  }

  /** Loses all that it has; who watches it hears no more. */
  lose(): void {
    this.#entries.clear();
    this.#watchers.clear();
    this.#revision = 0;
  }

  holder(partition: number): unknown {
    return Object(this.#entries.get(`live.lease.${partition}`)?.value).holder;
  }

  #store(key: string, value: unknown): number {
    this.#revision += 1;
    const entry = { key, value, revision: this.#revision, storedAt: String(this.#revision) };
    this.#entries.set(key, entry);
    if (key.startsWith('live.')) for (const watcher of this.#watchers) setImmediate(() => watcher(entry));
    return this.#revision;
  }
}

interface World {
  now: number;
  /** Whether the broker is away for this worker. */
  isAway: boolean;
  readonly lost: (readonly number[] | undefined)[];
  readonly restored: [string, HostState, number][];
  hosts: readonly (readonly [string, HostState])[];
  ticks: number;
  isLeaving: boolean;
}

interface AWorker extends World {
  readonly leases: Leases;
  /** Resolves after `count` further signs of life. */
  ticked(count?: number): Promise<void>;
}

/** A worker with a clock that the test sets. */
async function aWorker(bucket: MemoryBucket, id: string, partitions = 8): Promise<AWorker> {
  const world: World = {
    now: 1000,
    isAway: false,
    lost: [],
    restored: [],
    hosts: [],
    ticks: 0,
    isLeaving: false,
  };
  const leases = new Leases({
    bucket: {
      get: (key) => bucket.get(key),
      put: async (key, value, revision) => {
        if (world.isAway) throw new Error('away');
        return bucket.put(key, value, revision);
      },
      remove: (key) => bucket.remove(key),
      watch: (onEntry, signal) => bucket.watch(onEntry, signal),
    },
    settings: { partitions, ackWaitMs: ACK_WAIT_MS },
    id,
    describe: () => ({ ...RECORD, name: id, isLeaving: world.isLeaving }),
    hosts: {
      states: () => world.hosts,
      restore: (host, state, at) => void world.restored.push([host, state, at]),
    },
    now: () => world.now,
    extend: () => {
      world.ticks += 1;
    },
    lost: (lost) => void world.lost.push(lost),
    changed: () => {},
    ensure: async () => {},
  });
  leases.start();
  onTestFinished(() => leases.close());
  const ticked = async (count = 1): Promise<void> => {
    const until = world.ticks + count;
    while (world.ticks < until) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setImmediate(resolve));
  };
  while (!leases.isReady) await ticked();
  return Object.assign(world, { leases, ticked });
}

const ALL = new Set([0, 1, 2, 3, 4, 5, 6, 7]);

/** Takes what the worker should take; resolves to how many partitions it has then. */
async function takeShare({ leases }: AWorker, active: ReadonlySet<number> = ALL): Promise<number> {
  for (const partition of leases.toTake(active)) await leases.take(partition);
  return leases.held.size;
}

async function releaseSurplus({ leases }: AWorker): Promise<void> {
  await leases.release([...leases.held.keys()].slice(0, leases.surplus));
}

describe('Leases', () => {
  it('are taken by one of two workers that try at once', async () => {
    const bucket = new MemoryBucket();
    const [one, other] = [await aWorker(bucket, 'one'), await aWorker(bucket, 'other')];
    const taken = await Promise.all([one.leases.take(3), other.leases.take(3)]);
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect([one.leases.held.size, other.leases.held.size].sort()).toEqual([0, 1]);
  });

  it.each([
    [8, 1, [8]],
    [8, 2, [4, 4]],
    [8, 3, [3, 3, 2]],
    [2, 3, [1, 1, 0]],
  ])('of %i partitions with chunks are divided between %i workers', async (count, size, expected) => {
    const bucket = new MemoryBucket();
    const active = new Set([...ALL].slice(0, count));
    const workers: AWorker[] = [];
    while (workers.length < size) {
      workers.push(await aWorker(bucket, `w${workers.length}`));
      for (let round = 0; round < 4; round++) {
        for (const worker of workers) await releaseSurplus(worker);
        for (const worker of workers.toReversed()) {
          await worker.ticked();
          await takeShare(worker, active);
        }
      }
    }
    expect(workers.map(({ leases }) => leases.held.size).sort((a, b) => b - a)).toEqual(expected);
    expect(workers.map(({ leases }) => leases.surplus)).toEqual(workers.map(() => 0));
    const held = workers.flatMap(({ leases }) => [...leases.held.keys()]);
    expect(held.toSorted()).toEqual([...active]);
  });

  it('of a worker that leaves are for the others', async () => {
    const bucket = new MemoryBucket();
    const [one, other] = [await aWorker(bucket, 'one'), await aWorker(bucket, 'other')];
    await takeShare(one);
    other.isLeaving = true;
    await other.ticked(2);
    for (let round = 0; round < 8; round++) await takeShare(one);
    expect(one.leases.held.size).toBe(8);
  });

  it('of a silent worker are taken over after the ack wait, by the clock of the observer, with the hosts', async () => {
    const bucket = new MemoryBucket();
    const [dead, heir] = [await aWorker(bucket, 'dead'), await aWorker(bucket, 'heir')];
    await dead.leases.take(2);
    dead.hosts = [
      ['a', { pauseMs: 700 }], // of partition 4
      ['c', { limit: 3 }],
    ];
    await dead.ticked(2);
    while (heir.leases.toTake(new Set([2])).length > 0) await heir.ticked();
    dead.isAway = true;
    await dead.ticked(2);
    const seenAt = heir.now;
    const taken: (readonly number[])[] = [];
    for (const waitMs of [0, ACK_WAIT_MS - 1, 1]) {
      heir.now += waitMs;
      await heir.ticked(2);
      taken.push(heir.leases.toTake(new Set([2])));
    }
    expect(taken).toEqual([[], [], [2]]);
    expect([await heir.leases.take(2), heir.restored]).toEqual([true, [['c', { limit: 3 }, seenAt]]]);
    // The first one is not dead: it notices.
    while (dead.lost.length === 0) await heir.ticked();
    expect([dead.lost, dead.leases.held.size]).toEqual([[[2]], 0]);
  });

  it('of a worker that has left are free at once, whatever became of their release', async () => {
    const bucket = new MemoryBucket();
    const [one, other] = [await aWorker(bucket, 'one'), await aWorker(bucket, 'other')];
    await one.leases.take(2);
    while (other.leases.toTake(new Set([2])).length > 0) await other.ticked();
    await bucket.remove('live.worker.one');
    while (other.leases.toTake(new Set([2])).length === 0) await other.ticked();
    expect(await other.leases.take(2)).toBe(true);
  });

  it('are released with the state of the hosts, which counts from then', async () => {
    const bucket = new MemoryBucket();
    const [one, other] = [await aWorker(bucket, 'one'), await aWorker(bucket, 'other')];
    await one.leases.take(2);
    one.hosts = [['c', { pauseMs: 700 }]];
    await one.leases.release([2]);
    await other.ticked();
    const seenAt = other.now;
    other.now += 50;
    expect(await other.leases.take(2)).toBe(true);
    expect(other.restored).toEqual([['c', { pauseMs: 700 }, seenAt]]);
  });

  it.each([
    ['no list', 'c'],
    ['an entry that is no pair', ['c', 7, null]],
    ['a host of another partition', [['a', { limit: 1 }]]],
    ['a host that is no text', [[{}, { limit: 1 }]]],
  ])('are taken without what is not valid of the hosts: %s', async (_, hosts) => {
    const bucket = new MemoryBucket();
    const worker = await aWorker(bucket, 'w');
    await bucket.put('hosts.2', hosts);
    expect([await worker.leases.take(2), worker.restored]).toEqual([true, []]);
  });

  it('are over when no sign of life has reached the broker for the ack wait, and can be taken again later', async () => {
    const worker = await aWorker(new MemoryBucket(), 'w');
    await worker.leases.take(2);
    await worker.ticked(2);
    worker.isAway = true;
    worker.now += ACK_WAIT_MS - 1;
    expect([worker.leases.check(), worker.lost]).toEqual([true, []]);
    worker.now += 1;
    expect([worker.leases.check(), worker.lost, worker.leases.held.size]).toEqual([false, [undefined], 0]);
    expect(worker.leases.toTake(ALL)).toEqual([]);
    worker.isAway = false;
    await worker.ticked(3);
    expect([worker.leases.check(), worker.leases.toTake(ALL).length]).toEqual([true, 8]);
  });

  it('are repeated in a broker that has lost all, and who watches it sees that', async () => {
    const bucket = new MemoryBucket();
    const [one, other] = [await aWorker(bucket, 'one'), await aWorker(bucket, 'other')];
    await one.leases.take(2);
    bucket.lose();
    while (bucket.holder(2) !== 'one') await one.ticked();
    while (other.leases.toTake(new Set([2])).length > 0) await other.ticked();
    expect([await other.leases.take(2), one.lost]).toEqual([false, []]);
  });

  it('share a rate between the workers that have some, or all without partitions', async () => {
    const bucket = new MemoryBucket();
    const [one, other] = [await aWorker(bucket, 'one'), await aWorker(bucket, 'other')];
    await one.leases.take(2);
    await other.ticked();
    expect([one.leases.sharers, other.leases.sharers]).toEqual([1, 2]); // it has its part before it begins
    await other.leases.take(3);
    await one.ticked();
    expect([one.leases.sharers, other.leases.sharers]).toEqual([2, 2]);
    const [bucket1, names] = [new MemoryBucket(), ['a', 'b', 'c']];
    const workers: AWorker[] = [];
    for (const name of names) workers.push(await aWorker(bucket1, name, 1));
    await workers[0]?.ticked();
    expect(workers[0]?.leases.sharers).toBe(3);
    await workers[2]?.leases.close();
    await workers[0]?.ticked();
    expect(workers[0]?.leases.sharers).toBe(2);
  });

  it.each([1, 8])('are lost by a process that was suspended, with %i partitions', async (partitions) => {
    const bucket = new MemoryBucket();
    const worker = await aWorker(bucket, 'w', partitions);
    await worker.leases.take(0);
    const { epoch } = worker.leases;
    worker.now += ACK_WAIT_MS + 1;
    worker.leases.check();
    expect([worker.lost, worker.leases.held.size, worker.leases.epoch]).toEqual([[undefined], 0, epoch + 1]);
  });
});
