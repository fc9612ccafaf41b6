import { describe, expect, onTestFinished, test } from 'vitest';
import { ValidatedBodies } from '../../src/fetch/body-rules.ts';
import { Fetcher, type FetchPolicy } from '../../src/fetch/fetcher.ts';
import { RequestTask } from '../../src/fetch/request-task.ts';
import type { ResponseValidatorOptions } from '../../src/fetch/response-validator.ts';
import { FailureLimit } from '../../src/fetch/run.ts';
import { HostRegistry, type HostRegistryOptions } from '../../src/hosts/host-registry.ts';
import type { RequestDefaults } from '../../src/http/hop.ts';
import type { Job } from '../../src/model/job.ts';
import type { Result } from '../../src/model/result.ts';
import { type ClientOptions, running, startClient } from '../http/client.ts';
import { startHttp2 } from '../http/http2-origin.ts';
import * as hostile from '../origin/hostile.ts';
import { startOrigin } from '../origin/origin.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { okAnswer } from '../origin/script.ts';
import { aValidator } from './a-validator.ts';
import { stepOf } from './fake-transport.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);
const RETRYABLE = new Set([429, 500, 503]);

const POLICY: FetchPolicy = {
  maxRedirects: 10,
  retries: 2,
  retryStatuses: RETRYABLE,
  retriesNetworkFailures: true,
  retriesAllMethods: false,
  isLenient: false,
  headFallsBack: false,
  maxRetryAfterMs: 60_000,
};

function hosts(options: Partial<HostRegistryOptions> = {}): HostRegistry {
  const unlimited = Number.POSITIVE_INFINITY;
  return new HostRegistry({
    perHost: 64,
    concurrency: 64,
    perMs: unlimited,
    totalPerMs: unlimited,
    breakerThreshold: 0,
    giveUpAfterMs: 30_000,
    window: 100,
    ...options,
  });
}

interface Setting {
  readonly policy?: Partial<FetchPolicy>;
  readonly timeoutMs?: number;
  readonly validator?: Partial<ResponseValidatorOptions>;
  readonly job?: Partial<Job>;
  readonly defaults?: Partial<RequestDefaults>;
  readonly table?: HostRegistry;
  readonly client?: ClientOptions;
  /** What each jitter comes out as, from 0 to 1. */
  readonly chance?: number;
}

/** A fetcher on a clock that stands still unless the test moves it, and one task for it. */
async function start(
  url: string,
  {
    policy,
    timeoutMs = 10_000,
    validator,
    job,
    defaults,
    table = hosts(),
    client = {},
    chance = 0.5,
  }: Setting = {},
) {
  const { transport } = await startClient(client);
  const clock = { nowMs: NOW, isStopping: false };
  const now = () => clock.nowMs;
  const validates = aValidator({ maxRedirects: policy?.maxRedirects ?? 10, ...validator });
  const fetcher = new Fetcher({
    transport: transport({ now, timeoutMs, bodies: new ValidatedBodies(validates) }),
    hosts: table,
    policy: { ...POLICY, ...policy },
    validator: validates,
    hasMore: () => true,
    isStopping: () => clock.isStopping,
    now,
    random: () => chance,
  });
  const whole = { index: 0, source: 'list', line: 1, url: new URL(url).href, ...job };
  const task = new RequestTask(whole, { method: 'GET', headers: {}, ...defaults });
  /** Steps until there is a result; `waits` are the times in ms that the task was to wait. */
  const finish = async () => {
    const waits: number[] = [];
    for (let steps = 0; steps < 50; steps++) {
      const step = await stepOf(fetcher, task);
      if ('result' in step) return { result: step.result, waits: waits.filter((wait) => wait > 0) };
      if ('again' in step) waits.push(step.at - clock.nowMs);
    }
    throw new Error('There was no result after 50 steps');
  };
  /** Another task for the same job. */
  const again = () => new RequestTask(whole, { method: 'GET', headers: {}, ...defaults });
  return { fetcher, task, again, clock, finish };
}

test('a URL that answers as wished is one attempt', async () => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/ok`);
  expect((await finish()).result).toMatchObject({
    ok: true,
    status: 200,
    attempts: 1,
    bytes: 3,
    startedAt: NOW,
  });
});

test('an invalid job is a result for which nothing is sent', async () => {
  const origin = await running(startOrigin());
  const { finish } = await start(origin.url, { job: { invalid: 'no URL' } });
  const { result } = await finish();
  expect(result).toMatchObject({ ok: false, attempts: 0, failure: { kind: 'invalid', message: 'no URL' } });
  expect(origin.connections).toBe(0);
});

test.each([
  ['is answered at last', 2, 2, true, 3, [750, 1500]],
  ['is never answered', 9, 2, false, 3, [750, 1500]],
  ['may not be retried', 9, 0, false, 1, []],
  ['may be retried often', 9, 4, false, 5, [750, 1500, 3000, 6000]],
])('a URL that %s is tried as often as allowed', async (_name, failures, retries, ok, attempts, waits) => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/flaky/a/${failures}`, { policy: { retries } });
  const finished = await finish();
  expect(finished.result).toMatchObject({ ok, attempts, status: ok ? 200 : 503 });
  expect(finished.waits).toEqual(waits);
  expect(origin.requests).toBe(attempts);
});

const UNAVAILABLE = {
  ok: false,
  status: 503,
  attempts: 1,
  failure: { kind: 'status', message: 'Service Unavailable' },
};

describe('when the run stops', () => {
  test('a task that waits for its next attempt ends in its last failure', async () => {
    const origin = await running(startOrigin());
    const { fetcher, task } = await start(`${origin.url}/status/503`);
    expect(fetcher.abandon(task), 'nothing was sent').toBeUndefined();
    expect(await stepOf(fetcher, task)).toEqual({ again: task, at: NOW + 750 });
    expect(fetcher.abandon(task)).toMatchObject(UNAVAILABLE);
  });

  test('a task that waits between two redirects was not fetched, whatever its last attempt was', async () => {
    const origin = await running(startOrigin());
    const { fetcher, task } = await start(`${origin.url}/flaky/a/1?then=redirect`);
    await stepOf(fetcher, task);
    expect(fetcher.abandon(task)).toMatchObject(UNAVAILABLE);
    task.recordHop(1, 1);
    expect(fetcher.abandon(task)).toBeUndefined();
  });

  test('a failure in flight is not retried', async () => {
    const origin = await running(startOrigin());
    const { fetcher, task, clock } = await start(`${origin.url}/status/503`);
    clock.isStopping = true;
    expect(await stepOf(fetcher, task)).toMatchObject({ result: UNAVAILABLE });
    expect(origin.requests).toBe(1);
  });

  test('a redirect in flight is followed', async () => {
    const origin = await running(startOrigin());
    const { fetcher, task, clock } = await start(`${origin.url}/redirect/1`);
    clock.isStopping = true;
    expect(await stepOf(fetcher, task)).toEqual({ again: task, at: 0 });
    expect(await stepOf(fetcher, task)).toMatchObject({ result: { ok: true } });
  });
});

describe('a kept connection that the server has closed', () => {
  test.each(['keepAliveRace', 'keepAliveReset'] as const)(
    '%s: an idempotent request is repeated at once, on a fresh connection, within its attempt',
    async (name) => {
      const server = await running({ ...hostile }[name]());
      for (const method of ['GET', 'PUT']) {
        const { fetcher, task, again } = await start(server.url, { job: { method } });
        await stepOf(fetcher, task);
        const second = again();
        expect(await stepOf(fetcher, second)).toMatchObject({
          result: { ok: true, status: 200, attempts: 1 },
        });
      }
      expect([server.accepted.count, server.requests.count]).toEqual([4, 6]);
    },
  );

  test.each(['POST', 'PATCH'])('a %s is never sent on a kept connection', async (method) => {
    const server = await running(hostile.keepAliveRace());
    const { fetcher, task, again } = await start(server.url, { job: { method, body: 'x' } });
    for (const each of [task, again(), again()]) {
      expect(await stepOf(fetcher, each)).toMatchObject({ result: { ok: true, attempts: 1 } });
    }
    expect([server.accepted.count, server.requests.count]).toEqual([3, 3]);
  });

  test('a request is repeated once: a server that always closes gets one more', async () => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket, connection, turn }) =>
          void (connection === 1 && turn === 1 ? socket.write(okAnswer()) : socket.destroy()),
      }),
    );
    const { fetcher, task, again } = await start(server.url, { policy: { retries: 0 } });
    await stepOf(fetcher, task);
    expect(await stepOf(fetcher, again())).toMatchObject({ result: { failure: { kind: 'reset' } } });
    expect([server.accepted.count, server.requests.count]).toEqual([2, 3]);
  });

  const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

  test('a request is repeated if the server has closed with a 408', async () => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket, turn }) => void (turn === 1 ? socket.write(okAnswer()) : socket.end(TIMED_OUT)),
      }),
    );
    const { fetcher, task, again } = await start(server.url, { policy: { retries: 0 } });
    await stepOf(fetcher, task);
    expect(await stepOf(fetcher, again())).toMatchObject({ result: { ok: true, status: 200, attempts: 1 } });
    expect([server.accepted.count, server.requests.count]).toEqual([2, 3]);
  });

  test('a 408 on a new connection is a response', async () => {
    const server = await running(startRawServer({ onRequest: ({ socket }) => void socket.end(TIMED_OUT) }));
    const { fetcher, task } = await start(server.url, { policy: { retries: 0 } });
    expect(await stepOf(fetcher, task)).toMatchObject({ result: { ok: false, status: 408 } });
    expect(server.requests.count).toBe(1);
  });

  test('an HTTP/2 request is repeated at once too', async () => {
    let requests = 0;
    const origin = await startHttp2({
      '/': (stream) => {
        requests += 1;
        if (requests === 2) stream.session?.destroy();
        else stream.respond({ ':status': 200 }, { endStream: true });
      },
    });
    const { fetcher, task, again } = await start(origin.url, { client: { tls: { http2: true } } });
    await stepOf(fetcher, task);
    expect(await stepOf(fetcher, again())).toMatchObject({ result: { ok: true, attempts: 1 } });
    expect(requests).toBe(3);
  });

  test('the times of both requests count', async () => {
    const server = await running(
      startRawServer({
        onRequest: ({ socket, connection, turn }) => {
          clock.nowMs += 1000;
          if (connection === 1 && turn === 2) socket.destroy();
          else socket.write(okAnswer());
        },
      }),
    );
    const { fetcher, task, clock, again } = await start(server.url);
    await stepOf(fetcher, task);
    expect(await stepOf(fetcher, again())).toMatchObject({
      result: { ok: true, startedAt: NOW + 1000, durationMs: 2000, ttfbMs: 2000 },
    });
  });
});

describe('FailureLimit', () => {
  const failed = { ok: false, failure: { kind: 'dns', message: '' } } as Result; // a part is enough
  const ok = { ok: true } as Result;

  test('is reached by the failure that is one too many, once', () => {
    const limit = new FailureLimit(2);
    expect([ok, failed, ok, failed, failed].map((result) => limit.isReachedBy(result))).toEqual([
      false,
      false,
      false,
      true,
      false,
    ]);
  });

  test('does not count a failure that is known', () => {
    expect(new FailureLimit(1).isReachedBy({ ...failed, baseline: 'known' } as Result)).toBe(false);
  });

  test('may be infinite', () => {
    expect(new FailureLimit(Number.POSITIVE_INFINITY).isReachedBy(failed)).toBe(false);
  });
});

test.each([
  ['503', '7', 7000],
  ['429', '7', 7000],
  ['503', '60', 60_000],
  ['503', 'Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
  ['503', '0', 750],
  ['503', 'Wed, 21 Oct 2015 07:28:00 GMT', 750],
  ['503', 'soon', 750],
  ['503', '-7', 750],
  ['503', '1.5', 750],
  ['500', '7', 750],
])('status %s with Retry-After "%s" waits %i ms', async (status, header, waitMs) => {
  const origin = await running(startOrigin());
  const query = new URLSearchParams({ status, 'retry-after': header, date: new Date(NOW).toUTCString() });
  const { finish } = await start(`${origin.url}/flaky/a/1?${query}`);
  expect(await finish()).toMatchObject({ result: { ok: true, attempts: 2 }, waits: [waitMs] });
});

test('the jitter counts when it is longer than Retry-After', async () => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/flaky/a/2?retry-after=1`, {
    policy: { retries: 8 },
    chance: 1,
  });
  expect((await finish()).waits).toEqual([1000, 2000]);
  const { finish: finishOther } = await start(`${origin.url}/flaky/b/3?retry-after=1`, {
    policy: { retries: 8 },
    chance: 1,
  });
  expect((await finishOther()).waits).toEqual([1000, 2000, 4000]);
});

test.each([
  ['61', '61s'],
  ['Thu, 01 Jan 2026 13:00:00 GMT', '1h'],
  ['9'.repeat(400), 'more than a year'],
])('a Retry-After of "%.30s" is too long, and the failure says so', async (header, wait) => {
  const origin = await running(startOrigin());
  const { finish } = await start(
    `${origin.url}/flaky/a/1?${new URLSearchParams({ 'retry-after': header, date: new Date(NOW).toUTCString() })}`,
  );
  const { result } = await finish();
  expect(result).toMatchObject({ ok: false, status: 503, attempts: 1 });
  expect(result.failure).toEqual({
    kind: 'blocked',
    message: `Service Unavailable (503): the server asks to wait ${wait} (see --max-retry-after)`,
  });
  expect(origin.requests).toBe(1);
});

test.each([
  ['GET', false, 3],
  ['HEAD', false, 3],
  ['PUT', false, 3],
  ['DELETE', false, 3],
  ['POST', false, 1],
  ['PATCH', false, 1],
  ['POST', true, 3],
])('%s with retriesAllMethods: %s is sent %i times', async (method, retriesAllMethods, times) => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/status/503`, {
    job: { method },
    policy: { retriesAllMethods },
  });
  expect((await finish()).result).toMatchObject({ ok: false, status: 503, method, attempts: times });
  expect(origin.log.map((request) => request.method)).toEqual(Array.from({ length: times }, () => method));
});

test('a POST that was redirected to a GET is not retried', async () => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/redirect-to?url=/status/503`, { job: { method: 'POST' } });
  expect((await finish()).result).toMatchObject({ ok: false, method: 'POST', attempts: 1 });
});

test.each([
  ['closeWithoutAnswer', true, 3],
  ['truncatedBody', true, 3],
  ['bareLf', true, 1],
  ['closeWithoutAnswer', false, 1],
] as const)(
  '%s with retriesNetworkFailures: %s is asked %i times',
  async (name, retriesNetworkFailures, times) => {
    const server = await running({ ...hostile }[name]());
    const { finish } = await start(server.url, { policy: { retriesNetworkFailures } });
    expect((await finish()).result).toMatchObject({ ok: false, attempts: times });
    expect(server.requests.count).toBe(times);
  },
);

test('a failure in the body keeps the status and the bytes that came', async () => {
  const server = await running(hostile.truncatedBody());
  const { finish } = await start(server.url, { policy: { retries: 0 } });
  expect((await finish()).result).toMatchObject({
    ok: false,
    status: 200,
    bytes: 400,
    failure: { kind: 'reset', message: 'the connection ended before the body was complete' },
  });
});

test.each([
  ['/head-405', true, true, ['HEAD', 'GET']],
  ['/head-501', true, true, ['HEAD', 'GET']],
  ['/ok', true, true, ['HEAD']],
  ['/status/404', true, false, ['HEAD', 'GET']],
  ['/status/405', true, false, ['HEAD', 'GET']],
  ['/redirect-to?url=/head-405', true, true, ['HEAD', 'HEAD', 'GET', 'GET']],
  ['/head-405', false, false, ['HEAD']],
])('HEAD for %s with headFallsBack: %s', async (path, headFallsBack, ok, methods) => {
  const origin = await running(startOrigin());
  const { finish } = await start(origin.url + path, {
    defaults: { method: 'HEAD' },
    policy: { headFallsBack },
  });
  expect((await finish()).result).toMatchObject({ ok, method: 'HEAD' });
  expect(origin.log.map(({ method }) => method)).toEqual(methods);
});

test('redirects are followed within one attempt and are told in order', async () => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/redirect/2`);
  expect((await finish()).result).toMatchObject({
    ok: true,
    attempts: 1,
    finalUrl: `${origin.url}/ok`,
    redirects: [
      { status: 302, url: `${origin.url}/redirect/2` },
      { status: 302, url: `${origin.url}/redirect/1` },
    ],
  });
});

test('an attempt that fails behind redirects starts again at the first URL', async () => {
  const origin = await running(startOrigin());
  const { finish } = await start(`${origin.url}/redirect-to?url=/flaky/a/1`);
  const { result } = await finish();
  expect(result).toMatchObject({ ok: true, attempts: 2, redirects: [{ status: 302 }] });
  expect([origin.hits('/redirect-to'), origin.hits('/flaky/a/1')]).toEqual([2, 2]);
});

test.each([
  ['/loop', 10, 'more than 10 redirects', 11],
  ['/redirect/4', 3, 'more than 3 redirects', 4],
  ['/redirect-to?url=ftp://a.test/', 10, 'the Location leads to "ftp:"', 1],
  ['/redirect-to?url=', 10, 'the Location is empty', 1],
])('%s with %i redirects allowed fails: %s', async (path, maxRedirects, message, requests) => {
  const origin = await running(startOrigin());
  const { finish } = await start(origin.url + path, { policy: { maxRedirects } });
  const { result } = await finish();
  expect(result).toMatchObject({
    ok: false,
    status: 302,
    attempts: 1,
    failure: { kind: 'redirect', message },
  });
  expect(result.redirects).toHaveLength(requests - 1);
  expect(origin.requests).toBe(requests);
});

test.each([
  ['/redirect/3', 3, true, 200],
  ['/redirect/1', 0, false, 302],
  ['/redirect-to?status=302', 10, false, 302],
  ['/status/304', 10, false, 304],
  ['/redirect-to?status=300&url=/ok', 10, false, 300],
])('%s with %i redirects allowed is judged by its status', async (path, maxRedirects, ok, status) => {
  const origin = await running(startOrigin());
  const { finish } = await start(origin.url + path, { policy: { maxRedirects } });
  const { result } = await finish();
  expect(result).toMatchObject({ ok, status });
  if (!ok) expect(result.failure?.kind).toBe('status');
});

test('a 3xx is OK where it is wanted and not followed', async () => {
  const origin = await running(startOrigin());
  const validator = { maxRedirects: 0, accept: new Set([302]) };
  const { finish } = await start(`${origin.url}/redirect/1`, { validator });
  expect((await finish()).result).toMatchObject({ ok: true, status: 302, redirects: [] });
});

test.each([
  ['utf8Location', '/caf%C3%A9'],
  ['latin1Location', '/caf%E9'],
  ['spaceLocation', '/a%20b%20c'],
  ['paddedLocation', '/padded'],
  ['schemeRelativeLocation', '/elsewhere'],
  ['relativeLocation', '/start/next'],
  ['parentLocation', '/up'],
  ['fragmentOnOtherLocation', '/other'],
  ['backslashLocation', '/other/path'],
  ['capitalLocation', '/other'],
  ['credentialsLocation', '/other'],
  ['twoLocations', '/one'],
] as const)('%s leads to %s', async (name, target) => {
  const server = await running({ ...hostile }[name]());
  const { finish } = await start(server.url);
  expect((await finish()).result).toMatchObject({ ok: true, status: 200 });
  expect(server.heads.at(-1)?.split('\r\n')[0]).toBe(`GET ${target} HTTP/1.1`);
  const hasCredentials = /\r\nauthorization: Basic /i.test(server.heads.at(-1) ?? '');
  expect(hasCredentials, 'only those of the Location are sent').toBe(name === 'credentialsLocation');
});

test('secrets stay with their origin, on the wire', async () => {
  const [here, there] = [await running(startOrigin()), await running(startOrigin())];
  const back = `${there.url}/redirect-to?url=${encodeURIComponent(`${here.url}/ok`)}`;
  const headers = { authorization: 'Basic x', cookie: 'a=b', 'x-api-key': 'k' };
  const { finish } = await start(`${here.url}/redirect-to?url=${encodeURIComponent(back)}`, {
    job: { headers },
  });
  expect((await finish()).result.ok).toBe(true);
  const sent = [here.log[0], there.log[0], here.log[1]].map((request) => request?.headers);
  expect(sent).toMatchObject([headers, { 'x-api-key': 'k' }, { 'x-api-key': 'k' }]);
  for (const later of sent.slice(1))
    expect([later?.authorization, later?.cookie]).toEqual([undefined, undefined]);
});

test.each([
  ['nearly all', 59_900],
  ['more than all', 70_000],
])('the deadline is one for all hops: the first took %s of it', async (_name, tookMs) => {
  const server = await running(
    startRawServer({
      onRequest: ({ socket, target }) => {
        if (target !== '/first') return;
        clock.nowMs += tookMs;
        socket.write('HTTP/1.1 302 Found\r\nLocation: /hang\r\nContent-Length: 0\r\n\r\n');
      },
    }),
  );
  const { finish, clock } = await start(`${server.url}/first`, { timeoutMs: 60_000, policy: { retries: 0 } });
  const { result } = await finish();
  expect(result).toMatchObject({ ok: false, attempts: 1, redirects: [{ status: 302 }], durationMs: tookMs });
  expect(result.failure).toEqual({
    kind: 'timeout',
    code: 'ERR_TIMEOUT',
    message: 'no complete response within 1m',
  });
  await server.ended.reached(1);
});

test('another attempt has the whole time again', async () => {
  const server = await running(
    startRawServer({
      onRequest: ({ socket }) => {
        const isFirst = clock.nowMs === NOW;
        clock.nowMs += 59_900;
        if (isFirst) socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
        else setTimeout(() => socket.write(okAnswer()), 200);
      },
    }),
  );
  const { finish, clock } = await start(server.url, { timeoutMs: 60_000 });
  const { result } = await finish();
  expect(result).toMatchObject({ ok: true, attempts: 2, startedAt: NOW + 59_900, durationMs: 59_900 });
});

test('between two hops nothing is in flight and an abort opens no connection', async () => {
  const origin = await running(startOrigin());
  const { agent, transport } = await startClient();
  onTestFinished(() => agent.destroy(new Error('over')));
  const fetcher = new Fetcher({
    hosts: hosts(),
    transport: transport(),
    hasMore: () => false,
    isStopping: () => false,
    policy: POLICY,
    validator: aValidator(),
    now: () => NOW,
    random: () => 0,
  });
  const task = new RequestTask(
    { index: 0, source: 'list', line: 1, url: `${origin.url}/redirect/1` },
    { method: 'GET', headers: {} },
  );
  expect(await stepOf(fetcher, task)).toMatchObject({ again: task, at: 0 });
  expect(agent.inFlight).toBe(0);
  agent.destroy(new Error('the run has ended'));
  expect(await stepOf(fetcher, task)).toHaveProperty('result.ok', false);
  await origin.disconnected(1);
  expect([origin.connections, origin.requests]).toEqual([1, 1]);
});

test.each([
  ['429 with Retry-After', '/flaky/slow/9?status=429&retry-after=7', 7000],
  ['503 with Retry-After', '/flaky/pause/9?status=503&retry-after=7', 7000],
  ['a Retry-After that is too long', '/flaky/long/9?status=503&retry-after=900', 0],
])('%s pauses the whole host, as far as it is obeyed', async (_, path, pauseMs) => {
  const origin = await running(startOrigin());
  const table = hosts();
  const { fetcher, task } = await start(`${origin.url}${path}`, { table });
  table.onDispatch(task.host, NOW);
  await stepOf(fetcher, task);
  expect(Math.max(0, table.keyNextAllowedAt(task.host, 0, NOW) - NOW)).toBe(pauseMs);
});

test('a host that cannot be connected to is parked, and then down: what is left for it fails unsent', async () => {
  const refused = await hostile.refusedPort();
  const table = hosts({ breakerThreshold: 1 });
  const policy = { retries: 0 };
  const { fetcher, task, clock } = await start(refused.url, { table, policy });
  for (const parkMs of [1000, 2000, 4000, 8000, 15_000]) {
    table.onDispatch(task.host, clock.nowMs);
    const step = await stepOf(fetcher, task);
    expect(table.keyNextAllowedAt(task.host, 0, NOW)).toBe(clock.nowMs + parkMs);
    clock.nowMs += parkMs;
    if ('result' in step) task.startOver(step.result);
  }
  expect(clock.nowMs).toBe(NOW + 30_000);
  table.onDispatch(task.host, clock.nowMs);
  await stepOf(fetcher, task);
  const left = new RequestTask(
    { index: 1, source: 'list', line: 2, url: refused.url },
    { method: 'GET', headers: {} },
  );
  table.onDispatch(left.host, clock.nowMs);
  expect(await stepOf(fetcher, left)).toMatchObject({
    result: {
      ok: false,
      attempts: 0,
      failure: {
        kind: 'down',
        message: expect.stringMatching(/^last error: .*ECONNREFUSED/),
      },
    },
  });
});

test('a redirect to an address that is refused is denied, once, and nothing is sent there', async () => {
  const inner = await running(startOrigin());
  const open = await running(startOrigin({ host: '127.0.0.2' }));
  const target = `${inner.url}/ok`;
  const url = `${open.url}/redirect-to?url=${encodeURIComponent(target)}`;
  const refuse = (address: string) => (address === '127.0.0.2' ? undefined : `${address} is private`);
  const { finish } = await start(url, { client: { addressPolicy: refuse } });
  const { result, waits } = await finish();
  expect([result, waits]).toMatchObject([
    {
      finalUrl: target,
      attempts: 1,
      redirects: [{ status: 302, url }],
      failure: { kind: 'denied', message: '127.0.0.1 is private' },
    },
    [],
  ]);
  expect([open.requests, inner.connections]).toEqual([1, 0]);
});

describe('a response whose body does not matter', () => {
  const BODIES: Readonly<Record<string, string>> = {
    'is cut': 'Content-Length: 500\r\n\r\nmoved',
    'is cut in a chunk': 'Transfer-Encoding: chunked\r\n\r\n50\r\nmoved',
    'is not what its coding says': 'Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nmoved',
    'has a broken chunk size': 'Transfer-Encoding: chunked\r\n\r\nxyz\r\nmoved',
  };

  /** Responds to /next with 200, and to anything else with this head and then the body; ends the connection if `ends`. */
  const serve = (head: string, ends = true) =>
    running(
      startRawServer({
        onRequest: ({ socket, target }) => {
          if (target === '/next') socket.write(okAnswer());
          else if (ends) socket.end(head);
          else socket.write(head);
        },
      }),
    );

  test.each(Object.keys(BODIES))('is a redirect, though its body %s', async (name) => {
    const server = await serve(`HTTP/1.1 301 Moved\r\nLocation: /next\r\n${BODIES[name]}`);
    const { finish } = await start(server.url, { policy: { retries: 0 } });
    expect((await finish()).result).toMatchObject({ ok: true, attempts: 1, redirects: [{ status: 301 }] });
  });

  test.each(Object.keys(BODIES))('is a 404, though its body %s', async (name) => {
    const server = await serve(`HTTP/1.1 404 Gone\r\n${BODIES[name]}`);
    const { finish } = await start(server.url);
    expect((await finish()).result).toMatchObject({ status: 404, attempts: 1, failure: { kind: 'status' } });
  });

  test('is a redirect, though its body never comes, and the connection is closed', async () => {
    const server = await serve('HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 9\r\n\r\n', false);
    const { finish } = await start(server.url);
    expect((await finish()).result).toMatchObject({ ok: true, attempts: 1 });
    await server.ended.reached(1);
  });

  test('is a 404 within the timeout of the attempt, though its body never comes', async () => {
    const server = await serve('HTTP/1.1 404 Gone\r\nContent-Length: 9\r\n\r\n', false);
    const { finish } = await start(server.url, { timeoutMs: 100 });
    expect((await finish()).result).toMatchObject({ status: 404, failure: { kind: 'status' } });
  });

  test('does not excuse an accepted status', async () => {
    const server = await serve(`HTTP/1.1 200 OK\r\n${BODIES['is cut']}`);
    const { finish } = await start(server.url, { policy: { retries: 0 } });
    expect((await finish()).result).toMatchObject({ status: 200, failure: { kind: 'reset' } });
  });
});

test.each([
  ['audio/mpeg', '', {}, true],
  ['video/mp2t', '', {}, true],
  ['Text/Event-Stream; charset=utf-8', '', {}, true],
  ['multipart/x-mixed-replace; boundary=x', '', {}, true],
  ['audio/mpeg', 'Content-Length: 9\r\n', {}, false],
  ['text/html', '', {}, false],
  [
    'text/event-stream',
    '',
    { expectation: { contains: ['hello'], notContains: [], matches: [], headers: [] } },
    false,
  ],
])(
  'a body of %s %sthat does not end: OK at the head if nothing needs it',
  async (type, length, validator, ok) => {
    const response = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n${length}\r\nstart`;
    const server = await running(startRawServer({ onRequest: ({ socket }) => void socket.write(response) }));
    const { finish } = await start(server.url, { timeoutMs: 300, validator, policy: { retries: 0 } });
    expect((await finish()).result).toMatchObject(ok ? { ok } : { ok, failure: { kind: 'timeout' } });
  },
);
