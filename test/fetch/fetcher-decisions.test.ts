import { describe, expect, test } from 'vitest';
import { Fetcher, type FetchPolicy, type Step } from '../../src/fetch/fetcher.ts';
import { RequestTask } from '../../src/fetch/request-task.ts';
import type { ResponseValidatorOptions } from '../../src/fetch/response-validator.ts';
import { HostRegistry } from '../../src/hosts/host-registry.ts';
import type { AttemptOutcome } from '../../src/http/attempt.ts';
import type { FailureKind } from '../../src/model/failure.ts';
import { type Result, verdictOf } from '../../src/model/result.ts';
import { aValidator } from './a-validator.ts';
import { FakeTransport, stepOf } from './fake-transport.ts';

type Blocked = ResponseValidatorOptions['blocked'];

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

const POLICY: FetchPolicy = {
  maxRedirects: 10,
  retries: 1,
  retryStatuses: new Set([429, 503]),
  retriesNetworkFailures: true,
  retriesAllMethods: false,
  isLenient: true,
  headFallsBack: true,
  maxRetryAfterMs: 60_000,
};

/** A fetcher over outcomes that the test made up, and one task for it. */
function start(
  outcomes: readonly (Partial<AttemptOutcome> | Error)[],
  {
    method = 'GET',
    hasMore = true,
    isLenient = true,
    blocked = 'fail' as Blocked,
    accept = [200] as readonly number[],
    redirects = 'ok' as Blocked,
    permanentRedirects = 'ok' as Blocked,
  } = {},
) {
  const transport = new FakeTransport(...outcomes);
  const run = { isStopping: false };
  const unlimited = Number.POSITIVE_INFINITY;
  const hosts = new HostRegistry({
    perHost: 64,
    concurrency: 64,
    perMs: unlimited,
    totalPerMs: unlimited,
    breakerThreshold: 1,
    giveUpAfterMs: 30_000,
    window: 9,
  });
  const fetcher = new Fetcher({
    transport,
    hosts,
    policy: { ...POLICY, isLenient },
    validator: aValidator({ blocked, redirects, permanentRedirects, accept: new Set(accept) }),
    hasMore: () => hasMore,
    isStopping: () => run.isStopping,
    now: () => NOW,
    random: () => 0.5,
  });
  const task = new RequestTask(
    { index: 0, source: 'list', line: 1, url: 'http://a.test/x' },
    { method, headers: {} },
  );
  const step = () => {
    hosts.onDispatch(task.host, NOW);
    return stepOf(fetcher, task);
  };
  /** The same for another URL, or for a task that continues. */
  const stepOther = (other: string | RequestTask) => {
    const job = { index: 1, source: 'list', line: 2, url: String(other) };
    const next = typeof other === 'string' ? new RequestTask(job, { method, headers: {} }) : other;
    hosts.onDispatch(next.host, NOW);
    return stepOf(fetcher, next);
  };
  return { transport, hosts, run, task, step, stepOther };
}

const responded = (status: number, headers: Record<string, string> = {}): Partial<AttemptOutcome> => ({
  response: { status, statusText: '', headers, bytes: 0, isTruncated: false },
  ttfbMs: 3,
});

const failed = (kind: FailureKind, isRetryable = true): Partial<AttemptOutcome> => ({
  failed: { failure: { kind, message: kind }, isRetryable },
});

describe('Fetcher decides on', () => {
  test.each<[string, Partial<AttemptOutcome>, object]>([
    ['an accepted status: the result', responded(200), { result: { ok: true, status: 200, ttfbMs: 3 } }],
    ['an unwanted status: the result', responded(404), { result: { ok: false, status: 404 } }],
    ['a listed status: a retry', responded(503), { at: NOW + 750 }],
    [
      'a rate limit that is used up: a retry when it ends',
      responded(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9' }),
      { at: NOW + 9000 },
    ],
    ['a redirect: its target', responded(302, { location: '/y' }), { at: 0 }],
    ['a redirect to nowhere: the result', responded(302, { location: '' }), { result: { ok: false } }],
    ['a transient failure: a retry', failed('reset'), { at: NOW + 750 }],
    ['a lasting failure: the result', failed('tls', false), { result: { failure: { kind: 'tls' } } }],
    ['a failure in an accepted body: a retry', { ...responded(200), ...failed('reset') }, { at: NOW + 750 }],
    ['neither a response nor a failure: a bug', {}, { result: { failure: { kind: 'internal' } } }],
  ])('%s', async (_, outcome, step) => {
    expect(await start([outcome]).step()).toMatchObject(step);
  });

  test.each([
    [301, 'ok', 'ok', 'OK', ''],
    [302, 'ok', 'fail', 'OK', ''],
    [301, 'ok', 'warn', 'WARN', 'moved permanently: write http://a.test/y'],
    [308, 'ok', 'fail', 'FAIL', 'moved permanently: write http://a.test/y'],
    [301, 'warn', 'ok', 'WARN', 'moved permanently: write http://a.test/y'],
    [301, 'fail', 'warn', 'FAIL', 'moved permanently: write http://a.test/y'],
    [301, 'warn', 'fail', 'FAIL', 'moved permanently: write http://a.test/y'],
    [302, 'warn', 'ok', 'WARN', 'redirects to http://a.test/y'],
    [307, 'fail', 'ok', 'FAIL', 'redirects to http://a.test/y'],
  ] as const)(
    'a %i with --redirects %s --permanent-redirects %s: %s',
    async (status, redirects, permanentRedirects, verdict, message) => {
      const { step } = start([responded(status, { location: '/y' }), responded(200)], {
        redirects,
        permanentRedirects,
      });
      await step();
      const { result } = (await step()) as { result: Result };
      expect(verdictOf(result)).toBe(verdict);
      const { kind, message: said } = result.failure ?? result.warning ?? {};
      expect([kind, said]).toEqual(verdict === 'OK' ? [undefined, undefined] : ['redirect', message]);
    },
  );

  test('a response without a redirect is OK, whatever redirects count as', async () => {
    const { step } = start([responded(200)], { redirects: 'fail', permanentRedirects: 'fail' });
    expect(await step()).toMatchObject({ result: { ok: true } });
  });

  describe('a HEAD that is refused', () => {
    test.each<[string, Partial<AttemptOutcome>]>([
      ...[400, 403, 404, 405, 429, 500, 501, 503, 999].map((status): [string, Partial<AttemptOutcome>] => [
        `status ${status}`,
        responded(status),
      ]),
      ['a reset', failed('reset')],
      ['no response in time', failed('timeout')],
      ['a protocol error', failed('protocol', false)],
    ])('with %s: one GET, which decides', async (_, refusal) => {
      const { transport, step } = start([refusal, responded(200)], { method: 'HEAD' });
      expect(await step()).toMatchObject({ at: 0 });
      expect(await step()).toMatchObject({
        result: { ok: true, attempts: 2, method: 'HEAD', decidedBy: 'GET' },
      });
      expect(transport.requests.map(({ hop }) => hop.method)).toEqual(['HEAD', 'GET']);
    });

    test('behind a redirect: a GET of the URL of the list', async () => {
      const outcomes = [responded(302, { location: '/y' }), responded(404), responded(200)];
      const { transport, step } = start(outcomes, { method: 'HEAD' });
      for (const _ of outcomes.slice(1)) await step();
      expect(await step()).toMatchObject({ result: { ok: true, redirects: [], finalUrl: undefined } });
      expect(transport.requests.map(({ hop }) => `${hop.method} ${hop.url}`)).toEqual([
        'HEAD http://a.test/x',
        'HEAD http://a.test/y',
        'GET http://a.test/x',
      ]);
    });

    test('and a GET that fails: the failure of the GET, which has all its retries', async () => {
      const { transport, step } = start(Array(POLICY.retries + 2).fill(responded(503)), {
        method: 'HEAD',
      });
      for (let count = 0; count < POLICY.retries + 1; count += 1) {
        expect(await step()).toHaveProperty('again');
      }
      expect(await step()).toMatchObject({
        result: { status: 503, attempts: POLICY.retries + 2, decidedBy: 'GET' },
      });
      expect(transport.requests.map(({ hop }) => hop.method)).toEqual([
        'HEAD',
        ...Array(POLICY.retries + 1).fill('GET'),
      ]);
    });

    test('while the run stops: the failure of the HEAD', async () => {
      const { run, step } = start([responded(404)], { method: 'HEAD' });
      run.isStopping = true;
      const { result } = (await step()) as { result: Result };
      expect(result).toMatchObject({ status: 404, attempts: 1 });
      expect(result.decidedBy).toBeUndefined();
    });

    test.each<[string, Partial<AttemptOutcome>, object]>([
      ['its name is unknown', failed('dns', false), { result: { failure: { kind: 'dns' } } }],
      ['its certificate is bad', failed('tls', false), { result: { failure: { kind: 'tls' } } }],
      ['it cannot be connected to', failed('connect'), { at: NOW + 750 }],
    ])('is not assumed of a host if %s', async (_, outcome, step) => {
      const { task, step: next } = start([outcome], { method: 'HEAD' });
      expect(await next()).toMatchObject(step);
      expect(task.isHeadRefused).toBe(false);
    });

    test('is told to the transport, which then reads only bodies that may tell of a wall against robots', async () => {
      const { transport, step } = start([responded(404), responded(200)], { method: 'HEAD' });
      await step();
      await step();
      expect(transport.requests.map(({ isHeadRefused }) => isHeadRefused)).toEqual([false, true]);
    });
  });

  describe('a response that the strict parser refuses', () => {
    const unparsable: Partial<AttemptOutcome> = {
      failed: { failure: { kind: 'protocol', message: 'garbage' }, isRetryable: false, isUnparsable: true },
    };

    test.each(['GET', 'HEAD', 'OPTIONS'])(
      '%s: the same hop, read leniently, in the same attempt',
      async (method) => {
        const { transport, step } = start([unparsable, responded(200)], { method });
        expect(await step()).toMatchObject({ at: 0 });
        expect(await step()).toMatchObject({ result: { ok: true, attempts: 1, durationMs: 10 } });
        expect(transport.requests.map(({ use }) => use)).toEqual(['any', 'lenient']);
      },
    );

    test('the failure of the lenient parser is final', async () => {
      const { transport, step } = start([unparsable, unparsable]);
      await step();
      expect(await step()).toMatchObject({ result: { failure: { kind: 'protocol' } } });
      expect(transport.requests).toHaveLength(2);
    });

    test('the next hop is read strictly again', async () => {
      const { transport, step } = start([unparsable, responded(302, { location: '/y' }), responded(200)]);
      await step();
      await step();
      await step();
      expect(transport.requests.map(({ use }) => use)).toEqual(['any', 'lenient', 'any']);
    });

    test.each(['POST', 'PUT', 'DELETE'])(
      '%s: its failure, since it is not sent twice for that',
      async (method) => {
        const { transport, step } = start([unparsable], { method });
        expect(await step()).toMatchObject({ result: { failure: { kind: 'protocol' } } });
        expect(transport.requests).toHaveLength(1);
      },
    );

    test('its failure with --strict', async () => {
      const { step } = start([unparsable], { isLenient: false });
      expect(await step()).toMatchObject({ result: { failure: { kind: 'protocol' } } });
    });
  });

  describe('a page that turns robots away', () => {
    const challenge = responded(503, { 'cf-mitigated': 'challenge', 'retry-after': '999' });

    test.each<[Blocked, object]>([
      ['fail', { ok: false, failure: { kind: 'blocked' } }],
      ['warn', { ok: true, warning: { kind: 'blocked' } }],
      ['ok', { ok: true }],
    ])('with --blocked %s: the result, without a retry', async (blocked, result) => {
      const { transport, step } = start([challenge], { blocked });
      expect(await step()).toMatchObject({ result });
      expect(transport.requests).toHaveLength(1);
    });
  });

  describe('a Retry-After that is longer than the limit', () => {
    const DAY = { 'retry-after': '86400' };

    const seen = (step: Step) => {
      if (!('result' in step)) throw new Error('The task has no result');
      const { ok, status, attempts, failure, warning } = step.result;
      return [ok, status, attempts, (failure ?? warning)?.kind];
    };

    test.each<[string, number, Blocked, unknown[], unknown[]]>([
      ['503', 503, 'fail', [false, 503, 1, 'blocked'], [false, undefined, 0, 'blocked']],
      [
        '429, a status that is not retried,',
        429,
        'fail',
        [false, 429, 1, 'blocked'],
        [false, undefined, 0, 'blocked'],
      ],
      ['503 with --blocked warn', 503, 'warn', [true, 503, 1, 'blocked'], [true, undefined, 0, 'blocked']],
      ['503 with --blocked ok', 503, 'ok', [true, 503, 1, undefined], [true, undefined, 0, 'blocked']],
    ])(
      'of a %s: blocked, and the next URL of the host is not sent',
      async (_, status, blocked, first, next) => {
        const { transport, step, stepOther } = start([responded(status, DAY)], { blocked });
        expect(seen(await step())).toEqual(first);
        expect(seen(await stepOther('http://a.test/next'))).toEqual(next);
        expect(transport.requests).toHaveLength(1);
      },
    );

    test('of an accepted status: OK, and the next URL of the host is sent', async () => {
      const { step, stepOther } = start([responded(429, DAY), responded(200)], { accept: [200, 429] });
      expect(await step()).toMatchObject({ result: { ok: true, status: 429 } });
      expect(await stepOther('http://a.test/next')).toMatchObject({ result: { ok: true, status: 200 } });
    });

    test('leaves other hosts alone, and ends a redirect to the host', async () => {
      const { step, stepOther } = start([
        responded(429, DAY),
        responded(302, { location: 'http://a.test/' }),
      ]);
      await step();
      const redirected = await stepOther('http://b.test/');
      if (!('again' in redirected)) throw new Error('The redirect is not followed');
      expect(await stepOther(redirected.again)).toMatchObject({
        result: { attempts: 1, redirects: [{ status: 302 }], failure: { kind: 'blocked' } },
      });
    });
  });

  describe('a request that the server refused without processing it', () => {
    const refused: Partial<AttemptOutcome> = {
      failed: { failure: { kind: 'reset', message: 'refused' }, isRetryable: true, isUnprocessed: true },
    };

    test.each([
      ['GET', 2, 5],
      ['POST', 1, 4],
    ])(
      '%s: again up to three times, then as after any failure: %i attempts',
      async (method, attempts, sent) => {
        const { transport, task, step } = start(Array(9).fill(refused), { method });
        for (let count = 1; count < sent; count += 1) expect(await step()).toMatchObject({ again: task });
        expect(await step()).toMatchObject({ result: { attempts, failure: { kind: 'reset' } } });
        expect(transport.requests).toHaveLength(sent);
      },
    );

    test.each(['GET', 'POST'])('%s: no retry is used up if it succeeds', async (method) => {
      const { step } = start([refused, refused, refused, responded(200)], { method });
      for (let count = 0; count < 3; count += 1) await step();
      expect(await step()).toMatchObject({ result: { ok: true, attempts: 1 } });
    });

    test('its failure if the run stops', async () => {
      const { run, step } = start([refused]);
      run.isStopping = true;
      expect(await step()).toMatchObject({ result: { failure: { kind: 'reset' } } });
    });
  });

  describe('an outcome that was lost', () => {
    const lost: Partial<AttemptOutcome> = {
      failed: { failure: { kind: 'internal', message: 'gone' }, isRetryable: false, isLost: true },
    };

    test('is fetched again after a backoff, three times at most, and uses up no retries', async () => {
      const { step } = start([lost, lost, failed('reset'), responded(200)]);
      expect(await step()).toMatchObject({ again: {}, at: NOW + 750 });
      expect(await step()).toMatchObject({ again: {}, at: NOW + 1500 });
      expect(await step()).toMatchObject({ again: {} });
      expect(await step()).toMatchObject({ result: { ok: true, attempts: 2 } });
      const { step: other } = start([lost, lost, lost, lost]);
      await other();
      await other();
      await other();
      expect(await other()).toMatchObject({ result: { failure: { kind: 'internal', message: 'gone' } } });
    });

    test('says nothing about the host', async () => {
      const { hosts, task, step } = start([lost, lost]);
      await step();
      await step();
      expect([hosts.endOf(task.host), hosts.countPaused(NOW)]).toEqual([undefined, 0]);
    });

    test('of a request that must not be sent twice is a failure', async () => {
      const { step } = start([lost], { method: 'POST' });
      expect(await step()).toMatchObject({ result: { failure: { kind: 'internal' } } });
    });

    test('is not fetched if the run stops, unless an earlier attempt has failed', async () => {
      const { run, step } = start([lost]);
      run.isStopping = true;
      expect(await step()).toEqual({ isDropped: true });
      const { run: second, step: next } = start([responded(503), lost]);
      await next();
      second.isStopping = true;
      expect(await next()).toMatchObject({ result: { status: 503 } });
    });
  });

  test('a stale connection: the same hop on a fresh one, with the time that is left', async () => {
    const stale = { ...failed('reset'), isStale: true, durationMs: 40 };
    const { transport, step } = start([stale, responded(200)]);
    expect(await step()).toMatchObject({ result: { ok: true, attempts: 1, durationMs: 45, ttfbMs: 43 } });
    expect(transport.requests.map(({ use, elapsedMs }) => [use, elapsedMs])).toEqual([
      ['any', 0],
      ['fresh', 40],
    ]);
  });

  test('a stale connection for a POST: its failure', async () => {
    const { transport, step } = start([{ ...failed('reset'), isStale: true }], { method: 'POST' });
    expect(await step()).toMatchObject({ result: { failure: { kind: 'reset' } } });
    expect(transport.requests).toHaveLength(1);
  });
});

const exhausted: Partial<AttemptOutcome> = {
  failed: {
    failure: { kind: 'connect', code: 'EMFILE', message: 'no room' },
    isRetryable: true,
    isResourceExhausted: true,
  },
};

describe('a task for which this machine is exhausted', () => {
  test('comes again, and closes idle connections', async () => {
    const { transport, task, step } = start([exhausted]);
    expect(await step()).toEqual({ again: task, at: 0 });
    expect([task.attempts, transport.idleClosed]).toEqual([0, 1]);
  });

  test('was not fetched if the run stops', async () => {
    const { run, step } = start([exhausted]);
    run.isStopping = true;
    expect(await step()).toEqual({ isDropped: true });
  });

  test('ends in the failure of its last attempt if the run stops', async () => {
    const { run, task, step } = start([responded(503), exhausted, exhausted]);
    await step();
    expect(await step()).toEqual({ again: task, at: 0 });
    run.isStopping = true;
    expect(await step()).toMatchObject({ result: { status: 503, attempts: 1 } });
  });
});

test('a bug in the transport is thrown, for the pipeline to make it a result', async () => {
  await expect(start([new Error('a bug')]).step()).rejects.toThrow('a bug');
});

const HERE = 'http://a.test/x';

test.each<[string, Partial<AttemptOutcome>, boolean, boolean, readonly string[]]>([
  ['a result', responded(200), true, false, [HERE]],
  ['a result, and more jobs of the host', responded(200), true, true, []],
  ['a result, and few origins', responded(200), false, false, []],
  ['a redirect to the same origin', responded(302, { location: '/y' }), true, false, []],
  ['a redirect to another scheme', responded(302, { location: 'https://a.test/' }), true, false, [HERE]],
  ['a redirect to another host', responded(302, { location: 'http://b.test/' }), true, false, [HERE]],
  ['a retry after a pause', responded(503), true, false, []],
])('after %s the connection is closed, if others need it', async (_, outcome, isCrowded, hasMore, closed) => {
  const { transport, step } = start([outcome], { hasMore });
  transport.isCrowded = isCrowded;
  await step();
  expect(transport.closed).toEqual(closed);
});

test('a refused HEAD that is followed by a GET keeps its connection', async () => {
  const { transport, step } = start([responded(405)], { hasMore: false, method: 'HEAD' });
  transport.isCrowded = true;
  await step();
  expect(transport.closed).toEqual([]);
});

test.each<[FailureKind, boolean]>([
  ['connect', true],
  ['dns', true],
  ['tls', true],
  ['timeout', true],
  ['reset', true],
  ['protocol', true],
])('a failure of kind %s counts for the circuit breaker: %s', async (kind, counts) => {
  const { hosts, task, step } = start([failed(kind)]);
  await step();
  expect(hosts.keyNextAllowedAt(task.host, 0, NOW) > NOW).toBe(counts);
});

test.each([
  ['POST', true, 'lenient'],
  ['PATCH', true, 'lenient'],
  ['POST', false, 'fresh'],
  ['PUT', true, 'lenient'],
  ['DELETE', true, 'lenient'],
  ['PUT', false, 'any'],
  ['GET', true, 'any'],
  ['OPTIONS', true, 'any'],
])('%s with a lenient policy: %s uses the connection "%s"', async (method, isLenient, use) => {
  const { transport, step } = start([responded(200)], { method, isLenient });
  await step();
  expect(transport.requests[0]?.use).toBe(use);
});

test('a bad certificate is a sign of life of its host', async () => {
  const { hosts, task, step } = start([failed('tls', false)]);
  await step();
  expect(hosts.keyNextAllowedAt(task.host, 0, NOW) > NOW).toBe(false);
});
