import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { runNames } from '../../src/cluster/jetstream-setup.ts';
import { isRunId } from '../../src/cluster/run-registry.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer, type NatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const FEW = Array.from({ length: 50 }, (_, index) => `http://127.0.0.1:1/${index}`);

async function idOf(broker: NatsServer, run: string): Promise<string> {
  const engine = await openRun({ address: broker.address, run, warn: () => {}, note: () => {} });
  onTestFinished(() => engine.close());
  return engine.record.id;
}

describe('a run with a name that was used before', { timeout: 60_000 }, () => {
  it('is another run with --new or after a purge, and never gives the results of the first one', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const on = ['--broker', broker.url, '--run', 'nightly'];
    const days = ['/ok', '/ok/second', '/ok/third'].map((path) => urls(origin, path, 20));
    const list = join(cwd, 'urls.txt');
    const ids: string[] = [];
    for (const [day, today] of days.entries()) {
      await writeFile(list, today.map((url) => `${url}\n`).join(''));
      if (day > 0) {
        const refused = await runInProcess(['cluster', 'feed', list, ...on]);
        expect([refused.code, refused.stderr]).toEqual([
          2,
          expect.stringMatching(
            /^error: the run "nightly" \(\w{26}, started .* use --new to start a new run/,
          ),
        ]);
        expect(refused.stderr.match(/urls\.txt" \(\d+ bytes, changed \S+, SHA-256 \w{12}…\)/g)).toHaveLength(
          2,
        );
      }
      if (day === 2) expect((await runInProcess(['cluster', 'purge', ...on])).code).toBe(0);
      const isNew = day === 1 ? ['--new'] : [];
      expect((await runInProcess(['cluster', 'feed', list, ...on, ...isNew])).code).toBe(0);
      ids.push(await idOf(broker, 'nightly'));
      const work = startInProcess(['cluster', 'work', ...on]);
      const store = join(cwd, `${day}.jsonl`);
      expect((await runInProcess(['cluster', 'collect', ...on, '--manifest', store, '-q'])).code).toBe(0);
      expect((await work.done).code).toBe(0);
      expect(await urlsInFile(store)).toEqual(today.toSorted());
    }
    expect([new Set(ids).size, ids.every(isRunId)]).toEqual([3, true]);
    const listed = await runInProcess(['cluster', 'runs', '--broker', broker.url]);
    // The second one was purged, and the first one has lost its name.
    expect(listed.stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 6))).toEqual([
      [ids[0], expect.any(String), 'complete', '100%', expect.any(String), '(nightly)'],
      [ids[2], expect.any(String), 'complete', '100%', expect.any(String), 'nightly'],
      [''],
    ]);
    const json = await runInProcess(['cluster', 'runs', '--broker', broker.url, '--json']);
    expect(
      json.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { id: ids[0], hasName: false, state: 'complete', chunksDone: 1, chunks: 1 },
      { id: ids[2], hasName: true, inputs: [{ name: list, size: expect.any(Number) }] },
    ]);
    // The first run is still there under its id.
    const again = join(cwd, 'again.jsonl');
    const first = ['--broker', broker.url, '--run', ids[0] ?? '', '--json', '-o', again];
    expect((await runInProcess(['cluster', 'collect', ...first])).code).toBe(0);
    expect(await urlsInFile(again)).toEqual(days[0]?.toSorted());
  });

  it.each([
    ['an unchanged file', async (path: string) => path, 0],
    [
      'a file that was only touched',
      async (path: string) => {
        await utimes(path, 1, 1);
        return path;
      },
      0,
    ],
    [
      'a file with one more line',
      async (path: string) => {
        await writeFile(path, `${await readFile(path, 'utf8')}http://127.0.0.1:1/more\n`);
        return path;
      },
      2,
    ],
    ['a file of another name', () => aFile(FEW, 'other.txt'), 2],
  ])('is continued with %s or refused', async (_, change, code) => {
    const broker = await aNatsServer();
    const on = ['--broker', broker.url, '--run', 'r'];
    const file = await aFile(FEW);
    expect((await runInProcess(['cluster', 'feed', file, ...on])).code).toBe(0);
    const again = await runInProcess(['cluster', 'feed', await change(file), ...on]);
    expect([again.code, again.stderr]).toEqual([
      code,
      expect.stringContaining('use --new to start a new run'),
    ]);
  });

  it.each([
    ['the same list', FEW, 0],
    ['another list', FEW.toReversed(), 2],
    ['a longer list', [...FEW, 'http://127.0.0.1:1/more'], 2],
    ['a shorter list', FEW.slice(0, -1), 2],
  ])('compares %s from standard input', async (_, second, code) => {
    const broker = await aNatsServer();
    const feed = ['cluster', 'feed', '-', '--broker', broker.url, '--run', 'r', '--chunk', '7'];
    const [first, again] = [FEW, second].map((list) => list.map((url) => `${url}\n`).join(''));
    expect((await runInProcess(feed, { stdin: first ?? '' })).code).toBe(0);
    const { code: found, stderr } = await runInProcess(feed, { stdin: again ?? '' });
    expect([found, stderr]).toEqual([code, expect.stringContaining('use --new to start a new run')]);
  });

  it('refuses a worker with other options, and names the option', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const on = ['--broker', broker.url, '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile([`${origin.url}/gate/g`]), ...on]);
    startInProcess(['cluster', 'work', ...on, '-H', 'x-key: secret']);
    await origin.waiting('g', 1);
    for (const [flags, name] of [
      [['-H', 'x-key: other'], '--header'],
      [['-H', 'x-key: secret', '--contains', 'x'], '--contains'],
    ] as const) {
      const { code, stderr } = await runInProcess(['cluster', 'work', ...on, ...flags]);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining(`${name} differs from that of its first worker`),
      ]);
      expect(stderr).not.toContain('secret');
    }
  });
});

describe('a worker of a run that was purged', { timeout: 60_000 }, () => {
  it('ends, and creates nothing again', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const on = ['--broker', broker.url, '--run', 'r'];
    const list = [`${origin.url}/gate/g`, ...urls(origin, '/ok', 3)];
    await runInProcess(['cluster', 'feed', await aFile(list), ...on, '--chunk', '1', '--ack-wait', '1s']);
    const id = await idOf(broker, 'r');
    const roles = [
      startInProcess(['cluster', 'work', ...on]),
      startInProcess(['cluster', 'collect', ...on, '--manifest', join(cwd, 'store'), '-q']),
    ];
    await origin.waiting('g', 1);
    const asked = await runInProcess(['cluster', 'purge', ...on]);
    expect([asked.code, asked.stderr]).toEqual([
      2,
      expect.stringContaining('is not complete: of 4 chunks, '),
    ]);
    expect((await runInProcess(['cluster', 'purge', ...on, '--yes'])).code).toBe(0);
    for (const role of roles) {
      const { code, stderr } = await role.done;
      expect([code, stderr]).toEqual([2, expect.stringContaining(`the run "r" (${id}`)]);
      expect(stderr).toContain('was purged');
    }
    origin.open('g');
    const gone = await runInProcess(['cluster', 'status', ...on]);
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('the broker has no run "r"')]);
  });
});

describe('a message in the queue that is not a chunk of this run', { timeout: 60_000 }, () => {
  it.each([
    ['of a newer version', { 'Fanout-V': '2', 'Fanout-Chunk': '0' }, 'it has version 2'],
    [
      'of another run',
      { 'Fanout-V': '1', 'Fanout-Run': 'other', 'Fanout-Chunk': '0' },
      'it belongs to the run other',
    ],
    ['of another program', {}, 'it is no message of fanout'],
    ['that is damaged', { 'Fanout-V': '1', 'Fanout-Run': '', 'Fanout-Chunk': '9' }, 'it is damaged'],
  ])('is kept: one %s', async (_, fields, fault) => {
    const broker = await aNatsServer();
    const on = ['--broker', broker.url, '--run', 'r'];
    await runInProcess(['cluster', 'feed', await aFile([]), ...on, '--allow-empty']);
    const id = await idOf(broker, 'r');
    const connection = await connect({ servers: broker.url });
    onTestFinished(() => connection.close());
    const head = headers();
    for (const [name, value] of Object.entries(fields)) head.set(name, value === '' ? id : value);
    await jetstream(connection).publish(runNames(id).jobSubject(0), 'no chunk', { headers: head });
    const work = startInProcess(['cluster', 'work', ...on]);
    await work.stderr.sees(fault);
    work.kill('SIGTERM');
    await work.done;
    const { stdout } = await runInProcess(['cluster', 'dead', 'list', ...on]);
    const engine = await openRun({ address: broker.address, run: 'r', warn: () => {}, note: () => {} });
    const { queued, inFlight } = await engine.stats();
    await engine.close();
    // Newer workers get what is newer; the rest is for a person.
    if (fault.includes('version')) expect([queued + inFlight, stdout]).toEqual([1, '']);
    else expect([queued + inFlight, stdout]).toEqual([0, expect.stringContaining(fault)]);
  });
});
