import { expect, test } from 'vitest';
import { Fetcher, type FetchPolicy } from '../../src/fetch/fetcher.ts';
import { RequestTask } from '../../src/fetch/request-task.ts';
import { HostRegistry } from '../../src/hosts/host-registry.ts';
import { ResourceExhaustedError } from '../../src/http/network-errors.ts';
import { running, startClient } from '../http/client.ts';
import { startOrigin } from '../origin/origin.ts';
import { aValidator } from './a-validator.ts';
import { stepOf } from './fake-transport.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);
const NO_LIMITS = { perMs: Number.POSITIVE_INFINITY, totalPerMs: Number.POSITIVE_INFINITY };

const POLICY: FetchPolicy = {
  maxRedirects: 10,
  retries: 0,
  retryStatuses: new Set(),
  retriesNetworkFailures: true,
  retriesAllMethods: false,
  isLenient: false,
  headFallsBack: false,
  maxRetryAfterMs: 60_000,
};

/** A task for `a.test`, and the names that cannot be looked up while the machine is short of what `code` says. */
async function start({ path = (_port: number): string => '/ok', code = 'EMFILE' } = {}) {
  const origin = await running(startOrigin());
  const short = new Set(['a.test']);
  const { transport, send } = await startClient({
    lookUp: async (name) => {
      if (short.has(name)) throw new ResourceExhaustedError(code, 'no room');
      return ['127.0.0.1'];
    },
  });
  const hosts = new HostRegistry({
    ...NO_LIMITS,
    perHost: 64,
    concurrency: 64,
    breakerThreshold: 1,
    giveUpAfterMs: 30_000,
    window: 9,
  });
  const clock = { nowMs: NOW };
  const now = () => clock.nowMs;
  const fetcher = new Fetcher({
    transport: transport({ now }),
    hosts,
    policy: POLICY,
    validator: aValidator(),
    hasMore: () => true,
    isStopping: () => false,
    now,
    random: () => 0.5,
  });
  const url = `http://a.test:${origin.port}${path(origin.port)}`;
  const task = new RequestTask({ index: 0, source: 'list', line: 1, url }, { method: 'GET', headers: {} });
  const step = () => {
    hosts.onDispatch(task.host, clock.nowMs);
    return stepOf(fetcher, task);
  };
  return { origin, short, send, hosts, clock, task, step };
}

const toB = (port: number) => `/redirect-to?url=http://b.test:${port}/ok`;

test('a task for which this machine is exhausted comes again, and no attempt is counted', async () => {
  const { short, clock, task, step } = await start();
  for (let i = 0; i < 5; i++) {
    expect(await step()).toEqual({ again: task, at: 0 });
    clock.nowMs += 1000;
  }
  short.clear();
  expect(await step()).toMatchObject({ result: { ok: true, attempts: 1, startedAt: NOW + 5000 } });
});

test('a shortage stops the starts of all hosts, and is held against none', async () => {
  const { hosts, task, step } = await start();
  await step();
  expect(hosts.nextAllowedAt(NOW, 0)).toBe(NOW + 50);
  expect([hosts.exhaustedCount, hosts.endOf(task.host), hosts.keyNextAllowedAt(task.host, 0, NOW)]).toEqual([
    1,
    undefined,
    0,
  ]);
});

test('in the middle of redirects a shortage repeats the hop that it struck', async () => {
  const { origin, short, task, step } = await start({ path: toB });
  short.delete('a.test');
  short.add('b.test');
  expect(await step()).toEqual({ again: task, at: 0 });
  expect(await step()).toEqual({ again: task, at: 0 });
  short.clear();
  expect(await step()).toMatchObject({ result: { ok: true, attempts: 1, redirects: [{ status: 302 }] } });
  expect(origin.hits('/redirect-to')).toBe(1);
});

test('a shortage of descriptors closes what is kept open without a request', async () => {
  const { origin, send, step } = await start();
  await send(`${origin.url}/ok`);
  await step();
  await origin.disconnected(1);
});

test('a shortage of ports closes nothing: what is open holds none that another could have', async () => {
  const { origin, send, step } = await start({ code: 'EADDRNOTAVAIL' });
  await send(`${origin.url}/ok`);
  await step();
  await send(`${origin.url}/ok`);
  expect(origin.connections).toBe(1);
});

test('a task that has met nothing but shortages for two minutes fails, and says why', async () => {
  const { clock, step } = await start();
  await step();
  clock.nowMs += 119_999;
  expect(await step()).toHaveProperty('again');
  clock.nowMs += 1;
  expect(await step()).toMatchObject({
    result: {
      ok: false,
      failure: {
        kind: 'connect',
        code: 'EMFILE',
        message: 'this machine had no room for a connection for 2 minutes: no room',
      },
    },
  });
});

test('the two minutes begin anew when anything else has come of the task', async () => {
  const { short, clock, task, step } = await start({ path: toB });
  await step();
  clock.nowMs += 119_999;
  short.delete('a.test');
  short.add('b.test');
  expect(await step()).toEqual({ again: task, at: 0 });
  await step();
  clock.nowMs += 119_999;
  expect(await step()).toHaveProperty('again');
});
