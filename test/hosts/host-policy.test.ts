import { describe, expect, test } from 'vitest';
import { seededRandom } from '../seeded-random.ts';
import * as models from './host-models.ts';
import { type SimulatedDns, type SimulatedRun, simulate, urlsOf } from './simulated-run.ts';
import { smallWeb } from './small-web.ts';

// Hosts of many characters, and the whole of a run but its network: see `simulate()`. A URL takes about 100 ms. The floor is the
// time that the host needs for the list, however it is asked.

const CONCURRENCY = 256;

/** Another seed: `SEED=2 npx vitest run --config test/vitest.config.ts test/hosts/host-policy.test.ts`. */
const SEED = Number(process.env.SEED ?? 1);

async function run(model: models.HostModel, count: number, given: object = {}): Promise<SimulatedRun> {
  return simulate(new Map([['a.test', model]]), urlsOf('a.test', count), {
    concurrency: CONCURRENCY,
    ...given,
  });
}

interface Bounds {
  /** Time in seconds. */
  readonly atMostS: number;
  /** Requests that are pushed back or fail. */
  readonly wasted: number;
}

type Case = [name: string, (random: () => number) => models.HostModel, count: number, Bounds, given?: object];

const { capped, sometimes, healthy, flaky, logNormal, tokenBucket } = models;
const WAIT = { retryAfterS: 1 };
const isDownFor = (fromMs: number, ms: number) => (now: number) => now >= fromMs && now < fromMs + ms;
const flaps = (ms: number) => (now: number) => Math.floor(now / ms) % 2 === 1;
const capRises = (now: number) => (now < 5_000 ? 4 : 64);
const capFalls = (now: number) => (now < 5_000 ? 32 : 8);
const TWENTY = { perHost: 20 };

/** Each serves every URL in the end. */
const SERVING: Case[] = [
  ['is healthy', (r) => healthy(r), 2000, { atMostS: 1.5, wasted: 0 }],
  ['takes 3 s', (r) => healthy(r, 3000), 200, { atMostS: 19, wasted: 0 }],
  // Floor: 12.5 s.
  ['serves 16 at once', (r) => capped(16, {}, healthy(r)), 2000, { atMostS: 14.2, wasted: 45 }],
  ['serves 16 at once, and asks for 1 s', (r) => capped(16, WAIT, healthy(r)), 2000, { atMostS: 13.9, wasted: 12 }],
  ['serves 16 at once, and asks for 60 s', (r) => capped(16, { retryAfterS: 60 }, healthy(r)), 2000, { atMostS: 74, wasted: 12 }],
  ['serves 16 at once, and resets', (r) => capped(16, { failure: 'reset' }, healthy(r)), 2000, { atMostS: 14.2, wasted: 45 }],
  ['serves 16 streams at once, and refuses others', (r) => capped(16, { failure: 'refused' }, healthy(r)), 2000, { atMostS: 14.2, wasted: 45 }],
  ['refuses one of ten streams', (r) => flaky(r, 0.1, { failure: 'refused' }, healthy(r)), 2000, { atMostS: 150, wasted: 280 }],
  ['serves 16 at once in varying time', (r) => capped(16, WAIT, logNormal(r, 88)), 2000, { atMostS: 15, wasted: 12 }],
  // Floor: 100 s, 40 s and 2 s.
  ['serves 2 at once, and asks for 1 s', (r) => capped(2, { ...WAIT, status: 429 }, healthy(r)), 2000, { atMostS: 106, wasted: 20 }],
  ['serves 1 at once, and asks for 1 s', (r) => capped(1, WAIT, healthy(r)), 400, { atMostS: 44, wasted: 20 }],
  ['serves 100 at once, and asks for 1 s', (r) => capped(100, WAIT, healthy(r)), 2000, { atMostS: 4, wasted: 80 }],
  // Floor: 7.5 s and 16.3 s.
  ['serves 4 at once, and 64 from 5 s on', (r) => capped(capRises, WAIT, healthy(r)), 2000, { atMostS: 23, wasted: 30 }],
  ['serves 32 at once, and 8 from 5 s on', (r) => capped(capFalls, WAIT, healthy(r)), 2000, { atMostS: 18, wasted: 30 }],
  // Floor: 49 s, 79 s, 80 s and 180 s.
  ['serves 40 a second', (r) => tokenBucket(40, 40, WAIT, healthy(r)), 2000, { atMostS: 53, wasted: 80 }],
  ['serves 5 a second', (r) => tokenBucket(5, 5, WAIT, healthy(r)), 400, { atMostS: 90, wasted: 30 }],
  ['serves 5 a second one by one', (r) => tokenBucket(5, 1, {}, healthy(r)), 400, { atMostS: 120, wasted: 70 }],
  ['serves 100 a minute', (r) => models.fixedWindow(100, 60_000, true, healthy(r)), 400, { atMostS: 183, wasted: 20 }],
  // Floor: 180 s, 540 s, 90 s and 32 s. The first window ends with as many push-backs as are in flight.
  ['serves 100 a minute and does not say so', (r) => models.fixedWindow(100, 60_000, false, healthy(r)), 400, { atMostS: 195, wasted: 65 }],
  ['serves 100 a minute and does not say so, with more URLs', (r) => models.fixedWindow(100, 60_000, false, healthy(r)), 1000, { atMostS: 570, wasted: 75 }],
  ['serves 20 in 10 s and does not say so', (r) => models.fixedWindow(20, 10_000, false, healthy(r)), 200, { atMostS: 110, wasted: 50 }],
  ['says 429 for 12 s', (r) => sometimes(isDownFor(3_000, 12_000), models.always(429), healthy(r)), 4000, { atMostS: 60, wasted: 40 }, TWENTY],
  ['pushes back one of a hundred', (r) => flaky(r, 0.01, {}, healthy(r)), 2000, { atMostS: 12, wasted: 40 }],
  ['serves 1 a second, or 5 at once', (r) => tokenBucket(1, 5, {}, healthy(r)), 400, { atMostS: 420, wasted: 130 }],
  // A balancer with one or more dead servers behind it. The floor is 1.6 s, and the share of wasted requests is given.
  ['pushes back one of twenty', (r) => flaky(r, 0.05, {}, healthy(r)), 2000, { atMostS: 40, wasted: 160 }],
  ['pushes back one of ten', (r) => flaky(r, 0.1, {}, healthy(r)), 2000, { atMostS: 150, wasted: 280 }],
  ['pushes back one of ten, and asks for 1 s', (r) => flaky(r, 0.1, WAIT, healthy(r)), 1000, { atMostS: 250, wasted: 150 }],
  ['resets one of ten', (r) => flaky(r, 0.1, { failure: 'reset' }, healthy(r)), 2000, { atMostS: 150, wasted: 280 }],
  ['pushes back one of four', (r) => flaky(r, 0.25, {}, healthy(r)), 2000, { atMostS: 150, wasted: 780 }],
  ['resets one of four', (r) => flaky(r, 0.25, { failure: 'reset' }, healthy(r)), 1000, { atMostS: 150, wasted: 400 }],
  ['pushes back every other one', () => models.inTurn(2, models.always(503), models.healthy(() => 0.5)), 1000, { atMostS: 40, wasted: 1050 }],
  ['pushes back every third with 429', () => models.inTurn(3, models.always(429), models.healthy(() => 0.5)), 1000, { atMostS: 40, wasted: 550 }],
  // Floor: 32 s, 12 s, 20 + 60 s and 40 s.
  ['refuses for 12 s', (r) => sometimes(isDownFor(3_000, 12_000), models.refusing, healthy(r)), 4000, { atMostS: 37, wasted: 30 }, TWENTY],
  ['says 503 for 12 s', (r) => sometimes(isDownFor(3_000, 12_000), models.always(503), healthy(r)), 4000, { atMostS: 38, wasted: 40 }, TWENTY],
  ['resets for 12 s', (r) => sometimes(isDownFor(3_000, 12_000), models.resetting, healthy(r)), 4000, { atMostS: 38, wasted: 40 }, TWENTY],
  ['hangs for 12 s', (r) => sometimes(isDownFor(3_000, 12_000), models.hanging, healthy(r)), 4000, { atMostS: 50, wasted: 40 }, { ...TWENTY, timeout: 10_000 }],
  ['refuses for its first 12 s', (r) => sometimes(isDownFor(0, 12_000), models.refusing, healthy(r)), 120, { atMostS: 18, wasted: 20 }],
  ['says 503 for its first 12 s', (r) => sometimes(isDownFor(0, 12_000), models.always(503), healthy(r)), 120, { atMostS: 18, wasted: 20 }],
  ['refuses for 60 s, with patience', (r) => sometimes(isDownFor(3_000, 60_000), models.refusing, healthy(r)), 4000, { atMostS: 100, wasted: 40 }, { ...TWENTY, giveUpAfter: 120_000 }],
  ['refuses every other 3 s', (r) => sometimes(flaps(3_000), models.refusing, healthy(r)), 4000, { atMostS: 45, wasted: 80 }, TWENTY],
  ['resets every other 3 s', (r) => sometimes(flaps(3_000), models.resetting, healthy(r)), 4000, { atMostS: 65, wasted: 160 }, TWENTY],
  ['says 503 every other 3 s', (r) => sometimes(flaps(3_000), models.always(503), healthy(r)), 4000, { atMostS: 70, wasted: 320 }, TWENTY],
]; // biome-ignore format: a table

test.each(SERVING)('a host that %s loses no URL, and takes little longer than it needs', async (...one) => {
  const [, model, count, { atMostS, wasted }, options] = one;
  const { ok, failed, requests, seconds } = await run(model(seededRandom(SEED)), count, options);
  expect([ok, failed]).toEqual([count, {}]);
  expect(seconds).toBeLessThanOrEqual(atMostS);
  expect(requests - count).toBeLessThanOrEqual(wasted);
});

/** Requests served in each window, its length in ms, when the first window began, URLs, and the time in ms of a URL. */
type Window = readonly [served: number, windowMs: number, beganMs: number, urls: number, latencyMs: number];

const WINDOWS: readonly Window[] = [
  [100, 60_000, 0, 400, 100],
  [100, 60_000, 0, 400, 20],
  [100, 60_000, -20_000, 400, 100],
  [60, 60_000, -50_000, 240, 100],
  [10, 60_000, 0, 40, 20],
  [1000, 60_000, 0, 3000, 20],
  [30, 30_000, 0, 150, 100],
  [20, 10_000, 0, 200, 1000],
  [5, 1_000, 0, 200, 20],
];

describe.each([1, 2, 4, 10])('with at most %i at once,', (perHost) => {
  test.each(WINDOWS)(
    'a host that serves %i in %i ms since %i ms and does not say so is learned, and loses no URL: %i',
    async (...window) => {
      const [served, windowMs, beganMs, urls, latencyMs] = window;
      const model = models.fixedWindow(served, windowMs, false, healthy(seededRandom(SEED), latencyMs));
      const shifted: models.HostModel = (now, ...rest) => model(now - beganMs, ...rest);
      const { ok, failed, requests, seconds } = await run(shifted, urls, { perHost });
      const windows = Math.ceil(urls / served) - 1;
      const floorMs = Math.max(windows * windowMs + beganMs, (urls * latencyMs) / perHost);
      expect([ok, failed]).toEqual([urls, {}]);
      expect(seconds).toBeLessThanOrEqual((1.6 * floorMs) / 1000);
      expect(requests - urls).toBeLessThanOrEqual(48);
    },
  );

  // Floor: the time that it is down or, if it is down half of the time, twice the time of the URLs.
  test.each<[string, models.HostModel, number]>([
    ['says 503 for 12 s', sometimes(isDownFor(3_000, 12_000), models.always(503), healthy(seededRandom(SEED))), 12],
    ['says 429 for its first 12 s', sometimes(isDownFor(0, 12_000), models.always(429), healthy(seededRandom(SEED))), 12],
    ['resets for 12 s', sometimes(isDownFor(3_000, 12_000), models.resetting, healthy(seededRandom(SEED))), 12],
    ['says 503 every other 3 s', sometimes(flaps(3_000), models.always(503), healthy(seededRandom(SEED))), 0],
    ['says 429 every other 3 s', sometimes(flaps(3_000), models.always(429), healthy(seededRandom(SEED))), 0],
    ['resets every other 3 s', sometimes(flaps(3_000), models.resetting, healthy(seededRandom(SEED))), 0],
  ])('a host that %s is as fast afterwards as before', async (_, model, downS) => {
    const { ok, failed, requests, seconds } = await run(model, 400, { perHost });
    expect([ok, failed]).toEqual([400, {}]);
    const servingS = 40 / perHost;
    expect(seconds).toBeLessThanOrEqual(downS > 0 ? downS + servingS + 8 : 2.8 * servingS + 4);
    expect(requests - 400).toBeLessThanOrEqual(104);
  }); // biome-ignore format: a table
});

test.each([
  [2, 40],
  [8, 40],
  [40, 160],
])(
  'a host that queues before %i servers gets at most %i requests at once, at its full speed',
  async (servers, most) => {
    const { host, seconds } = await run(models.queueing(servers, 100), 2000);
    expect(seconds).toBeLessThanOrEqual(1.1 * (2000 / servers / 10));
    expect(host('a.test').maxInFlight).toBeLessThanOrEqual(most);
  },
);

test('a host that takes long for a tenth of its pages is not taken for one that queues', async () => {
  const random = seededRandom(SEED);
  const [quick, slow] = [healthy(random, 80), healthy(random, 3000)];
  const model: models.HostModel = (...request) => (random() < 0.1 ? slow : quick)(...request);
  expect((await run(model, 2000)).seconds).toBeLessThanOrEqual(8);
});

describe('a host that serves nothing', () => {
  const TEN_S = { timeout: 10_000 };

  test.each<[string, models.HostModel, number, object, Bounds & { readonly requests: number }]>([
    ['refuses', models.refusing, 1, {}, { atMostS: 3.1, wasted: 0, requests: 3 }],
    ['refuses', models.refusing, 2, {}, { atMostS: 6, wasted: 0, requests: 6 }],
    ['refuses', models.refusing, 1000, {}, { atMostS: 30.5, wasted: 0, requests: 20 }],
    ['resets', models.resetting, 1000, {}, { atMostS: 30.5, wasted: 0, requests: 20 }],
    ['refuses streams', models.refusingStreams, 1000, {}, { atMostS: 33, wasted: 0, requests: 20 }],
    ['sends garbage', models.garbage, 1000, {}, { atMostS: 30.5, wasted: 0, requests: 20 }],
    ['hangs', models.hanging, 1, TEN_S, { atMostS: 40, wasted: 0, requests: 4 }],
    ['hangs', models.hanging, 1000, TEN_S, { atMostS: 41, wasted: 0, requests: 20 }],
    ['hangs', models.hanging, 1000, {}, { atMostS: 61.1, wasted: 0, requests: 20 }],
    ['hangs', models.hanging, 1000, { ...TEN_S, giveUpAfter: 10_000 }, { atMostS: 21.1, wasted: 0, requests: 20 }],
    ['says 503', models.always(503), 1, {}, { atMostS: 3.1, wasted: 0, requests: 3 }],
    ['says 503', models.always(503), 10, {}, { atMostS: 32, wasted: 0, requests: 30 }],
    ['says 503', models.always(503), 1000, {}, { atMostS: 40, wasted: 0, requests: 1030 }],
    ['says 503 and asks for 1 s', models.always(503, 1), 1000, {}, { atMostS: 32, wasted: 0, requests: 20 }],
    ['says 429 and asks for 60 s', models.always(429, 60), 1000, {}, { atMostS: 185, wasted: 0, requests: 20 }],
  ])('and %s is given up in time, with few requests: %#', async (_, model, count, given, { atMostS, requests }) => {
    const seen = await run(model, count, given);
    expect(seen.ok).toBe(0);
    expect(seen.seconds).toBeLessThanOrEqual(atMostS);
    expect(seen.requests).toBeLessThanOrEqual(requests);
  }); // biome-ignore format: a table
});

test('one page that is always pushed back costs a few requests, and its host little', async () => {
  const served = healthy(seededRandom(1));
  const model: models.HostModel = (now, inFlight, url) =>
    url.endsWith('/7') ? { afterMs: 100, status: 503 } : served(now, inFlight, url);
  const { failed, seconds, requests } = await run(model, 2000);
  expect(failed).toEqual({ 503: 1 });
  expect(requests).toBeLessThanOrEqual(2000 + 5);
  expect(seconds).toBeLessThanOrEqual(6);
});

test('a host that pushes back some of its first requests loses none of them, also without retries', async () => {
  const { ok, failed } = await run(capped(4, {}, healthy(seededRandom(SEED))), 200, { retries: 0 });
  expect([ok, failed]).toEqual([200, {}]);
});

test('a host with a server that hangs, of four behind a balancer, is not asked ever more slowly', async () => {
  const model = models.inTurn(4, models.hanging, healthy(seededRandom(SEED)));
  const { ok, seconds } = await run(model, 1000, { timeout: 10_000, concurrency: 64 });
  expect(ok).toBeGreaterThanOrEqual(970); // of those that hang three times in a row, which one in 64 does, none can be saved
  expect(seconds).toBeLessThanOrEqual(120);
});

test('pages that never respond cost no other page of their host', async () => {
  const served = healthy(seededRandom(1));
  const model: models.HostModel = (now, inFlight, url) =>
    url.endsWith('7') ? undefined : served(now, inFlight, url);
  const { failed, results, ok } = await run(model, 200, { timeout: 10_000, concurrency: 16 });
  expect([ok, failed]).toEqual([180, { down: 20 }]);
  expect(Math.max(...results.map(({ attempts }) => attempts))).toBe(2);
});

describe('with a name server that takes 2 to 5 s,', () => {
  const HOSTS = 600;
  const URLS_EACH = 3;
  const MAX_LOOKUPS = 64;

  /** Each host has a lookup time of its own; `share` of them need more than 10 s in `tries` lookups. */
  function slowDns(share: number, tries: number): SimulatedDns {
    const random = seededRandom(SEED);
    const lost = new Map<string, number>();
    const lookUpMs = (host: string) => {
      const left = lost.get(host) ?? (random() < share ? tries : 0);
      lost.set(host, left - 1);
      return left > 0 ? undefined : 2000 + 3000 * random();
    };
    return { lookUpMs, maxLookups: MAX_LOOKUPS, timeoutMs: 10_000 };
  }

  const fetchAll = (
    dns: SimulatedDns,
    others: ReadonlyMap<string, models.HostModel> = new Map(),
    given = {},
  ) => {
    const random = seededRandom(SEED);
    const names = Array.from({ length: HOSTS }, (_, index) => `h${index}.test`);
    const hosts = new Map(names.map((name) => [name, healthy(random)]));
    const rounds = Array.from({ length: URLS_EACH }, (_, round) =>
      names.map((name) => `http://${name}/${round}`),
    );
    const own = [...others.keys()].flatMap((host) => urlsOf(host, 1000));
    return simulate(
      new Map([...hosts, ...others]),
      [...rounds.flat(), ...own],
      { concurrency: 64, ...given },
      { dns },
    );
  };

  // Floor: the lookups, 64 at once: 600 / 64 * 3.5 s.
  test.each([64, 256])(
    '%i workers fetch every URL in little more time than the lookups need',
    async (concurrency) => {
      const { ok, seconds, pushBacks, lookups, requests } = await fetchAll(slowDns(0, 0), undefined, {
        concurrency,
      });
      expect([ok, pushBacks, lookups]).toEqual([HOSTS * URLS_EACH, 0, HOSTS]);
      expect(requests).toBe(HOSTS * URLS_EACH);
      expect(seconds).toBeLessThanOrEqual(1.2 * 33);
    },
  );

  test('a lookup that fails once loses no URL', async () => {
    const { ok, seconds, results } = await fetchAll(slowDns(0.05, 1));
    expect(ok).toBe(HOSTS * URLS_EACH);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(Math.max(...results.map(({ attempts }) => attempts))).toBeLessThanOrEqual(2);
  });

  test('names that cannot be looked up end after --give-up-after, and cost no others', async () => {
    const { ok, failed, seconds, lookups } = await fetchAll(slowDns(0.02, 100));
    const lost = HOSTS * URLS_EACH - ok;
    expect(Object.keys(failed).sort()).toEqual(['dns', 'down']);
    expect(lost % URLS_EACH).toBe(0);
    expect(lost).toBeLessThanOrEqual(0.04 * HOSTS * URLS_EACH);
    expect(lookups).toBeLessThanOrEqual(HOSTS + 5 * (lost / URLS_EACH));
    expect(seconds).toBeLessThanOrEqual(80);
  });

  test('1,000 URLs of a host whose address is known fit between the lookups', async () => {
    const dns = slowDns(0, 0);
    const known = (host: string) => (host === 'known.test' ? 0 : dns.lookUpMs(host));
    const others = new Map([['known.test', healthy(seededRandom(SEED))]]);
    const { results } = await fetchAll({ ...dns, lookUpMs: known }, others);
    const ends = results.filter(({ url }) => url.includes('known')).map(({ endedAt }) => endedAt);
    expect(Math.max(...ends)).toBeLessThanOrEqual(1.2 * 33_000);
  });
});

describe('the small web,', () => {
  const OTHERS = () => {
    const random = seededRandom(SEED);
    return [
      models.always(503),
      models.always(429, 2),
      models.garbage,
      models.refusing,
      models.queueing(2, 200),
      tokenBucket(10, 5, WAIT, healthy(random)),
      capped(1, { failure: 'reset' }, healthy(random)),
      sometimes(isDownFor(500, 6_000), models.refusing, healthy(random)),
      sometimes(isDownFor(500, 6_000), models.always(503), healthy(random)),
    ];
  };

  // The big host needs 12.5 s, and the others as long as this machine needs for their URLs. A host that hangs ends after two
  // timeouts and a pause.
  test.each([
    ['mixed', 30_000, 0, 33],
    ['mixed', 10_000, 0, 22],
    ['sorted', 10_000, 0, 22],
    ['sorted', 10_000, 1, 32],
  ] as const)(
    '%s, giving up after %i ms, on a machine that takes %i ms for a URL, loses none of a host that serves, and ends soon',
    async (order, giveUpAfter, cpuMs, atMostS) => {
      const { hosts, mixed, sorted, alive } = smallWeb(seededRandom(SEED), OTHERS());
      const given = { concurrency: CONCURRENCY, timeout: 10_000, giveUpAfter };
      const web = await simulate(hosts, order === 'mixed' ? mixed : sorted, given, { cpuMs });
      expect(web.ok).toBe(alive);
      expect(web.seconds).toBeLessThanOrEqual(atMostS);
      const pushBacks = [...hosts.keys()]
        .filter((host) => !/^resetting|^other[0-3]/.test(host))
        .map((host) => web.host(host).pushBacks);
      expect(pushBacks.reduce((sum, count) => sum + count)).toBeLessThan(web.requests / 100);
    },
  );

  test('ends its big host while others have URLs left', async () => {
    const { hosts, mixed } = smallWeb(seededRandom(SEED));
    const web = await simulate(hosts, mixed, { concurrency: CONCURRENCY, timeout: 10_000 });
    const ends = web.results.filter(({ url }) => url.startsWith('http://big')).map(({ endedAt }) => endedAt);
    expect(Math.max(...ends)).toBeLessThanOrEqual(15_000);
  });
});
