import { describe, expect, it, onTestFinished } from 'vitest';
import { type JetStreamEngine, openRun } from '../../src/cluster/jetstream-engine.ts';
import { listWorkers } from '../../src/cluster/lease.ts';
import { aNatsServer, aNewRun } from './nats-server.ts';

const SETTINGS = { chunk: 10, partitions: 4, ackWaitMs: 5000, maxQueued: 10, replicas: 1 };

const RECORD = {
  name: 'web1-7',
  version: '1.2.3',
  host: 'web1',
  isLeaving: false,
  partitions: [1, 3],
  chunks: 2,
  urls: 700,
  urlsPerSecond: 12.5,
};

async function anOpenRun(): Promise<JetStreamEngine> {
  const broker = await aNatsServer();
  const address = { address: broker.address, run: 'leased', warn: () => {}, note: () => {} };
  const engine = await openRun(address, aNewRun(SETTINGS));
  onTestFinished(() => engine.close());
  return engine;
}

describe('listWorkers()', () => {
  it('lists what the workers say of themselves, by name', async () => {
    const engine = await anOpenRun();
    expect(await listWorkers(engine, Date.now())).toEqual([]);
    await engine.leases.put('live.worker.b', { ...RECORD, name: 'web2-1', partitions: [] });
    await engine.leases.put('live.worker.a', RECORD);
    await engine.leases.put('live.worker.c', { name: 'of another version' });
    await engine.leases.put('live.worker.d', RECORD);
    await engine.leases.remove('live.worker.d');
    expect(await listWorkers(engine, Date.now())).toEqual([
      { ...RECORD, silentMs: expect.any(Number) },
      { ...RECORD, name: 'web2-1', partitions: [], silentMs: expect.any(Number) },
    ]);
  });

  it('leaves out those that were silent for longer than the ack wait', async () => {
    const engine = await anOpenRun();
    await engine.leases.put('live.worker.a', RECORD);
    expect(await listWorkers(engine, Date.now() + 3 * SETTINGS.ackWaitMs)).toEqual([]);
  });
});

describe('LeaseBucket', () => {
  it('stores a value only over the revision that is known', async () => {
    const { leases } = await anOpenRun();
    const first = await leases.put('live.lease.1', { holder: 'a' }, 0);
    expect(first).toBeGreaterThan(0);
    expect(await leases.put('live.lease.1', { holder: 'b' }, 0)).toBeUndefined();
    const second = await leases.put('live.lease.1', { holder: 'b' }, first);
    expect(second).toBeGreaterThan(first ?? 0);
    expect(await leases.put('live.lease.1', { holder: 'c' }, first)).toBeUndefined();
    expect(await leases.get('live.lease.1')).toEqual({ holder: 'b' });
    expect(await leases.get('live.lease.2')).toBeUndefined();
  });

  it('passes on what is there, and then each change, until the signal', async () => {
    const { leases } = await anOpenRun();
    await leases.put('live.lease.1', 1);
    await leases.put('hosts.1', 'not watched');
    const seen: [string, unknown][] = [];
    const ending = new AbortController();
    const watching = leases.watch(({ key, value }) => {
      seen.push([key, value]);
      if (seen.length === 1) void leases.put('live.worker.a', 2);
      if (seen.length === 2) void leases.remove('live.worker.a');
      if (seen.length === 3) ending.abort();
    }, ending.signal);
    await watching;
    expect(seen).toEqual([
      ['live.lease.1', 1],
      ['live.worker.a', 2],
      ['live.worker.a', undefined],
    ]);
  });
});
