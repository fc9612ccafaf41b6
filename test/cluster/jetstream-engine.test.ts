import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { aNatsServer, aNewRun } from './nats-server.ts';

const SETTINGS = { chunk: 10, partitions: 1, ackWaitMs: 5000, maxQueued: 10, replicas: 1 };
const RUNS = 20;
const WATCHERS = 4;

it('looks for runs while they are created, and the broker survives it', { timeout: 60_000 }, async () => {
  const broker = await aNatsServer();
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  for (let index = 0; index < RUNS; index++) {
    const address = { address: broker.address, run: `run-${index}`, warn, note: warn };
    let isCreated = false;
    const watch = async (): Promise<void> => {
      while (!isCreated) await (await openRun(address).catch(() => undefined))?.close();
    };
    const watching = Array.from({ length: WATCHERS }, watch);
    const created = await openRun(address, aNewRun(SETTINGS));
    isCreated = true;
    await Promise.all(watching);
    expect(created.settings).toEqual(SETTINGS);
    await created.close();
  }
  expect([warnings, broker.isRunning]).toEqual([[], true]);
});

it('refuses to open a run whose subjects a stream of another program has', async () => {
  const broker = await aNatsServer();
  const connection = await connect({ servers: broker.url });
  const { streams } = await jetstreamManager(connection, { checkAPI: false });
  await streams.add({ name: 'other', subjects: ['fanout.*.jobs.*'] });
  await connection.close();
  const address = { address: broker.address, run: 'taken', warn: () => {}, note: () => {} };
  await expect(openRun(address, aNewRun(SETTINGS))).rejects.toThrow('subjects overlap');
});
