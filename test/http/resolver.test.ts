import { expect, test } from 'vitest';
import {
  type LookupFunction,
  Resolver,
  type ResolverOptions,
  toOverrideLookup,
} from '../../src/http/dns/resolver.ts';
import { dnsError } from '../../src/http/network-errors.ts';
import { Tally } from '../origin/tally.ts';
import { startClient } from './client.ts';

const ANSWER = { addresses: ['192.0.2.1'], ttlMs: 60_000 };

/** A resolver on a clock that stands still, whose look-ups are noted and answered by `lookUp`. */
function startResolver(lookUp: LookupFunction = async () => ANSWER, options: Partial<ResolverOptions> = {}) {
  const asked: string[] = [];
  const clock = { nowMs: 1000 };
  const resolver = new Resolver({
    now: () => clock.nowMs,
    lookUp: (name) => {
      asked.push(name);
      return lookUp(name);
    },
    ...options,
  });
  const resolve = (name: string, port = 80): Promise<readonly string[]> =>
    new Promise((done, fail) => {
      resolver.resolve(name, port, (error, found) => (error === undefined ? done(found) : fail(error)));
    });
  /** What `resolve` calls back with before it returns. */
  const known = (name: string) => {
    let given: Error | readonly string[] | undefined;
    resolver.resolve(name, 80, (error, found) => {
      given = error ?? found;
    });
    return given;
  };
  return { asked, clock, resolver, resolve, known };
}

const failing = (code: string): LookupFunction => {
  return (name) => Promise.reject(dnsError(name, code));
};
const never = new Promise<never>(() => {});

test('a name is looked up once for all who ask while it is looked up', async () => {
  const { asked, resolve } = startResolver();
  const all = await Promise.all(Array.from({ length: 50 }, () => resolve('a.test')));
  expect(all).toEqual(Array.from({ length: 50 }, () => ['192.0.2.1']));
  expect(asked).toEqual(['a.test']);
});

test.each([
  [60_000, 60_000],
  [0, 1_000],
  [999, 1_000],
  [86_400_000, 3_600_000],
  [Number.POSITIVE_INFINITY, 3_600_000],
])('an answer that holds for %d ms is known for %d ms, and given at once', async (ttlMs, heldMs) => {
  const { clock, resolve, known } = startResolver(async () => ({ ...ANSWER, ttlMs }));
  await resolve('a.test');
  clock.nowMs += heldMs - 1;
  expect(known('a.test')).toEqual(['192.0.2.1']);
  clock.nowMs += 1;
  expect(known('a.test')).toBeUndefined();
});

test.each(['ENOTFOUND', 'ENODATA', 'EBADNAME'])('%s is known for 5 s', async (code) => {
  const { asked, clock, resolve, known } = startResolver(failing(code));
  await expect(resolve('a.test')).rejects.toMatchObject({ code });
  clock.nowMs += 4_999;
  expect(known('a.test')).toMatchObject({ kind: 'dns', code });
  clock.nowMs += 1;
  await expect(resolve('a.test')).rejects.toMatchObject({ code });
  expect(asked).toHaveLength(2);
});

test.each(['ESERVFAIL', 'EREFUSED', 'ETIMEOUT', 'ECONNREFUSED', 'EAI_AGAIN'])(
  '%s is told to all who wait, and not remembered',
  async (code) => {
    let isBroken = true;
    const { asked, resolve } = startResolver((name) => (isBroken ? failing(code)(name) : startOk()));
    const told = await Promise.allSettled([resolve('a.test'), resolve('a.test')]);
    expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isBroken = false;
    expect(await resolve('a.test')).toEqual(['192.0.2.1']);
    expect(asked).toHaveLength(2);
  },
);

function startOk() {
  return Promise.resolve(ANSWER);
}

test.each(['192.0.2.7', '::1', '2001:db8::1', '::ffff:127.0.0.1'])(
  'the address %s is not looked up',
  (address) => {
    const { asked, known } = startResolver();
    expect(known(address)).toEqual([address]);
    expect(asked).toEqual([]);
  },
);

test('a dot at the end makes no other name', async () => {
  const { asked, resolve } = startResolver();
  await resolve('a.test.');
  await resolve('a.test');
  expect(asked).toEqual(['a.test']);
});

test.each([
  [6, '192.0.2.7'],
  [4, '2001:db8::1'],
] as const)('with IPv%d alone the address %s is a failure for good', (family, address) => {
  const { known } = startResolver(undefined, { family });
  expect(known(address)).toMatchObject({
    kind: 'dns',
    code: 'ENODATA',
    message: `ENODATA ${address}: there is no IPv${family} address, and --ipv${family} asks for one`,
  });
});

test('addresses that were given go before literals and before DNS, for their port alone', async () => {
  const addresses = ['127.0.0.9', '::9'];
  const findOverride = toOverrideLookup([
    { host: 'a.test', port: 80, addresses },
    { host: '192.0.2.7', port: 80, addresses },
  ]);
  const { asked, resolve } = startResolver(undefined, { findOverride });
  expect(await resolve('a.test')).toEqual(addresses);
  expect(await resolve('a.test.')).toEqual(addresses);
  expect(await resolve('192.0.2.7')).toEqual(addresses);
  expect(asked).toEqual([]);
  expect(await resolve('a.test', 443)).toEqual(['192.0.2.1']);
});

test('addresses that were given are limited to the family that is wanted', async () => {
  const findOverride = toOverrideLookup([
    { host: 'a.test', port: 80, addresses: ['127.0.0.9', '::9'] },
    { host: 'b.test', port: 80, addresses: ['127.0.0.9'] },
  ]);
  const { resolve } = startResolver(undefined, { findOverride, family: 6 });
  expect(await resolve('a.test')).toEqual(['::9']);
  await expect(resolve('b.test')).rejects.toMatchObject({ kind: 'dns', code: 'ENODATA' });
});

test.each([
  [{}, 64],
  [{ maxLookups: 100 }, 100],
])('with %j %d names are looked up at once at most', async (options, max) => {
  const started = new Tally();
  const answered = new Tally();
  let underWay = 0;
  let most = 0;
  const { resolve } = startResolver(async () => {
    most = Math.max(most, ++underWay);
    if (started.add() <= max) await answered.reached(1);
    underWay--;
    return ANSWER;
  }, options);
  const all = Promise.all(Array.from({ length: 200 }, (_, i) => resolve(`${i}.test`)));
  await started.reached(max);
  answered.add();
  expect(await all).toHaveLength(200);
  expect([started.count, most]).toEqual([200, max]);
});

test('a look-up that takes too long fails, makes room, and may be tried again', async () => {
  const { resolve } = startResolver((name) => (name === 'slow.test' ? never : startOk()), {
    timeoutMs: 20,
    maxLookups: 1,
  });
  const [slow, next] = await Promise.allSettled([resolve('slow.test'), resolve('next.test')]);
  expect(slow).toMatchObject({
    reason: expect.objectContaining({
      kind: 'dns',
      code: 'ETIMEOUT',
      message: 'ETIMEOUT slow.test: the look-up took longer than 20ms',
    }),
  });
  expect(next).toMatchObject({ value: ['192.0.2.1'] });
});

test('a resolver that is closed starts none of the look-ups that wait', async () => {
  const ended = new Tally();
  const { asked, resolver, resolve } = startResolver(() => ended.reached(1).then(startOk), {
    maxLookups: 1,
    onClose: () => ended.add(),
  });
  const first = resolve('a.test');
  resolver.resolve('b.test', 80, () => {});
  await Promise.resolve();
  resolver.close();
  await first;
  await Promise.resolve();
  expect(asked).toEqual(['a.test']);
});

test('no more names are remembered than asked for, and the oldest is forgotten first', async () => {
  const { asked, resolve } = startResolver(undefined, { maxEntries: 3 });
  for (const name of ['a', 'b', 'c', 'd', 'b', 'c', 'd', 'a']) await resolve(name);
  expect(asked).toEqual(['a', 'b', 'c', 'd', 'a']);
});

test.each([
  ['ENOTFOUND', false, 'ENOTFOUND a.test: there is no such name'],
  ['ENODATA', false, 'ENODATA a.test: the name has no address'],
  ['EBADNAME', false, 'EBADNAME a.test: this is no name that DNS can hold'],
  ['ESERVFAIL', true, 'ESERVFAIL a.test: the name server could not find it out'],
  ['EAI_AGAIN', true, 'EAI_AGAIN a.test: the resolver of the system fails for the moment'],
  ['EWHATEVER', true, 'EWHATEVER a.test: the look-up failed'],
])('%s is a failure of DNS (%#)', async (code, isRetryable, message) => {
  const { send } = await startClient({ lookUp: (name) => Promise.reject(dnsError(name, code)) });
  for (const round of ['looked up', 'remembered']) {
    const { failed, response } = await send('http://a.test/');
    expect(failed, round).toEqual({ failure: { kind: 'dns', code, message }, isRetryable });
    expect(response).toBeUndefined();
  }
});
