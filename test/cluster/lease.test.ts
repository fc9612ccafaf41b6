import { describe, expect, it, onTestFinished } from 'vitest';
import type { JetStreamEngine } from '../../src/cluster/jetstream-engine.ts';
import { LeasedChunk, Leases } from '../../src/cluster/lease.ts';
import { okResult } from '../model/a-result.ts';

const ACK_WAIT_MS = 30;

/** Leases of one chunk, with a clock that the test sets, a broker that is there or away, and the count of lost chunks. */
function leased(partitions: number, flush: () => Promise<void>) {
  const world = { now: 1000, lost: 0, ticks: 0, tick: () => {} };
  const delivery = {
    id: 0,
    deliveries: 1,
    body: new Uint8Array(),
    extend: () => {
      world.ticks += 1;
      world.tick();
    },
    ack: async () => {},
    giveBack: () => {},
    bury: async () => {},
  };
  const job = { index: 0, source: 's', line: 1, url: 'http://h/' };
  const chunk = new LeasedChunk(delivery, [job], { worker: 'w', leasedSince: world.now });
  // All that leases use of an engine.
  const engine = { settings: { partitions, ackWaitMs: ACK_WAIT_MS }, flush } as unknown as JetStreamEngine;
  const leases = new Leases({
    engine,
    now: () => world.now,
    chunks: () => (world.lost === 0 ? [chunk] : []),
    lost: (chunks) => {
      world.lost += chunks.length;
    },
  });
  leases.start();
  onTestFinished(() => leases.stop());
  /** Resolves after `count` further extensions. */
  const ticks = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const until = world.ticks + count;
      world.tick = () => {
        if (world.ticks >= until) resolve();
      };
    });
  return { world, chunk, leases, ticks };
}

const isThere = () => Promise.resolve();
const isAway = () => Promise.reject(new Error('away'));

async function untilLost(world: { readonly lost: number }): Promise<void> {
  while (world.lost === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('Leases', () => {
  it.each([1, 8])(
    'lose the chunks leased before the process was suspended, with %i partitions',
    async (partitions) => {
      const { world, leases, ticks } = leased(partitions, isThere);
      await ticks(3);
      world.now += ACK_WAIT_MS + 1;
      await untilLost(world);
      expect([leases.isFresh(world.now - 1), leases.isFresh(world.now)]).toEqual([false, true]);
    },
  );

  it('lose, with partitions, a chunk whose extension did not reach the broker in time', async () => {
    const { world, chunk, ticks } = leased(8, isAway);
    world.now += ACK_WAIT_MS;
    await ticks(3);
    expect(world.lost).toBe(0);
    world.now += 1;
    await untilLost(world);
    expect(chunk.leasedSince).toBe(1000);
  });

  it.each([
    ['its extensions reach the broker', 8, isThere],
    ['without partitions, when the broker is away', 1, isAway],
  ])('keep a chunk while %s', async (_, partitions, flush) => {
    const { world, ticks } = leased(partitions, flush);
    for (let step = 0; step < 5; step++) {
      world.now += ACK_WAIT_MS;
      await ticks(2);
    }
    expect(world.lost).toBe(0);
  });

  it('keep a chunk that has all its results and waits to be stored', async () => {
    const { world, chunk, ticks } = leased(8, isAway);
    chunk.add(okResult({ url: 'http://h/' }));
    world.now += 10 * ACK_WAIT_MS;
    await ticks(3);
    expect(world.lost).toBe(0);
  });
});
