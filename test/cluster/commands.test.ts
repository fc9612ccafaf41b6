import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { workerName } from '../../src/cli/cluster.ts';
import { aFile, anOrigin, urls } from '../cli/an-origin.ts';
import { type CliOptions, runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aNatsServer } from './nats-server.ts';
import { urlsIn, urlsInFile, workersIn } from './urls-in.ts';

const SLOW: CliOptions = { killAfterMs: 60_000 };

describe('a run over several processes', { timeout: 90_000 }, () => {
  it('has each URL once, the verdicts of fetch, and its exit code', async () => {
    const [broker, origin, directory] = [await aNatsServer(), await anOrigin(), await tempDir()];
    const list = [...urls(origin, '/ok', 600), `${origin.url}/status/404`, 'ftp://nowhere/'];
    const file = await aFile(list);
    const on = ['--broker', broker.url, '--run', 'r1'];
    const feed = await runCli(['cluster', 'feed', file, ...on, '--chunk', '20'], SLOW);
    expect([feed.code, feed.stderr]).toEqual([0, expect.stringContaining('602 URLs in 32 chunks')]);
    const workers = [1, 2].map(() => startCli(['cluster', 'work', '-vv', ...on], SLOW));
    const collected = await runCli(['cluster', 'collect', ...on, '--json', '--summary', 'json'], {
      ...SLOW,
      cwd: directory,
    });
    expect([collected.code, urlsIn(collected.stdout)]).toEqual([1, list.toSorted()]);
    const names = workers.map(({ child }) => `${workerName(0).slice(0, -1)}${child.pid}`);
    expect(names).toEqual(expect.arrayContaining(workersIn(collected.stdout)));
    expect(JSON.parse(collected.stderr)).toMatchObject({ read: 602, ok: 600, failed: 2, notFetched: 0 });
    const ends = await Promise.all(workers.map(({ done }) => done));
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    expect(
      ends
        .map(({ stderr }) => stderr)
        .join('')
        .match(/^GET \S+: \d+ in /gm)?.length,
    ).toBeGreaterThanOrEqual(601);
    const again = await runCli(['cluster', 'collect', ...on, '--json', '--silent', '-o', 'again.jsonl'], {
      ...SLOW,
      cwd: directory,
    });
    expect([again.code, await urlsInFile(join(directory, 'again.jsonl'))]).toEqual([1, list.toSorted()]);
    // The workers may have recorded headers.
    expect((await stat(join(directory, 'again.jsonl'))).mode & 0o777).toBe(0o600);
    const status = await runCli(['cluster', 'status', ...on, '--json'], SLOW);
    expect(JSON.parse(status.stdout)).toMatchObject({
      state: 'complete',
      ok: 600,
      failed: 2,
      chunks: 32,
      done: 32,
    });
    expect((await runCli(['cluster', 'purge', ...on], SLOW)).code).toBe(0);
    const gone = await runCli(['cluster', 'status', ...on], SLOW);
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('the broker has no run "r1"')]);
  });

  it('is one command with fetch --broker, which other workers may join', async () => {
    const [broker, origin] = [await aNatsServer(), await anOrigin()];
    const list = urls(origin, '/ok', 300);
    const { code, stdout, stderr } = await runCli(
      ['cluster', 'fetch', await aFile(list), '--broker', broker.url, '--chunk', '25', '--json', '-vv'],
      SLOW,
    );
    expect([code, urlsIn(stdout)]).toEqual([0, list.toSorted()]);
    expect(stderr).toMatch(/fanout cluster work --broker URL --run fetch-[0-9a-f]{8}/);
    expect(stderr).toContain('Done: 300 succeeded, 0 failed');
    expect(stderr.match(/^GET http\S+: 200 in \d+ms$/gm)).toHaveLength(300);
    // Nobody else knows the name of the run, so nothing of it is left.
    expect((await runCli(['cluster', 'runs', '--broker', broker.url], SLOW)).stdout).toBe('');
  });
});
