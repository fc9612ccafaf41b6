import { expect, test } from 'vitest';
import { fanout } from '../../src/index.ts';
import { running } from '../http/client.ts';
import { startOrigin } from '../origin/origin.ts';

// Only Linux accepts connections to all of 127.0.0.0/8 without configuration.
test.runIf(process.platform === 'linux')(
  'with many hosts the last request to each of them closes its connection, and no other does',
  async () => {
    const origin = await running(startOrigin({ host: '0.0.0.0' }));
    const hosts = Array.from({ length: 30 }, (_, index) => `127.0.1.${index}`);
    const urls = [...hosts, '127.0.2.1', '127.0.2.1'].map(
      (host, n) => `http://${host}:${origin.port}/ok?${n}`,
    );
    for await (const result of fanout(urls, { concurrency: 1 })) expect(result.ok).toBe(true);
    const connections = origin.log.map(({ headers }) => headers.connection);
    expect(connections.slice(0, 17)).toEqual(Array(17).fill('keep-alive'));
    expect(connections.slice(17, 30)).toEqual(Array(13).fill('close'));
    expect(connections.slice(30)).toEqual(['keep-alive', 'close']);
  },
);

test('with one host every connection is kept, also for the last requests', async () => {
  const origin = await running(startOrigin());
  const urls = Array.from({ length: 100 }, (_, index) => `${origin.url}/ok?${index}`);
  for await (const result of fanout(urls, { concurrency: 40 })) expect(result.ok).toBe(true);
  expect(new Set(origin.log.map(({ headers }) => headers.connection))).toEqual(new Set(['keep-alive']));
});
