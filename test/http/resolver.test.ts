import { expect, test } from 'vitest';
import { type LookUp, Resolver, type ResolverOptions } from '../../src/http/resolver.ts';
import { Tally } from '../origin/tally.ts';
import { startClient } from './client.ts';

const TTL_MS = 60_000;

/** A resolver on a clock that stands still, whose look-ups are noted and answered by `lookUp`. */
function startResolver(lookUp: LookUp = async () => ['192.0.2.1'], options: Partial<ResolverOptions> = {}) {
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
  const resolve = (name: string): Promise<readonly string[]> =>
    new Promise((done, fail) => {
      resolver.resolve(name, 80, (error, addresses) => (error === undefined ? done(addresses) : fail(error)));
    });
  return { asked, clock, resolver, resolve };
}

const failing = (code: string, message = `lookup ${code}`): LookUp => {
  return () => Promise.reject(Object.assign(new Error(message), { code }));
};

test('a name is looked up once for all who ask while it is looked up', async () => {
  const { asked, resolve } = startResolver();
  const all = await Promise.all(Array.from({ length: 50 }, () => resolve('a.test')));
  expect(all).toEqual(Array.from({ length: 50 }, () => ['192.0.2.1']));
  expect(asked).toEqual(['a.test']);
});

test('an answer is known for a minute, and given at once', async () => {
  const { asked, clock, resolver, resolve } = startResolver();
  await resolve('a.test');
  clock.nowMs += TTL_MS - 1;
  let known: readonly string[] = [];
  resolver.resolve('a.test', 80, (_, addresses) => {
    known = addresses;
  });
  expect(known, 'the answer comes before resolve() returns').toEqual(['192.0.2.1']);
  clock.nowMs += 1;
  await resolve('a.test');
  expect(asked).toEqual(['a.test', 'a.test']);
});

test.each(['192.0.2.7', '::1', '2001:db8::1'])('the address %s is not looked up', async (address) => {
  const { asked, resolve } = startResolver();
  expect(await resolve(address)).toEqual([address]);
  expect(asked).toEqual([]);
});

test('64 names are looked up at once at most', async () => {
  const started = new Tally();
  const answered = new Tally();
  let underWay = 0;
  let most = 0;
  const { resolve } = startResolver(async () => {
    most = Math.max(most, ++underWay);
    if (started.add() <= 64) await answered.reached(1);
    underWay--;
    return ['192.0.2.1'];
  });
  const all = Promise.all(Array.from({ length: 200 }, (_, i) => resolve(`${i}.test`)));
  await started.reached(64);
  answered.add();
  expect(await all).toHaveLength(200);
  expect([started.count, most]).toEqual([200, 64]);
});

test('a failure is told to all who wait, and not remembered', async () => {
  let isBroken = true;
  const { asked, resolve } = startResolver((name) =>
    isBroken ? failing('ESERVFAIL')(name) : Promise.resolve(['192.0.2.1']),
  );
  const told = await Promise.allSettled([resolve('a.test'), resolve('a.test')]);
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isBroken = false;
  expect(await resolve('a.test')).toEqual(['192.0.2.1']);
  expect(asked).toHaveLength(2);
});

test('no more names are remembered than asked for, and the oldest is forgotten first', async () => {
  const { asked, resolve } = startResolver(undefined, { maxEntries: 3 });
  for (const name of ['a', 'b', 'c', 'd', 'b', 'c', 'd', 'a']) await resolve(name);
  expect(asked).toEqual(['a', 'b', 'c', 'd', 'a']);
});

test.each([
  ['ENOTFOUND', failing('ENOTFOUND', 'getaddrinfo ENOTFOUND a.test'), false, 'getaddrinfo ENOTFOUND a.test'],
  ['ENODATA', failing('ENODATA'), false, 'lookup ENODATA'],
  ['ENODATA', async () => [], false, 'a.test has no address'],
  ['ESERVFAIL', failing('ESERVFAIL'), true, 'lookup ESERVFAIL'],
  ['EAI_AGAIN', failing('EAI_AGAIN'), true, 'lookup EAI_AGAIN'],
  ['ETIMEOUT', failing('ETIMEOUT', ''), true, 'ETIMEOUT'],
])('%s is a failure of DNS (%#)', async (code, lookUp, isRetryable, message) => {
  const { send } = await startClient({ lookUp });
  const { failed, answer } = await send('http://a.test/');
  expect(failed).toEqual({ failure: { kind: 'dns', code, message }, isRetryable });
  expect(answer).toBeUndefined();
});
