import { describe, expect, it, onTestFinished } from 'vitest';
import { resolveRunOptions } from '../../../src/config/library-options.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { divideSockets } from '../../../src/fetch/process-resources.ts';
import { createThreads, threadForHost } from '../../../src/fetch/threads/threaded-transport.ts';
import { AttemptError } from '../../../src/http/network-errors.ts';
import { ANY_JOB, attempt, running } from '../../http/client.ts';
import { startHttp2 } from '../../http/http2-origin.ts';
import { caPem, startHttps } from '../../origin/tls.ts';

const WORKER = new URL('../../../dist/fetch/threads/worker.js', import.meta.url);

describe('threadForHost()', () => {
  const hosts = Array.from({ length: 4000 }, (_, index) => `127.0.${index >> 8}.${index & 255}:8080`);

  it.each([1, 2, 3, 64])('gives each of %i threads its part of many hosts', (count) => {
    const parts = Array.from({ length: count }, () => 0);
    for (const host of hosts)
      parts[threadForHost(host, count)] = (parts[threadForHost(host, count)] ?? 0) + 1;
    expect(parts).toHaveLength(count);
    for (const part of parts) {
      expect(part).toBeGreaterThan((0.5 * hosts.length) / count);
      expect(part).toBeLessThan((1.5 * hosts.length) / count);
    }
  });

  it('tells names apart that differ in their last letter', () => {
    const names = Array.from({ length: 26 }, (_, index) => `www.example.${String.fromCharCode(97 + index)}`);
    expect(new Set(names.map((name) => threadForHost(name, 2)))).toEqual(new Set([0, 1]));
  });
});

describe('ThreadedTransport', () => {
  async function twoThreads() {
    const transport = createThreads({ threads: 2, worker: WORKER })(
      {
        options: resolveRunOptions({ http2: true, concurrency: 64 }, '1.2.3'),
        defaults: { headers: {} },
        tls: { ca: await caPem() },
        proxies: undefined,
        clock: systemClock,
      },
      {
        sockets: divideSockets({ workers: 64, filesEach: 0, fileLimit: undefined }),
        onFatal: () => {},
      },
    );
    onTestFinished(() => transport.close(new AttemptError('aborted', undefined, 'the test has finished')));
    return transport;
  }

  it.each([
    ['HTTP/2 from one thread', () => startHttp2(), 1],
    ['HTTP/1.1 from all threads', () => running(startHttps()), 2],
  ])('with --http2, sends many requests to an https origin over %s', async (_, start, threads) => {
    const origin = await start();
    const transport = await twoThreads();
    const hop = { url: `${origin.url}/ok`, method: 'GET', headers: {} };
    const send = () => attempt(transport, { hop, job: ANY_JOB, elapsedMs: 0 });
    await send();
    const outcomes = await Promise.all(Array.from({ length: 40 }, send));
    expect(outcomes.map(({ response }) => response?.status)).toEqual(Array.from({ length: 40 }, () => 200));
    expect(new Set(outcomes.map(({ thread }) => thread)).size).toBe(threads);
  });
});
