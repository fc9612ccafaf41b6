import { describe, expect, it, test } from 'vitest';
import { HostRegistry, type HostRegistryOptions } from '../../src/hosts/host-registry.ts';
import { type HostSignal, type HostState, toHostState } from '../../src/hosts/retry-policy.ts';

const NEVER = Number.POSITIVE_INFINITY;
const FAILURE: HostSignal = { kind: 'failure', isTimeout: false, error: 'refused' };

function registryOf(options: Partial<HostRegistryOptions> = {}): HostRegistry {
  return new HostRegistry({
    perHost: 64,
    concurrency: 64,
    perMs: NEVER,
    totalPerMs: NEVER,
    breakerThreshold: 3,
    giveUpAfterMs: 30_000,
    window: 100,
    ...options,
  });
}

/** Sends a request to the host "h" at this time, which shows this after 10 ms. */
function request(registry: HostRegistry, at: number, signal: HostSignal): void {
  registry.onDispatch('h', at);
  registry.record('h', signal, at, at + 10);
  registry.onRelease('h', 0, at + 10);
}

/** What another process knows of the hosts, whose clock shows `at` when the first one shows `now`. */
function moved(registry: HostRegistry, now: number, at: number, options?: Partial<HostRegistryOptions>) {
  const successor = registryOf(options);
  const text = JSON.stringify([...registry.states(now)]);
  for (const [key, state] of JSON.parse(text) as [string, unknown][])
    successor.restore(key, toHostState(state), at);
  return successor;
}

const RATE = { perMs: 1 / 500 };

interface Case {
  readonly name: string;
  readonly before: (registry: HostRegistry) => void;
  /** From the moment at which the state was read. */
  readonly waitMs: number;
  readonly options?: Partial<HostRegistryOptions>;
}

const CASES: readonly Case[] = [
  {
    name: 'the rest of a pause',
    before: (registry) => request(registry, 0, { kind: 'push-back', waitMs: 6000 }),
    waitMs: 5010,
  },
  {
    name: 'the next slot of a rate',
    before: (registry) => {
      for (const at of [0, 500, 900]) request(registry, at, { kind: 'response' });
    },
    waitMs: 490,
    options: RATE,
  },
  {
    name: 'an open circuit breaker',
    before: (registry) => {
      for (const at of [0, 20, 40]) request(registry, at, FAILURE);
    },
    waitMs: 50,
  },
  {
    name: 'a circuit breaker that lets the probe through again, if its outcome is unknown',
    before: (registry) => {
      for (const at of [-2000, -1980, -1960]) request(registry, at, FAILURE);
      registry.onDispatch('h', 990);
    },
    waitMs: 0,
  },
];

describe('the state of a host in another process, with another clock', () => {
  it.each(CASES)('has $name', ({ before, waitMs, options }) => {
    const registry = registryOf(options);
    before(registry);
    const successor = moved(registry, 1000, 70_000, options);
    expect(successor.keyNextAllowedAt('h', 0, 70_000)).toBeCloseTo(70_000 + waitMs, 6);
  });

  it('has a lowered limit', () => {
    const registry = registryOf();
    for (let count = 0; count < 4; count++) registry.onDispatch('h', 0);
    registry.record('h', { kind: 'push-back', waitMs: 0 }, 0, 10);
    for (let left = 3; left >= 0; left--) registry.onRelease('h', left, 10);
    const successor = moved(registry, 10, 500);
    expect([2, 3].map((inFlight) => successor.keyNextAllowedAt('h', inFlight, 500))).toEqual([
      expect.any(Number),
      NEVER,
    ]);
    expect(successor.keyCapacity('h')).toBe(3);
    expect(moved(registry, 10, 500, { perHost: 1 }).keyCapacity('h')).toBe(1);
  });

  it('has the failures so far: one more opens the circuit breaker', () => {
    const registry = registryOf();
    for (const at of [0, 20]) request(registry, at, FAILURE);
    const successor = moved(registry, 100, 500);
    expect(successor.keyNextAllowedAt('h', 0, 500)).toBe(0);
    request(successor, 500, FAILURE);
    expect(successor.keyNextAllowedAt('h', 0, 510)).toBe(1510);
  });

  it.each<[string, HostSignal, string]>([
    ['refuses', { kind: 'refusal', reason: 'it asks to wait for a day' }, 'it asks to wait for a day'],
    ['is down', FAILURE, 'refused'],
  ])('has its end: it %s', (_, signal, reason) => {
    const registry = registryOf({ breakerThreshold: 1, giveUpAfterMs: 0 });
    for (const at of [0, 2000]) request(registry, at, signal);
    expect(moved(registry, 3000, 0).endOf('h')?.reason).toBe(reason);
  });

  it('keeps the longer pause and the lower limit of both processes', () => {
    const registry = registryOf();
    request(registry, 0, { kind: 'push-back', waitMs: 6000 });
    registry.restore('h', { pauseMs: 1000, limit: 20 }, 100);
    expect([registry.keyNextAllowedAt('h', 0, 100), registry.keyCapacity('h')]).toEqual([6010, 1]);
    registry.restore('h', { pauseMs: 9000 }, 100);
    expect(registry.keyNextAllowedAt('h', 0, 100)).toBe(9100);
  });

  it('is not passed on if it is as new', () => {
    const registry = registryOf();
    request(registry, 0, { kind: 'response' });
    expect([...registry.states(10)]).toEqual([]);
  });
});

test('shareRate() divides the rate over all hosts', () => {
  const registry = registryOf({ totalPerMs: 1 / 100 });
  const next = () => {
    registry.onDispatch('h', 0);
    return registry.nextAllowedAt(0, 1);
  };
  const first = next();
  registry.shareRate(4);
  expect(next() - first).toBe(400);
  registry.shareRate(1);
  expect(next() - first).toBe(500);
});

test.each<[string, unknown, HostState]>([
  ['nothing', undefined, {}],
  ['a text', 'pause', {}],
  ['values of other types', { pauseMs: '1', limit: null, gapMs: -1, breaker: 3, end: [] }, {}],
  ['a limit of 0', { limit: 0 }, {}],
  ['a pause of a year', { pauseMs: 1e11 }, { pauseMs: 86_400_000 }],
  ['a number that is none', { slotMs: Number.NaN, gapMs: Number.POSITIVE_INFINITY }, { gapMs: 86_400_000 }],
  ['an unknown state of a breaker', { breaker: { name: 'ajar' } }, {}],
  [
    'a reason that moves the cursor',
    { end: { kind: 'down', reason: '\u001b[2Jx' } },
    { end: { kind: 'down', reason: expect.not.stringContaining('\u001b') } },
  ],
])('toHostState() takes what is valid of %s', (_, value, state) => {
  expect(toHostState(value)).toEqual(state);
});
