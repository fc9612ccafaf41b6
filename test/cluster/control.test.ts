import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess, startInProcess } from '../cli/run-in-process.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const COUNT = 200;

/** A run that is fed and has no workers, and what its commands are given. */
async function aFedRun() {
  const [broker, origin, directory] = [await aNatsServer(), await anOrigin(), await tempDir()];
  const list = urls(origin, '/ok', COUNT);
  const file = await aFile(list);
  const on = ['--broker', broker.url, '--run', 'r'];
  const cluster = (command: string, ...more: string[]) => runInProcess(['cluster', command, ...on, ...more]);
  const feed = ['feed', file, '--chunk', '20', '--ack-wait', '5s'] as const;
  expect((await cluster(...feed)).code).toBe(0);
  const store = join(directory, 'store.jsonl');
  const collect = ['cluster', 'collect', ...on, '-o', store, '--json'];
  return { origin, list, on, cluster, feed, collect, store };
}

describe('fanout cluster pause and resume', { timeout: 120_000 }, () => {
  it('keep workers from leasing chunks, until the run is resumed', async () => {
    const { origin, list, on, cluster, collect, store } = await aFedRun();
    const paused = await cluster('pause', '--reason', 'the database is busy');
    expect([paused.code, paused.stderr]).toEqual([0, expect.stringContaining('note: paused the run "r"')]);
    const worker = startInProcess(['cluster', 'work', ...on]);
    await worker.stderr.sees('warning: the run was paused by an operator: the database is busy; workers');
    const status = await cluster('status');
    expect([status.code, status.stdout]).toEqual([
      1,
      expect.stringMatching(/paused by an operator since \S+Z: the database is busy; use "fanout cluster/),
    ]);
    expect(JSON.parse((await cluster('status', '--json')).stdout)).toMatchObject({
      state: 'paused',
      paused: { since: expect.any(String), reason: 'the database is busy' },
      queued: 10,
    });
    expect((await runInProcess(['cluster', 'runs', ...on.slice(0, 2)])).stdout).toMatch(
      / paused .*paused since \S+Z: the database is busy\n/,
    );
    expect(origin.requests).toBe(0);
    const workers = await cluster('workers', '--json');
    expect(JSON.parse(workers.stdout)).toMatchObject({
      name: expect.stringMatching(/-\d+$/),
      version: expect.any(String),
      isLeaving: false,
      chunks: 0,
      urls: 0,
      silentMs: expect.any(Number),
    });
    expect((await cluster('workers')).stdout).toMatch(/ 0 chunks .* 0 URLs .* heard \d+ s ago\n$/);
    // A collector that starts does not end the pause.
    const collecting = startInProcess(collect);
    await statusWhen(on, ({ collector, state }) => collector === 'here' && state === 'paused');
    const resumed = await cluster('resume');
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining('its workers continue\n')]);
    expect((await collecting.done).code).toBe(0);
    const { code, stderr } = await worker.done;
    expect([code, stderr]).toEqual([0, expect.stringContaining('note: the run was resumed\n')]);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
    expect(origin.requests).toBe(COUNT);
  });

  it('let a worker finish the chunk that it has', async () => {
    const { origin, on, cluster } = await aFedRun();
    const worker = startInProcess(['cluster', 'work', ...on, '--lanes', '1', '--rate', '20/s']);
    await origin.received(5);
    await cluster('pause');
    await worker.stderr.sees('was paused');
    const { queued, state } = await statusWhen(on, ({ underWay }) => underWay === 0);
    expect([state, origin.requests % 20, queued + origin.requests / 20]).toEqual(['paused', 0, 10]);
    worker.kill('SIGTERM'); // a paused worker ends at once
    expect((await worker.done).code).toBe(143);
  });
});

describe('fanout cluster stop', { timeout: 120_000 }, () => {
  it('ends feeder, workers and collector; resume continues the run', async () => {
    const { origin, list, on, cluster, feed, collect, store } = await aFedRun();
    const first = [startInProcess(['cluster', 'work', ...on, '--rate', '40/s']), startInProcess(collect)];
    await origin.received(10);
    const stopped = await cluster('stop', '--reason', 'wrong list');
    expect([stopped.code, stopped.stderr]).toEqual([0, expect.stringContaining('note: stopped the run "r"')]);
    const ends = await Promise.all(first.map(({ done }) => done));
    expect(ends.map(({ code }) => code)).toEqual([0, 1]);
    for (const { stderr } of ends) expect(stderr).toContain('stopped by an operator: wrong list');
    const status = await cluster('status', '--watch');
    expect([status.code, status.stdout]).toEqual([
      1,
      expect.stringContaining('stopped by an operator: wrong list; use "fanout cluster resume"'),
    ]);
    expect((await runInProcess(['cluster', 'runs', ...on.slice(0, 2)])).stdout).toMatch(
      / stopped .*stopped by an operator: wrong list\n/,
    );
    const worker = await cluster('work');
    expect([worker.code, worker.stderr]).toEqual([
      2,
      expect.stringContaining('wrong list; use "fanout cluster'),
    ]);
    expect((await cluster('resume')).stderr).toContain('start its workers');
    expect((await cluster(...feed)).code).toBe(0);
    const second = [startInProcess(['cluster', 'work', ...on]), startInProcess(collect)];
    const codes = await Promise.all(second.map(({ done }) => done));
    expect(codes.map(({ code }) => code)).toEqual([0, 0]);
    expect(await urlsInFile(store)).toEqual(list.toSorted());
  });

  it.each([
    [['stop'], 'stop', { state: 'stopped', isChanged: false, stopped: { cause: 'operator', limit: 0 } }],
    [['pause'], 'pause', { state: 'paused', isChanged: false, paused: { since: expect.any(String) } }],
    [['pause'], 'stop', { state: 'stopped', isChanged: true, stopped: { cause: 'operator', limit: 0 } }],
    [['pause', 'stop', 'resume'], 'resume', { state: 'running', isChanged: false }],
    [['pause'], 'resume', { state: 'running', isChanged: true, ended: 'pause' }],
    [['stop'], 'resume', { state: 'running', isChanged: true, ended: 'stop' }],
  ])('after %j, %s is %j', async (before, command, outcome) => {
    const { cluster } = await aFedRun();
    for (const earlier of before) expect((await cluster(earlier)).code).toBe(0);
    const { code, stdout, stderr } = await cluster(command, '--json');
    expect([code, JSON.parse(stdout), stderr]).toEqual([
      0,
      { run: 'r', id: expect.any(String), ...outcome },
      '',
    ]);
  });

  it('refuses to pause a stopped run, a run that is not there, and a bad reason', async () => {
    const { cluster } = await aFedRun();
    await cluster('stop');
    const paused = await cluster('pause');
    expect([paused.code, paused.stderr]).toEqual([
      2,
      expect.stringContaining('cannot pause this run: it was'),
    ]);
    expect((await cluster('stop', '--run', 'other')).stderr).toContain('the broker has no run "other"');
    expect((await cluster('stop', '--reason', 'a\nb')).stderr).toContain('must be one line of at most 200');
  });

  it('is for a run that may have no workers', async () => {
    const { cluster } = await aFedRun();
    const { code, stdout, stderr } = await cluster('workers');
    expect([code, stdout, stderr]).toEqual([0, '', expect.stringContaining('has no workers\n')]);
  });

  it('changes nothing of a complete run', async () => {
    const { on, cluster, collect } = await aFedRun();
    const worker = startInProcess(['cluster', 'work', ...on]);
    expect((await runInProcess(collect)).code).toBe(0);
    await worker.done;
    for (const command of ['stop', 'pause', 'resume']) {
      const { code, stderr } = await cluster(command);
      expect([code, stderr]).toEqual([
        0,
        expect.stringContaining(`is complete: there is nothing to ${command}`),
      ]);
    }
    expect((await cluster('status')).code).toBe(0);
  });
});
