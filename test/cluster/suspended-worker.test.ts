import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import { type CliRun, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsInFile } from './urls-in.ts';

const SLOW = { killAfterMs: 60_000 };
const COUNT = 40;

/** A process of the running test that may be suspended: it is killed when the test has finished. */
function started(args: readonly string[], cwd?: string): CliRun {
  const run = startCli(args, { ...SLOW, ...(cwd === undefined ? {} : { cwd }) });
  onTestFinished(() => {
    run.child.kill('SIGKILL');
  });
  return run;
}

describe('a worker that was suspended for longer than the ack wait', { timeout: 90_000 }, () => {
  it.each([1, 4])('leaves its chunk to the worker that has it now (--partitions %i)', async (partitions) => {
    const [broker, origin, cwd] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = urls(origin, '/gate/g', COUNT);
    const on = ['--broker', broker.url, '--run', 'sleepy'];
    const feed = [
      'cluster',
      'feed',
      await aFile(list),
      ...on,
      '--ack-wait',
      '2s',
      '--partitions',
      String(partitions),
    ];
    expect((await runInProcess(feed)).code).toBe(0);
    const work = ['cluster', 'work', ...on, '--per-host', '1', '--lanes', '1'];
    const sleeper = started(work);
    await origin.waiting('g', 1);
    sleeper.child.kill('SIGSTOP');
    const successor = started(work);
    await origin.waiting('g', 2);
    sleeper.child.kill('SIGCONT');
    await sleeper.stderr.sees('1 chunks are left to other workers');
    origin.open('g');
    expect((await started(['cluster', 'collect', ...on, '--json', '-o', 'out.jsonl'], cwd).done).code).toBe(
      0,
    );
    expect([(await sleeper.done).stderr, (await successor.done).stderr]).toEqual([
      expect.stringMatching(/fetched [01] URLs of the run "sleepy", 0 chunks/),
      expect.stringContaining(`fetched ${COUNT} URLs of the run "sleepy", 1 chunks`),
    ]);
    expect(await urlsInFile(join(cwd, 'out.jsonl'))).toEqual(list.toSorted());
    // Each by the successor, and the one that was in flight when the sleeper was suspended.
    expect(origin.requests).toBe(COUNT + 1);
  });
});
