import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { type CliRun, runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { statusWhen } from './status-of.ts';
import { urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 100_000 };
const MAX_LOG = 5;
const MAX_QUEUED = 10;

function started(args: readonly string[], cwd?: string): CliRun {
  const run = startCli(args, { ...SLOW, ...(cwd === undefined ? {} : { cwd }) });
  onTestFinished(() => {
    run.child.kill('SIGKILL');
  });
  return run;
}

/** Memory of a process in MB. */
async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

describe('the collector of a run', { timeout: 120_000 }, () => {
  it('is one at a time; when it was killed, another goes on with its file', async () => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 100), `${origin.url}/gate/g`];
    const on = ['--broker', broker.url, '--run', 'heir'];
    expect((await runCli(['feed', await aFile(list), ...on, '--chunk', '10'], SLOW)).code).toBe(0);
    started(['work', ...on]);
    const first = started(['collect', ...on], cwd);
    await statusWhen(on, ({ done }) => done === 10);
    const second = await runCli(['collect', ...on], { ...SLOW, cwd });
    expect([second.code, second.stderr]).toEqual([2, expect.stringContaining('another collector does at')]);
    first.child.kill('SIGKILL');
    await first.done;
    const heir = started(['collect', ...on, '--summary', 'json'], cwd);
    origin.open('g');
    const { code, stderr } = await heir.done;
    expect([code, JSON.parse(stderr)]).toEqual([0, expect.objectContaining({ read: 101, ok: 101 })]);
    expect(await urlsInFile(join(cwd, 'fanout-heir.jsonl'))).toEqual(list.toSorted());
  });

  it('empties a log that the broker has begun anew, whose numbers are those of before', async () => {
    const [broker, cwd] = [await aNatsServer(), await tempDir()];
    const [run, settings] = ['anew', { chunk: 1, partitions: 1, ackWaitMs: 2000, maxQueued: 10, maxLog: 10 }];
    const on = ['--broker', broker.url, '--run', run];
    const created = { settings: { ...settings, replicas: 1 }, wanted: {} };
    const engine = await openRun({ address: broker.address, run, warn: () => {} }, created);
    onTestFinished(() => engine.close());
    started(['collect', ...on], cwd);
    const damaged = { kind: 'results', chunk: 0, count: 1, worker: 'w', body: Buffer.from('none') } as const;
    for (const time of ['before', 'after']) {
      if (time === 'after') {
        await broker.lose();
        await broker.start();
      }
      for (let record = 0; record < 2; record++) await engine.log.append(damaged, new AbortController().signal);
      await statusWhen(on, ({ uncollected }) => uncollected === 0);
    }
  });

  it.skipIf(process.platform !== 'linux')(
    'holds all others back when it is slow, in bounded memory',
    async () => {
      const [broker, origin, cwd] = [await aNatsServer(), await anOrigin({ logLimit: 1 }), await tempDir()];
      const list = urls(origin, '/ok', 2000);
      const on = ['--broker', broker.url, '--run', 'slow'];
      const bounds = ['--chunk', '20', '--max-queued', String(MAX_QUEUED), '--max-log', String(MAX_LOG)];
      const feed = started(['feed', await aFile(list), ...on, ...bounds]);
      await statusWhen(on, () => true);
      const workers = [1, 2].map(() => started(['work', ...on, '--lanes', '2']));
      const collect = started(['collect', ...on], cwd);
      await origin.received(200);
      collect.child.kill('SIGSTOP');
      const isHeld = ({ uncollected, underWay, queued }: Awaited<ReturnType<typeof statusWhen>>) =>
        uncollected >= MAX_LOG && underWay === 4 && queued > 0;
      // Each look is a process that takes its time; in all of it nobody may go on.
      for (let look = 1; look <= 4; look++) {
        const { uncollected, queued, underWay } = await statusWhen(on, isHeld);
        expect(queued + underWay).toBeLessThanOrEqual(MAX_QUEUED);
        // Each worker may have looked before the other has added its own.
        expect(uncollected).toBeLessThanOrEqual(workers.length * MAX_LOG);
      }
      expect(origin.requests).toBeLessThan(list.length / 2);
      expect(await residentMb(broker.pid)).toBeLessThan(60);
      for (const { child } of workers) expect(await residentMb(child.pid)).toBeLessThan(250);
      collect.child.kill('SIGCONT');
      expect((await collect.done).code).toBe(0);
      for (const { done } of [feed, ...workers]) expect((await done).code).toBe(0);
      expect(await urlsInFile(join(cwd, 'fanout-slow.jsonl'))).toEqual(list.toSorted());
      expect(origin.requests).toBe(list.length);
    },
  );
});
