import { expect, test } from 'vitest';
import { fanout } from '../../src/index.ts';
import { running } from '../http/client.ts';
import { startOrigin } from '../origin/origin.ts';

// Only Linux accepts connections to all of 127.0.0.0/8 without configuration.
test.runIf(process.platform === 'linux')(
  'with many hosts each gets one connection, also for a redirect, and it is closed when the host has no more jobs',
  async () => {
    const origin = await running(startOrigin({ host: '0.0.0.0' }));
    const urls = Array.from({ length: 60 }, (_, n) => `http://127.0.1.${n + 1}:${origin.port}/redirect/1`);
    let results = 0;
    for await (const { redirects } of fanout(urls, { concurrency: 8 })) {
      expect(redirects).toHaveLength(1);
      results += 1;
      if (results === urls.length) await origin.disconnected(40); // before the run ends
    }
    expect([origin.connections, origin.log.length]).toEqual([60, 120]);
  },
);

test.runIf(process.platform === 'linux')(
  'with many hosts a retry is sent on the connection of its host, if it is still open',
  async () => {
    const origin = await running(startOrigin({ host: '0.0.0.0' }));
    const urls = Array.from(
      { length: 40 },
      (_, n) => `http://127.0.1.${n + 1}:${origin.port}/flaky/${n}/1?status=500`,
    );
    for await (const { ok, attempts } of fanout(urls, { concurrency: 40 }))
      expect([ok, attempts]).toEqual([true, 2]);
    expect([origin.connections, origin.log.length]).toEqual([40, 80]);
  },
);

test('with one host every connection is kept, also for the last requests', async () => {
  const origin = await running(startOrigin());
  const urls = Array.from({ length: 100 }, (_, index) => `${origin.url}/ok?${index}`);
  for await (const result of fanout(urls, { concurrency: 40 })) expect(result.ok).toBe(true);
  expect(new Set(origin.log.map(({ headers }) => headers.connection))).toEqual(new Set(['keep-alive']));
});
