import { join } from 'node:path';
import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogEntry } from '../../src/cluster/chunk.ts';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { runNames } from '../../src/cluster/jetstream-setup.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsCluster, aNewRun, type NatsServer } from './nats-server.ts';
import { Role } from './role.ts';
import { endOf, statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const COUNT = 1500;

/** Resolves when the brokers have elected a leader: until then, requests to JetStream get no response. */
async function elected(servers: readonly string[]): Promise<void> {
  const connection = await connect({ servers: [...servers] });
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 200 });
  for (let isElected = false; !isElected; ) {
    isElected = await manager.getAccountInfo().then(
      () => true,
      () => false,
    );
  }
  await connection.close();
}

/** The member of a cluster that keeps the newest reader of a stream. */
async function readerOf(stream: string, server: NatsServer): Promise<string | undefined> {
  const connection = await connect({ servers: server.url });
  try {
    const { consumers } = await jetstreamManager(connection, { checkAPI: false });
    const readers: ConsumerInfo[] = [];
    for await (const reader of consumers.list(stream)) readers.push(reader);
    return readers.toSorted((a, b) => a.created.localeCompare(b.created)).at(-1)?.cluster?.leader;
  } finally {
    await connection.close();
  }
}

describe('a run on a cluster of brokers', { timeout: 150_000 }, () => {
  it('continues without one of three brokers (--replicas 3)', async () => {
    const [brokers, origin] = [await aNatsCluster(3), await anOrigin({ logLimit: 1 })];
    const store = join(await tempDir(), 'store.jsonl');
    const list = urls(origin, '/ok', COUNT);
    const servers = brokers.map(({ port }) => `127.0.0.1:${port}`);
    const on = ['--broker', `nats://${servers.join(',')}`, '--run', 'three'];
    const feed = [
      'cluster',
      'feed',
      await aFile(list),
      ...on,
      '--chunk',
      '25',
      '--max-queued',
      '10',
      '--replicas',
      '3',
    ];
    const [feeder, worker, collector] = [
      [...feed, '--ack-wait', '2s'],
      ['cluster', 'work', ...on, '-c', '4'],
      ['cluster', 'collect', ...on, '--manifest', store, '-q'],
    ].map(Role.inProcess);
    await elected(servers);
    feeder?.start();
    await statusWhen(on, () => true);
    worker?.start();
    collector?.start();
    await origin.received(COUNT / 4);
    await brokers[0]?.kill();
    if (collector !== undefined) await endOf(collector, on, feed);
    expect((await collector?.ended)?.code).toBe(0);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    expect((await worker?.ended)?.code).toBe(0);
    expect((await runInProcess(['cluster', 'purge', ...on])).code).toBe(0);
  });

  it('reads its log from another broker when the one that served it is killed', async () => {
    const brokers = await aNatsCluster(3);
    const [own, ...others] = brokers;
    if (own === undefined) throw new Error('There is no cluster');
    const [run, worker] = ['read', 'w'];
    await elected(own.address.servers);
    const settings = { chunk: 1, partitions: 1, ackWaitMs: 2000, maxQueued: 10, replicas: 3 };
    const engine = await openRun(
      { address: own.address, run, warn: () => {}, note: () => {} },
      aNewRun(settings),
    );
    onTestFinished(() => engine.close());
    const signal = new AbortController().signal;
    const commit = { kind: 'results', ok: 1, failed: 0, worker, body: Buffer.from('x') } as const;
    await engine.log.append({ ...commit, chunk: 1 }, signal);

    // A reader on the broker that the test is connected to would be lost with the connection, which is noticed anyway.
    let [entries, reader]: [AsyncIterator<LogEntry> | undefined, string | undefined] = [undefined, undefined];
    while (reader === undefined) {
      entries = engine.log
        .entries({ signal, headersOnly: false, onRestart: () => {} })
        [Symbol.asyncIterator]();
      expect((await entries.next()).value?.chunk).toBe(1);
      const found = await readerOf(runNames(engine.record.id).log, own);
      if (found !== 'n0') reader = found;
      else await entries.return?.();
    }
    await others.find((_, index) => `n${index + 1}` === reader)?.kill();
    await engine.log.append({ ...commit, chunk: 2 }, signal);
    const again = await entries?.next();
    const next = await entries?.next();
    expect([again?.value?.chunk, next?.value?.chunk]).toEqual([1, 2]);
  });
});
