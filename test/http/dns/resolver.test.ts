import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import {
  hasIpv6,
  type LookupFunction,
  maxConcurrentLookups,
  Resolver,
  type ResolverOptions,
  toOverrideLookup,
} from '../../../src/http/dns/resolver.ts';
import { dnsError, ResourceExhaustedError } from '../../../src/http/network-errors.ts';
import { startOrigin } from '../../origin/origin.ts';
import { Tally } from '../../origin/tally.ts';
import { running, startClient } from '../client.ts';

describe('Resolver', () => {
  const RECORDS = { addresses: ['192.0.2.1'], ttlMs: 60_000 };

  /** A resolver on a clock that the test sets, whose lookups are recorded and resolved by `lookUp`. */
  function startResolver(
    lookUp: LookupFunction = async () => RECORDS,
    options: Partial<ResolverOptions> = {},
  ) {
    const lookups: string[] = [];
    const clock = { nowMs: 1000 };
    const resolver = new Resolver({
      now: () => clock.nowMs,
      lookUp: (name) => {
        lookups.push(name);
        return lookUp(name);
      },
      ...options,
    });
    const resolve = (name: string, port = 80): Promise<readonly string[]> =>
      new Promise((done, fail) => {
        resolver.resolve(name, port, (error, found) => (error === undefined ? done(found) : fail(error)));
      });
    /** What `resolve` reports before it returns. */
    const cached = (name: string) => {
      let given: Error | readonly string[] | undefined;
      resolver.resolve(name, 80, (error, found) => {
        given = error ?? found;
      });
      return given;
    };
    return { lookups, clock, resolver, resolve, cached };
  }

  const failing = (code: string): LookupFunction => {
    return () => Promise.reject(dnsError(code));
  };

  const never = new Promise<never>(() => {});

  test('reports how long each caller waited for the lookup, from when its turn had come', async () => {
    const { clock, resolver } = startResolver(
      async () => {
        await Promise.resolve();
        clock.nowMs += 1000;
        return RECORDS;
      },
      { maxLookups: 1 },
    );
    const waited: Record<string, number> = {};
    const lookUp = (name: string, as: string) =>
      new Promise<void>((done) => {
        resolver.resolve(name, 80, (_error, _addresses, lookupMs) => {
          waited[as] = lookupMs;
          done();
        });
      });
    await Promise.all([lookUp('a.test', 'first'), lookUp('b.test', 'queued'), lookUp('b.test', 'shared')]);
    await Promise.all([lookUp('b.test', 'cached'), lookUp('127.0.0.1', 'literal')]);
    expect(waited).toEqual({ first: 1000, queued: 1000, shared: 1000, cached: 0, literal: 0 });
  });

  test('reports the phases of a lookup to each caller, and none if no lookup is needed', async () => {
    const { resolver } = startResolver(undefined, { maxLookups: 1 });
    const phases: Record<string, string[]> = {};
    const lookUp = (name: string, as: string) =>
      new Promise<void>((done) => {
        const seen: string[] = [];
        phases[as] = seen;
        resolver.resolve(
          name,
          80,
          () => done(),
          (phase) => seen.push(phase),
        );
      });
    await Promise.all([lookUp('a.test', 'first'), lookUp('b.test', 'queued'), lookUp('b.test', 'shared')]);
    await Promise.all([lookUp('b.test', 'cached'), lookUp('127.0.0.1', 'literal')]);
    expect(phases).toEqual({
      first: ['running', 'running', 'over'],
      queued: ['queued', 'running', 'over'],
      shared: ['queued', 'running', 'over'],
      cached: [],
      literal: [],
    });
  });

  test('counts only the time since a caller joined a lookup', async () => {
    let answer: (records: typeof RECORDS) => void = () => {};
    const { clock, resolver } = startResolver(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const waited: number[] = [];
    const lookUp = () =>
      new Promise<void>((done) => {
        resolver.resolve('a.test', 80, (_error, _addresses, lookupMs) => {
          waited.push(lookupMs);
          done();
        });
      });
    const first = lookUp();
    await Promise.resolve();
    clock.nowMs += 700;
    const second = lookUp();
    clock.nowMs += 200;
    await Promise.resolve();
    answer(RECORDS);
    await Promise.all([first, second]);
    expect(waited).toEqual([900, 200]);
  });

  test('shares one lookup between concurrent requests for a name', async () => {
    const { lookups, resolve } = startResolver();
    const all = await Promise.all(Array.from({ length: 50 }, () => resolve('a.test')));
    expect(all).toEqual(Array.from({ length: 50 }, () => ['192.0.2.1']));
    expect(lookups).toEqual(['a.test']);
  });

  test.each([
    [60_000, 60_000],
    [0, 1_000],
    [999, 1_000],
    [86_400_000, 3_600_000],
    [Number.POSITIVE_INFINITY, 3_600_000],
  ])(
    'caches records with a TTL of %d ms for %d ms, and returns them synchronously',
    async (ttlMs, heldMs) => {
      const { clock, resolve, cached } = startResolver(async () => ({ ...RECORDS, ttlMs }));
      await resolve('a.test');
      clock.nowMs += heldMs - 1;
      expect(cached('a.test')).toEqual(['192.0.2.1']);
      clock.nowMs += 1;
      expect(cached('a.test')).toBeUndefined();
    },
  );

  test.each(['ENOTFOUND', 'ENODATA', 'EBADNAME'])('caches %s for 5 s', async (code) => {
    const { lookups, clock, resolve, cached } = startResolver(failing(code));
    await expect(resolve('a.test')).rejects.toMatchObject({ code });
    clock.nowMs += 4_999;
    expect(cached('a.test')).toMatchObject({ kind: 'dns', code });
    clock.nowMs += 1;
    await expect(resolve('a.test')).rejects.toMatchObject({ code });
    expect(lookups).toHaveLength(2);
  });

  test.each(['ESERVFAIL', 'EREFUSED', 'ETIMEOUT', 'ECONNREFUSED', 'EAI_AGAIN'])(
    'reports %s to all that wait, and does not cache it',
    async (code) => {
      let isFailing = true;
      const { lookups, resolve } = startResolver((name) =>
        isFailing ? failing(code)(name) : resolveRecords(),
      );
      const outcomes = await Promise.allSettled([resolve('a.test'), resolve('a.test')]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      isFailing = false;
      expect(await resolve('a.test')).toEqual(['192.0.2.1']);
      expect(lookups).toHaveLength(2);
    },
  );

  function resolveRecords() {
    return Promise.resolve(RECORDS);
  }

  test.each(['192.0.2.7', '::1', '2001:db8::1', '::ffff:127.0.0.1'])(
    'does not look up the address %s',
    (address) => {
      const { lookups, cached } = startResolver();
      expect(cached(address)).toEqual([address]);
      expect(lookups).toEqual([]);
    },
  );

  test('ignores a dot at the end of a name', async () => {
    const { lookups, resolve } = startResolver();
    await resolve('a.test.');
    await resolve('a.test');
    expect(lookups).toEqual(['a.test']);
  });

  test.each([
    [6, '192.0.2.7'],
    [4, '2001:db8::1'],
  ] as const)('with IPv%d only, fails for good for the address %s', (family, address) => {
    const { cached } = startResolver(undefined, { family });
    expect(cached(address)).toMatchObject({
      kind: 'dns',
      code: 'ENODATA',
      message: `no IPv${family} address, which --ipv${family} asks for (ENODATA)`,
    });
  });

  test('uses overrides before literals and DNS, for their port only', async () => {
    const addresses = ['127.0.0.9', '::9'];
    const findOverride = toOverrideLookup([
      { host: 'a.test', port: 80, addresses },
      { host: '192.0.2.7', port: 80, addresses },
    ]);
    const { lookups, resolve } = startResolver(undefined, { findOverride });
    expect(await resolve('a.test')).toEqual(addresses);
    expect(await resolve('a.test.')).toEqual(addresses);
    expect(await resolve('192.0.2.7')).toEqual(addresses);
    expect(lookups).toEqual([]);
    expect(await resolve('a.test', 443)).toEqual(['192.0.2.1']);
  });

  test('filters overrides by the wanted family', async () => {
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
  ])('with %j, looks up at most %d names at once', async (options, max) => {
    const started = new Tally();
    const answered = new Tally();
    let inFlight = 0;
    let most = 0;
    const { resolve } = startResolver(async () => {
      most = Math.max(most, ++inFlight);
      if (started.add() <= max) await answered.reached(1);
      inFlight--;
      return RECORDS;
    }, options);
    const all = Promise.all(Array.from({ length: 200 }, (_, i) => resolve(`${i}.test`)));
    await started.reached(max);
    answered.add();
    expect(await all).toHaveLength(200);
    expect([started.count, most]).toEqual([200, max]);
  });

  test('fails a lookup that takes too long, and starts the next one', async () => {
    const { resolve } = startResolver((name) => (name === 'slow.test' ? never : resolveRecords()), {
      timeoutMs: 20,
      maxLookups: 1,
    });
    const [slow, next] = await Promise.allSettled([resolve('slow.test'), resolve('next.test')]);
    expect(slow).toMatchObject({
      reason: expect.objectContaining({
        kind: 'dns',
        code: 'ETIMEOUT',
        message: 'the lookup took longer than 20ms (ETIMEOUT)',
      }),
    });
    expect(next).toMatchObject({ value: ['192.0.2.1'] });
  });

  test('starts no waiting lookup after close()', async () => {
    const ended = new Tally();
    const { lookups, resolver, resolve } = startResolver(() => ended.reached(1).then(resolveRecords), {
      maxLookups: 1,
      onClose: () => ended.add(),
    });
    const first = resolve('a.test');
    resolver.resolve('b.test', 80, () => {});
    await Promise.resolve();
    resolver.close();
    await first;
    await Promise.resolve();
    expect(lookups).toEqual(['a.test']);
  });

  test('caches at most maxEntries names, and evicts the oldest first', async () => {
    const { lookups, resolve } = startResolver(undefined, { maxEntries: 3 });
    for (const name of ['a', 'b', 'c', 'd', 'b', 'c', 'd', 'a']) await resolve(name);
    expect(lookups).toEqual(['a', 'b', 'c', 'd', 'a']);
  });

  test.each([
    ['ENOTFOUND', false, 'no such name (ENOTFOUND)'],
    ['ENODATA', false, 'the name has no address (ENODATA)'],
    ['EBADNAME', false, 'not a valid DNS name (EBADNAME)'],
    ['ESERVFAIL', true, 'the name server failed (ESERVFAIL)'],
    ['EAI_AGAIN', true, 'the resolver of the system failed for the moment (EAI_AGAIN)'],
    ['EWHATEVER', true, 'the lookup failed (EWHATEVER)'],
  ])('reports %s as a DNS failure (%#)', async (code, isRetryable, message) => {
    const { send } = await startClient({ lookUp: () => Promise.reject(dnsError(code)) });
    for (const round of ['looked up', 'remembered']) {
      const { failed, response } = await send('http://a.test/');
      expect(failed, round).toEqual({ failure: { kind: 'dns', code, message }, isRetryable });
      expect(response).toBeUndefined();
    }
  });

  test('does not cache a lookup that failed for lack of descriptors', async () => {
    const origin = await running(startOrigin());
    let lookUps = 0;
    const { send } = await startClient({
      lookUp: async () => {
        lookUps += 1;
        if (lookUps === 1) throw new ResourceExhaustedError('EMFILE', 'words');
        return ['127.0.0.1'];
      },
    });
    const url = `http://name.test:${origin.port}/ok`;
    expect((await send(url)).failed?.isResourceExhausted).toBe(true);
    expect((await send(url)).response?.status).toBe(200);
  });
});

describe('maxConcurrentLookups()', () => {
  test.each([
    [1, 64],
    [128, 64],
    [129, 65],
    [256, 128],
    [512, 256],
    [65_535, 256],
  ])('%d workers get %d concurrent lookups', (concurrency, expected) => {
    expect(maxConcurrentLookups(concurrency)).toBe(expected);
  });
});

describe('hasIpv6()', () => {
  const at = (address: string, internal = false): NetworkInterfaceInfo => {
    const common = { address, internal, netmask: '', mac: '', cidr: null };
    return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
  };

  test.each([
    ['a global address', [at('192.0.2.1'), at('2001:db8::1')], true],
    ['a private address', [at('fd00::2')], true],
    ['only link-local addresses', [at('fe80::1'), at('FEBF::1')], false],
    ['only the loopback address', [at('::1', true)], false],
    ['only IPv4', [at('192.0.2.1')], false],
    ['no address', [], false],
  ])('%s', (_, addresses, expected) => {
    expect(hasIpv6({ eth0: addresses, lo: [at('127.0.0.1', true)] })).toBe(expected);
  });
});
