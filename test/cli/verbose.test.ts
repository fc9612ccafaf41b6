import { describe, expect, it } from 'vitest';
import { runCli } from '../origin/run-cli.ts';
import { anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe('--verbose', () => {
  it.each<[string, readonly string[], Record<string, string>, number, number]>([
    ['is off by default', [], {}, 0, 0],
    ['-v shows retries', ['-v'], {}, 1, 0],
    ['--verbose shows retries', ['--verbose'], {}, 1, 0],
    ['-vv shows each request too', ['-vv'], {}, 1, 2],
    ['-v -v does the same', ['-v', '-v'], {}, 1, 2],
    ['-vvv does the same', ['-vvv'], {}, 1, 2],
    ['comes from the environment', [], { FANOUT_VERBOSE: '2' }, 1, 2],
    ['-v wins over the environment', ['-v'], { FANOUT_VERBOSE: '2' }, 1, 0],
    ['--silent wins', ['-vv', '--silent'], {}, 0, 0],
  ])('%s', async (_, flags, env, retries, requests) => {
    const origin = await anOrigin();
    const { code, stderr } = await runInProcess(['fetch', ...flags, `${origin.url}/flaky/a/1`], { env });
    expect(code).toBe(0);
    expect(stderr.match(/^retrying http:\S+\/flaky\/a\/1 in [\d.]+s: 503 .+$/gm) ?? []).toHaveLength(retries);
    expect(stderr.match(/^GET http:\S+\/flaky\/a\/1: (503|200) in \d+ms$/gm) ?? []).toHaveLength(requests);
  });

  it('shows pauses and lowered limits', async () => {
    const origin = await anOrigin();
    const args = ['fetch', '-v', '--max-retry-after', '9s', `${origin.url}/flaky/a/1?retry-after=1`];
    const { stderr } = await runInProcess(args);
    expect(stderr).toMatch(/^pausing 127\.0\.0\.1:\d+ for [01]\.\ds, as the server asks$/m);
    expect(stderr).toMatch(/^limiting 127\.0\.0\.1:\d+ to \d+ requests? at once$/m);
  });

  it('shows the same of worker threads', async () => {
    const origin = await anOrigin();
    const args = ['fetch', '-vv', '--threads', '2', `${origin.url}/flaky/a/1`];
    const { code, stderr } = await runCli(args);
    expect([code, stderr.match(/^retrying /gm)?.length, stderr.match(/^GET /gm)?.length]).toEqual([0, 1, 2]);
  });

  it('shows no secret', async () => {
    const origin = await anOrigin();
    const url = `${origin.url}/flaky/a/1`.replace('//', '//me:hidden@');
    const args = ['fetch', '-vv', '-H', 'Authorization: Bearer hidden', url];
    const { stderr } = await runInProcess(args);
    expect(stderr).toContain('retrying http://');
    expect(stderr).not.toContain('hidden');
  });

  it('refuses other levels', async () => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:9/'], {
      env: { FANOUT_VERBOSE: '3' },
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining('must be 0, 1 or 2')]);
  });
});
