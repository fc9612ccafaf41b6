import { describe, expect, it } from 'vitest';
import { anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** The records of a list, in input order. */
async function records(lines: readonly string[], flags: readonly string[]) {
  const args = ['fetch', '--json', '--ordered', '-c', '1', ...flags];
  const { stdout } = await runInProcess(args, { stdin: lines.join('\n') });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('--deny-private', () => {
  it('refuses every spelling of a loopback address without a retry, and sends nothing', async () => {
    const origin = await anOrigin();
    const hosts = [
      '127.0.0.1',
      '0x7f.1',
      '2130706433',
      '017700000001',
      '127.1',
      '[::ffff:127.0.0.1]',
      '１２７.1',
      '0',
    ];
    const found = await records(
      [...hosts, 'localhost'].map((host) => `http://${host}:${origin.port}/ok`),
      ['--deny-private'],
    );
    expect(found).toHaveLength(hosts.length + 1);
    for (const { url, attempts, failure } of found) {
      expect([url, attempts, failure.kind]).toEqual([url, 1, 'denied']);
      expect(failure.message).toMatch(/^\S+.* is .*, which --deny-private refuses$/);
    }
    expect(origin.connections).toBe(0);
  });

  it('does not count as a failure of the host: its circuit breaker stays closed', async () => {
    const lines = Array.from({ length: 5 }, (_, index) => `http://127.0.0.1:9/${index}`);
    const found = await records(lines, ['--deny-private', '--breaker', '1']);
    expect(found.map(({ failure }) => failure.kind)).toEqual(lines.map(() => 'denied'));
  });

  it('is off by default', async () => {
    const origin = await anOrigin();
    expect(await records([`${origin.url}/ok`], [])).toMatchObject([{ ok: true }]);
  });
});
