import { expect, test } from 'vitest';
import { HostRegistry, type HostRegistryOptions, type HostSignal } from '../../src/hosts/host-registry.ts';

const ANSWER: HostSignal = { kind: 'answer' };
const NEVER = Number.POSITIVE_INFINITY;

function hosts(options: Partial<HostRegistryOptions> = {}): HostRegistry {
  return new HostRegistry({
    perHost: 64,
    concurrency: 64,
    perMs: NEVER,
    totalPerMs: NEVER,
    breaker: 5,
    window: 100,
    ...options,
  });
}

function pushedBack(waitMs: number): HostSignal {
  return { kind: 'push-back', waitMs };
}

test('a host is closed while as many requests are under way as its limit says', () => {
  const table = hosts({ perHost: 2 });
  table.onDispatch('a', 0);
  table.onDispatch('a', 0);
  expect(table.laneNextAllowedAt('a', 1)).toBe(0);
  expect(table.laneNextAllowedAt('a', 2)).toBe(NEVER);
  expect(table.laneNextAllowedAt('b', 0)).toBe(0);
});

test('Retry-After pauses the host that said it, and no other', () => {
  const table = hosts();
  table.onDispatch('a', 0);
  table.onDispatch('a', 0);
  table.observe('a', pushedBack(5000), 0, 100);
  table.observe('a', pushedBack(1000), 0, 100);
  expect(table.laneNextAllowedAt('a', 0)).toBe(5100);
  expect(table.laneNextAllowedAt('b', 0)).toBe(0);
});

test('timeouts halve the limit as push-backs do', () => {
  const table = hosts({ perHost: 4, breaker: 0 });
  table.onDispatch('a', 0);
  table.observe('a', { kind: 'failure', isTimeout: true, error: 'slow' }, 0, 1);
  expect(table.laneNextAllowedAt('a', 1)).toBe(0);
  expect(table.laneNextAllowedAt('a', 2)).toBe(NEVER);
});

test('a host that is down gives its reason, and its lane is open so that what is left can fail', () => {
  const table = hosts({ breaker: 1 });
  for (const now of [0, 1000, 3000, 7000]) {
    expect(table.downReason('a')).toBe(undefined);
    table.onDispatch('a', now);
    table.observe('a', { kind: 'failure', isTimeout: false, error: 'refused' }, now, now);
  }
  expect(table.downReason('a')).toBe('refused');
  expect(table.laneNextAllowedAt('a', 0)).toBe(0);
});

test('the rate of a host closes its lane alone, the total rate closes all', () => {
  const table = hosts({ perMs: 1 / 1000, totalPerMs: 1 / 500 });
  table.onDispatch('a', 0);
  expect(table.laneNextAllowedAt('a', 0)).toBe(990);
  expect(table.laneNextAllowedAt('b', 0)).toBe(0);
  expect(table.nextAllowedAt(0, 0)).toBe(490);
});

test('a host is forgotten when nothing is under way and nothing about it is worth knowing', () => {
  const table = hosts();
  for (let i = 0; i < 1000; i++) {
    table.onDispatch(`host${i}`, i);
    table.observe(`host${i}`, ANSWER, i, i);
  }
  expect(table.size).toBe(0);
  table.onDispatch('busy', 0);
  table.onDispatch('busy', 0);
  table.observe('busy', ANSWER, 0, 1);
  table.onDispatch('paused', 0);
  table.observe('paused', pushedBack(60_000), 0, 1);
  expect(table.size).toBe(2);
});

test('memory of hosts is bounded: the oldest goes when 100,000 are known, one worth knowing last', () => {
  const table = hosts({ perMs: 1 / 1000 });
  table.onDispatch('precious', 0);
  table.observe('precious', pushedBack(3_600_000), 0, 0);
  for (let i = 0; i < 100_010; i++) {
    table.onDispatch(`host${i}`, i);
    table.observe(`host${i}`, ANSWER, i, i);
  }
  expect(table.size).toBeLessThanOrEqual(100_000);
  expect(table.laneNextAllowedAt('precious', 0)).toBe(3_600_000);
});

test('failures below the threshold are remembered as long as the queue may hold jobs of the host', () => {
  const refused: HostSignal = { kind: 'failure', isTimeout: false, error: 'refused' };
  const table = hosts({ breaker: 2, window: 100 });
  const fail = (key: string) => {
    table.onDispatch(key, 0);
    table.observe(key, refused, 0, 0);
  };
  fail('first');
  for (let i = 0; i < 99; i++) fail(`host${i}`);
  expect(table.size).toBe(100);
  fail('first');
  expect(table.laneNextAllowedAt('first', 0)).toBe(1000);
  for (let i = 0; i < 1000; i++) fail(`other${i}`);
  expect(table.size).toBe(101);
  fail('host0');
  expect(table.laneNextAllowedAt('host0', 0)).toBe(0);
});

test('countParked() counts the hosts that pause or whose breaker is open', () => {
  const table = hosts({ breaker: 1 });
  for (const key of ['busy', 'paused', 'down']) table.onDispatch(key, 0);
  table.observe('paused', pushedBack(2000), 0, 0);
  table.observe('down', { kind: 'failure', isTimeout: false, error: 'refused' }, 0, 0);
  expect([table.size, table.countParked(1000)]).toEqual([3, 2]);
  expect(table.countParked(2000)).toBe(1);
});

test('a paused host and one whose turn comes later are known until then, and forgotten by their next answer', () => {
  for (const perMs of [NEVER, 1 / 1000]) {
    const table = hosts({ perMs });
    table.onDispatch('a', 0);
    table.observe('a', perMs === NEVER ? pushedBack(500) : ANSWER, 0, 0);
    expect(table.size).toBe(1);
    expect(table.laneNextAllowedAt('a', 0)).toBeGreaterThan(400);
    table.onDispatch('a', 600);
    table.observe('a', { kind: 'nothing' }, 600, 5000);
    // Its limit was halved, so what paused is known on.
    expect(table.size).toBe(perMs === NEVER ? 1 : 0);
  }
});

test('jobs that are sent nowhere are known nowhere, and cost no rate', () => {
  const table = hosts({ totalPerMs: 1 / 1000 });
  table.onDispatch('', 0);
  expect([table.size, table.nextAllowedAt(0, 0)]).toEqual([0, 0]);
  table.observe('', { kind: 'nothing' }, 0, 0);
  expect(table.size).toBe(0);
});

test('what is left for a host that is down costs the total rate nothing', () => {
  const table = hosts({ breaker: 1, totalPerMs: 1 / 10 });
  for (const now of [0, 1000, 3000, 7000]) {
    table.onDispatch('a', now);
    table.observe('a', { kind: 'failure', isTimeout: false, error: 'refused' }, now, now);
  }
  for (let i = 0; i < 1000; i++) table.onDispatch('a', 8000);
  expect(table.nextAllowedAt(8000, 0)).toBeLessThanOrEqual(8000);
  table.onDispatch('b', 8000);
  expect(table.nextAllowedAt(8000, 0)).toBe(8000);
});

test('a shortage of this machine holds every host back, and says nothing of the one it met', () => {
  const table = hosts({ breaker: 1 });
  table.onDispatch('a', 0);
  table.observe('a', { kind: 'shortage' }, 0, 0);
  expect([table.shortages, table.nextAllowedAt(0, 0), table.laneNextAllowedAt('a', 0), table.size]).toEqual([
    1, 50, 0, 0,
  ]);
  expect(table.nextAllowedAt(0, 32)).toBe(NEVER);
});

test('answers and failures give back what a shortage took, and what was broken off does not', () => {
  const limitOf = (table: HostRegistry) =>
    Array.from({ length: 64 }, (_, n) => n).filter((n) => table.nextAllowedAt(0, n) !== NEVER);
  const after = (observation: HostSignal) => {
    const table = hosts({ breaker: 0 });
    table.observe('a', { kind: 'shortage' }, 0, 0);
    for (let i = 0; i < 40; i++) table.observe('a', observation, 0, 0);
    return limitOf(table).length;
  };
  expect(after(ANSWER)).toBe(40);
  expect(after({ kind: 'failure', isTimeout: false, error: 'refused' })).toBe(40);
  expect(after({ kind: 'nothing' })).toBe(32);
});

test('an observation of a host that was forgotten is passed over', () => {
  const table = hosts();
  table.observe('never taken', ANSWER, 0, 0);
  expect(table.size).toBe(0);
});
