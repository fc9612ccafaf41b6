import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Troubles } from '../../src/cluster/broker-connection.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer, freePort, NatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

/** A broker with these lines in its configuration. */
async function aBrokerWith(lines: string): Promise<NatsServer> {
  const config = join(await tempDir(), 'nats.conf');
  await writeFile(config, lines);
  return aNatsServer(['-c', config]);
}

async function streamNames(broker: NatsServer): Promise<string[]> {
  const connection = await connect({ servers: broker.url });
  try {
    const names: string[] = [];
    const manager = await jetstreamManager(connection, { checkAPI: false });
    for await (const name of manager.streams.names()) names.push(name);
    return names.sort();
  } finally {
    await connection.close();
  }
}

function apiError(code: number, message: string): Error {
  return Object.assign(new Error(message), { code });
}

describe('Troubles', () => {
  it.each([
    [apiError(10047, 'insufficient storage resources available'), 'Its store is full: give it more space'],
    [apiError(10077, 'maximum bytes exceeded'), 'Its store is full: give it more space'],
    [apiError(10054, 'message size exceeds maximum allowed'), 'Raise max_payload'],
    [Object.assign(new Error('x'), { name: 'PermissionViolationError' }), 'Give this user the permission'],
    [new Error('timeout'), 'JetStream may be starting'],
  ])('says what to do about %s', (error, advice) => {
    const warnings: string[] = [];
    new Troubles(
      (text) => warnings.push(text),
      () => 0,
    ).report(error);
    expect(warnings).toEqual([expect.stringContaining(advice)]);
  });

  it('reports the same reason again after 10 s, and another one at once', () => {
    const warnings: string[] = [];
    let now = 0;
    const troubles = new Troubles(
      (text) => warnings.push(text),
      () => now,
    );
    for (const [at, reason] of [
      [0, 'a'],
      [9999, 'a'],
      [9999, 'b'],
      [10_000, 'a'],
    ] as const) {
      now = at;
      troubles.report(new Error(reason));
    }
    expect(warnings.map((text) => /sends: (.)/.exec(text)?.[1])).toEqual(['a', 'b', 'a']);
  });
});

describe('a broker that is not there at start', { timeout: 60_000 }, () => {
  it('is waited for, with a message', async () => {
    const [port, origin, cwd] = [await freePort(), await anOrigin(), await tempDir()];
    const broker = new NatsServer(port, join(cwd, 'store'), []);
    onTestFinished(() => broker.kill());
    const on = ['--broker', broker.url, '--run', 'r'];
    const list = urls(origin, '/ok', 5);
    const feed = startInProcess(['cluster', 'feed', await aFile(list), ...on, '--wait', '10m']);
    await feed.stderr.sees('waiting up to 10m (--wait)');
    await broker.start();
    expect((await feed.done).code).toBe(0);
  });
});

describe('a broker with a limit', { timeout: 90_000 }, () => {
  it('is reported when its store is full, and a run can be purged from it', async () => {
    const broker = await aBrokerWith('jetstream { max_file_store: 200KB }');
    const list = Array.from(
      { length: 30_000 },
      (_, index) => `http://127.0.0.1:1/${(index * 7919) % 65_537}/${index}`,
    );
    const on = ['--broker', broker.url, '--run', 'r'];
    const feed = startInProcess(['cluster', 'feed', await aFile(list), ...on]);
    await feed.stderr.sees('Its store is full: give it more space');
    feed.kill('SIGTERM');
    expect((await feed.done).code).toBe(143);
    expect((await runInProcess(['cluster', 'purge', ...on, '--yes'])).code).toBe(0);
    expect(await streamNames(broker)).toEqual(['KV_fanout_runs']);
  });

  it('has its results also with a max_payload of 16 kB, and is refused with less', async () => {
    const [origin, cwd] = [await anOrigin(), await tempDir()];
    const broker = await aBrokerWith('max_payload: 16384');
    const on = ['--broker', broker.url, '--run', 'r'];
    const list = urls(origin, '/ok', 500);
    expect((await runInProcess(['cluster', 'feed', await aFile(list), ...on])).code).toBe(0);
    const work = startInProcess(['cluster', 'work', ...on]);
    const store = join(cwd, 'store.jsonl');
    expect((await runInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q'])).code).toBe(0);
    expect((await work.done).code).toBe(0);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    const tiny = await aBrokerWith('max_payload: 16383');
    const refused = await runInProcess(['cluster', 'status', '--broker', tiny.url, '--run', 'r']);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('set its max_payload to 16384 or more'),
    ]);
  });
});

describe('status', { timeout: 60_000 }, () => {
  it('needs no permission to write, and creates nothing', async () => {
    const reads = ['STREAM.INFO.>', 'STREAM.MSG.GET.>', 'INFO', 'CONSUMER.LIST.>'].map(
      (name) => `"$JS.API.${name}"`,
    );
    const users = `{user: a, password: a}, {user: ro, password: ro, permissions: {publish: [${reads.join(',')}, "fanout.*.collector"], subscribe: ["_INBOX.>"]}}`;
    const broker = await aBrokerWith(`authorization { users: [${users}] }`);
    const as = (user: string) => ['--broker', broker.url.replace('//', `//${user}:${user}@`), '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile(['http://127.0.0.1:1/']), ...as('a')]);
    const { code, stdout, stderr } = await runInProcess(['cluster', 'status', ...as('ro')]);
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining('1 of 1 chunks, 1 URLs'), '']);
  });

  it('of a broker that has lost the streams of a run shows so, and creates them not again', async () => {
    const broker = await aNatsServer();
    const on = ['--broker', broker.url, '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile(['http://127.0.0.1:1/']), ...on]);
    const connection = await connect({ servers: broker.url });
    const manager = await jetstreamManager(connection, { checkAPI: false });
    for (const name of await streamNames(broker))
      if (name.startsWith('fanout_')) await manager.streams.delete(name);
    await connection.close();
    const before = await streamNames(broker);
    const { stdout } = await runInProcess(['cluster', 'status', ...on, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ run: 'r', id: expect.any(String), sent: 0, done: 0 });
    expect(await streamNames(broker)).toEqual(before);
  });
});
