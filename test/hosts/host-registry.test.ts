import { describe, expect, test } from 'vitest';
import { HostRegistry, type HostRegistryOptions } from '../../src/hosts/host-registry.ts';
import type { HostSignal } from '../../src/hosts/retry-policy.ts';
import type { RunEvent } from '../../src/model/run-event.ts';

const RESPONSE: HostSignal = { kind: 'response' };
const NEVER = Number.POSITIVE_INFINITY;

/** Releases each job after its record, as the scheduler does. */
class ReleasingRegistry extends HostRegistry {
  readonly #inFlight = new Map<string, number>();

  override onDispatch(key: string, now: number): void {
    this.#inFlight.set(key, (this.#inFlight.get(key) ?? 0) + 1);
    super.onDispatch(key, now);
  }

  override keyNextAllowedAt(key: string, inFlight: number, now = 0): number {
    return super.keyNextAllowedAt(key, inFlight, now);
  }

  override record(key: string, signal: HostSignal, startedAt: number, now: number): void {
    super.record(key, signal, startedAt, now);
    this.release(key, now);
  }

  release(key: string, now: number): void {
    const inFlight = Math.max(0, (this.#inFlight.get(key) ?? 0) - 1);
    this.#inFlight.set(key, inFlight);
    this.onRelease(key, inFlight, now);
  }
}

function registryOf(options: Partial<HostRegistryOptions> = {}): ReleasingRegistry {
  return new ReleasingRegistry({
    perHost: 64,
    concurrency: 64,
    perMs: NEVER,
    totalPerMs: NEVER,
    breakerThreshold: 5,
    giveUpAfterMs: 30_000,
    window: 100,
    ...options,
  });
}

function pushedBack(waitMs: number): HostSignal {
  return { kind: 'push-back', waitMs };
}

test('no request to a host is allowed while as many are in flight as its limit says', () => {
  const registry = registryOf({ perHost: 2 });
  registry.onDispatch('a', 0);
  registry.onDispatch('a', 0);
  expect(registry.keyNextAllowedAt('a', 1)).toBe(0);
  expect(registry.keyNextAllowedAt('a', 2)).toBe(NEVER);
  expect(registry.keyNextAllowedAt('b', 0)).toBe(0);
});

test('no more requests to a host are allowed than its HTTP/2 connection carries, until it responds otherwise', () => {
  const registry = registryOf();
  const limitsAfter = (signal: HostSignal, counts: readonly number[]) => {
    registry.onDispatch('a', 0);
    registry.onDispatch('a', 0);
    registry.record('a', signal, 0, 0);
    const limits = counts.map((inFlight) => registry.keyNextAllowedAt('a', inFlight));
    registry.release('a', 0);
    return limits;
  };
  registry.onDispatch('a', 0); // otherwise it would be forgotten
  expect(limitsAfter({ kind: 'response', streams: 3 }, [2, 3])).toEqual([0, NEVER]);
  expect(limitsAfter({ kind: 'response', streams: 5 }, [4, 5])).toEqual([0, NEVER]);
  expect(limitsAfter({ kind: 'response', streams: 0 }, [0, 1])).toEqual([0, NEVER]);
  expect(limitsAfter({ kind: 'response', streams: 1_000 }, [9, 10])).toEqual([0, NEVER]);
  expect(limitsAfter({ kind: 'response', streams: 3 }, [3])).toEqual([NEVER]);
  expect(limitsAfter(RESPONSE, [9])).toEqual([0]);
});

test('Retry-After pauses the host that sent it, and no other', () => {
  const registry = registryOf();
  registry.onDispatch('a', 0);
  registry.onDispatch('a', 0);
  registry.record('a', pushedBack(5000), 0, 100);
  registry.record('a', pushedBack(1000), 0, 100);
  expect(registry.keyNextAllowedAt('a', 0)).toBe(5100);
  expect(registry.keyNextAllowedAt('b', 0)).toBe(0);
});

test.each<[string, HostSignal]>([
  ['a push-back', { kind: 'push-back', waitMs: 0 }],
  ['a timeout', { kind: 'failure', isTimeout: true, error: 'slow' }],
  ['a reset', { kind: 'failure', isTimeout: false, isReset: true, error: 'reset' }],
  ['a body that times out', { kind: 'response', isSlow: true }],
])('%s lowers the limit to what else is in flight', (_, signal) => {
  const registry = registryOf({ perHost: 4, breakerThreshold: 0 });
  for (let count = 0; count < 3; count += 1) registry.onDispatch('a', 0);
  registry.record('a', signal, 0, 1);
  expect([registry.keyNextAllowedAt('a', 1), registry.keyNextAllowedAt('a', 2)]).toEqual([0, NEVER]);
});

test.each<HostSignal>([
  { kind: 'response' },
  { kind: 'failure', isTimeout: false, error: 'refused' },
  { kind: 'neutral' },
])('%j does not lower the limit', (signal) => {
  const registry = registryOf({ perHost: 4 });
  for (let count = 0; count < 3; count += 1) registry.onDispatch('a', 0);
  registry.record('a', signal, 0, 1);
  expect(registry.keyNextAllowedAt('a', 3)).toBe(0);
});

test('a host that has not responded for a second gets nothing more while it has a request', () => {
  const registry = registryOf();
  registry.onDispatch('a', 0);
  expect([registry.keyNextAllowedAt('a', 1, 1000), registry.keyNextAllowedAt('a', 1, 1001)]).toEqual([
    0,
    NEVER,
  ]);
  registry.onDispatch('a', 500);
  registry.record('a', RESPONSE, 0, 1500);
  expect(registry.keyNextAllowedAt('a', 1, 4500)).toBe(0); // twice the time that its last response took
  expect(registry.keyNextAllowedAt('a', 1, 4501)).toBe(NEVER);
  expect(registry.keyNextAllowedAt('a', 0, 4501)).toBe(0);
});

describe('a host that pushes back everything', () => {
  /** Pushes back probe after probe, and returns the times of the probes. */
  function probe(registry: ReleasingRegistry, waitMs = 0): number[] {
    for (let count = 0; count < 5; count += 1) registry.onDispatch('a', 0);
    for (let count = 0; count < 5; count += 1) registry.record('a', pushedBack(waitMs), 0, 0);
    const times: number[] = [];
    while (!registry.servesNobody('a') && times.length < 50) {
      const at = registry.keyNextAllowedAt('a', 0);
      times.push(at);
      registry.onDispatch('a', at);
      expect(registry.keyNextAllowedAt('a', 1, at)).toBe(NEVER);
      registry.record('a', pushedBack(waitMs), at, at);
    }
    return times;
  }

  test('is probed ever more rarely, and then serves nobody: its URLs end one by one', () => {
    const registry = registryOf();
    expect(probe(registry)).toEqual([1000, 3000, 7000, 15_000, 30_000]);
    expect([registry.endOf('a'), registry.keyNextAllowedAt('a', 0)]).toEqual([undefined, 0]);
    registry.onDispatch('a', 31_000);
    registry.record('a', RESPONSE, 31_000, 31_000);
    expect(registry.servesNobody('a')).toBe(false);
  });

  test('and asks to wait each time is blocked, after three probes at least', () => {
    const registry = registryOf();
    expect(probe(registry, 60_000)).toEqual([60_000, 120_000, 180_000]);
    expect(registry.endOf('a')?.kind).toBe('blocked');
  });

  test('and has served before, and says that there were too many requests, is waited for three times as long', () => {
    const registry = registryOf();
    for (let count = 0; count < 6; count += 1) registry.onDispatch('a', 1);
    registry.record('a', RESPONSE, 1, 1);
    const tooMany: HostSignal = { kind: 'push-back', waitMs: 0, isRate: true };
    for (let count = 0; count < 5; count += 1) registry.record('a', tooMany, 1, 1);
    let at = 1;
    for (let probes = 0; registry.endOf('a') === undefined && probes < 20; probes += 1) {
      at = registry.keyNextAllowedAt('a', 0);
      registry.onDispatch('a', at);
      registry.record('a', tooMany, at, at);
    }
    expect(registry.endOf('a')).toEqual({ kind: 'blocked', reason: 'pushed back with 429 or 503' });
    expect(at).toBe(90_001);
  });

  test('has its limit again when a probe is served, but not if it has asked to wait', () => {
    const limitAfter = (waitMs: number) => {
      const registry = registryOf({ concurrency: 64 });
      for (let count = 0; count < 8; count += 1) registry.onDispatch('a', 0);
      registry.record('a', RESPONSE, 0, 1);
      for (let count = 0; count < 7; count += 1) registry.record('a', pushedBack(waitMs), 0, 2);
      registry.onDispatch('a', 1002);
      registry.record('a', RESPONSE, 1002, 1003);
      for (let count = 0; count < 20; count += 1) {
        registry.onDispatch('a', 1004);
        registry.record('a', RESPONSE, 1004, 1005);
      }
      const allows = (inFlight: number) => registry.keyNextAllowedAt('a', inFlight, 1005) === 0;
      return Array.from({ length: 64 }, (_, n) => n).filter(allows).length;
    };
    expect(limitAfter(0)).toBe(10);
    expect(limitAfter(1)).toBeLessThan(10);
  });
});

describe('isNews()', () => {
  const REFUSED: HostSignal = { kind: 'failure', isTimeout: false, error: 'refused' };
  const SLOW: HostSignal = { kind: 'failure', isTimeout: true, error: 'slow' };
  const attempt = { startedAt: 100, endedAt: 200, mayRetry: true, last: undefined };

  test('is false for a host that has served nothing of late', () => {
    const registry = registryOf();
    registry.onDispatch('a', 0);
    expect(registry.isNews('a', pushedBack(0), attempt)).toBe(false);
    registry.onDispatch('a', 0);
    registry.record('a', RESPONSE, 0, 10);
    expect(registry.isNews('a', pushedBack(0), attempt)).toBe(true);
    expect(registry.isNews('a', REFUSED, { ...attempt, endedAt: 30_011 })).toBe(false);
    expect(registry.isNews('b', pushedBack(0), attempt)).toBe(false);
  });

  test('is false for a timeout if others were served meanwhile', () => {
    const registry = registryOf();
    for (const at of [0, 50]) {
      registry.onDispatch('a', at);
      registry.onDispatch('a', at);
      registry.record('a', RESPONSE, at, at + 100);
      expect(registry.isNews('a', SLOW, attempt)).toBe(at === 0);
    }
  });

  test('is false the second time, if no other was pushed back since', () => {
    const registry = registryOf();
    for (let count = 0; count < 4; count += 1) registry.onDispatch('a', 0);
    registry.record('a', RESPONSE, 0, 10);
    registry.record('a', pushedBack(0), 0, 20);
    const last = registry.newsMark('a');
    expect(registry.isNews('a', pushedBack(0), { ...attempt, last })).toBe(false);
    expect(registry.isNews('a', pushedBack(0), { ...attempt, last: { ...last, host: 'b' } })).toBe(true);
    registry.record('a', pushedBack(0), 0, 40);
    expect(registry.isNews('a', pushedBack(0), { ...attempt, last })).toBe(true);
  });

  test('is true for a probe, if its URL has retries left', () => {
    const registry = registryOf({ breakerThreshold: 1 });
    registry.onDispatch('a', 0);
    registry.record('a', REFUSED, 0, 10);
    registry.onDispatch('a', 1010);
    const probe = { ...attempt, startedAt: 1010, endedAt: 1011 };
    expect(registry.isNews('a', REFUSED, probe)).toBe(true);
    expect(registry.isNews('a', REFUSED, { ...probe, mayRetry: false })).toBe(false);
  });
});

test('a host that refuses is given up for good: its jobs are allowed so that they can end', () => {
  const registry = registryOf({ perHost: 2, perMs: 1 / 1000 });
  for (let count = 0; count < 2; count += 1) registry.onDispatch('a', 0);
  registry.record('a', { kind: 'refusal', reason: 'wait' }, 0, 10);
  expect([registry.endOf('a'), registry.endOf('b')]).toEqual([
    { kind: 'blocked', reason: 'wait' },
    undefined,
  ]);
  expect(registry.keyNextAllowedAt('a', 9)).toBe(0);
  registry.record('a', RESPONSE, 0, 20);
  expect([registry.endOf('a')?.kind, registry.countPaused(20)]).toEqual(['blocked', 1]);
});

test('a host that is down gives its reason, and its jobs are allowed so that they can fail', () => {
  const registry = registryOf({ breakerThreshold: 1, giveUpAfterMs: 7000 });
  for (const now of [0, 1000, 3000, 7000]) {
    expect(registry.endOf('a')).toBe(undefined);
    registry.onDispatch('a', now);
    registry.record('a', { kind: 'failure', isTimeout: false, error: 'refused' }, now, now);
  }
  expect(registry.endOf('a')).toEqual({ kind: 'down', reason: 'refused' });
  expect(registry.keyNextAllowedAt('a', 0)).toBe(0);
});

test('the rate of a host delays only that host, the total rate delays all', () => {
  const registry = registryOf({ perMs: 1 / 1000, totalPerMs: 1 / 500 });
  registry.onDispatch('a', 0);
  expect(registry.keyNextAllowedAt('a', 0)).toBe(990);
  expect(registry.keyNextAllowedAt('b', 0)).toBe(0);
  expect(registry.nextAllowedAt(0, 0)).toBe(490);
});

test('a host is forgotten when nothing is in flight and it has no state worth keeping', () => {
  const registry = registryOf();
  for (let i = 0; i < 1000; i++) {
    registry.onDispatch(`host${i}`, i);
    registry.record(`host${i}`, RESPONSE, i, i);
  }
  expect(registry.size).toBe(0);
  registry.onDispatch('busy', 0);
  registry.onDispatch('busy', 0);
  registry.record('busy', RESPONSE, 0, 1);
  registry.onDispatch('paused', 0);
  registry.record('paused', pushedBack(60_000), 0, 1);
  expect(registry.size).toBe(2);
});

test('a host is forgotten when its jobs are released, also without a record: they were dropped, or failed by a bug', () => {
  const registry = registryOf();
  for (let i = 0; i < 3; i++) registry.onDispatch('a', 0);
  registry.record('a', RESPONSE, 0, 1);
  registry.release('a', 2);
  expect(registry.size).toBe(1);
  registry.release('a', 3);
  expect(registry.size).toBe(0);
});

test('what a host has served is remembered while more of its jobs wait, also when none is in flight', () => {
  const registry = registryOf({ perHost: 1 });
  registry.onDispatch('a', 0);
  registry.onRelease('a', 0, 1, true);
  expect(registry.size).toBe(1);
  registry.onDispatch('a', 1);
  registry.onRelease('a', 0, 2, false);
  expect(registry.size).toBe(0);
});

test.each<[string, HostSignal, boolean]>([
  ['a push-back', { kind: 'push-back', waitMs: 0 }, true],
  ['a reset', { kind: 'failure', isTimeout: false, isReset: true, error: 'reset' }, true],
  ['a timeout', { kind: 'failure', isTimeout: true, error: 'slow' }, false],
  ['a body that times out', { kind: 'response', isSlow: true }, false],
])('the requests of a host with one at a time are spaced after %s: %s', (_, signal, isSpaced) => {
  const registry = registryOf({ perHost: 1, breakerThreshold: 0 });
  registry.onDispatch('a', 0); // otherwise it would be forgotten
  let now = 0;
  for (const outcome of [signal, RESPONSE, RESPONSE, signal, RESPONSE]) {
    registry.onDispatch('a', now);
    now += 1000;
    registry.record('a', outcome, now - 1000, now);
  }
  registry.onDispatch('a', now);
  expect(registry.keyNextAllowedAt('a', 0, now) > now).toBe(isSpaced);
});

test('a probe that is released without a record lets the next one through', () => {
  const registry = registryOf({ breakerThreshold: 1 });
  registry.onDispatch('a', 0);
  registry.record('a', { kind: 'failure', isTimeout: false, error: 'refused' }, 0, 0);
  registry.onDispatch('a', 1000);
  expect(registry.keyNextAllowedAt('a', 1)).toBe(NEVER);
  registry.release('a', 1001);
  expect(registry.keyNextAllowedAt('a', 0)).toBeLessThanOrEqual(1001);
});

test('memory of hosts is bounded: beyond 100,000 the oldest is evicted, one with a long pause last', () => {
  const registry = registryOf({ perMs: 1 / 1000 });
  registry.onDispatch('kept', 0);
  registry.record('kept', pushedBack(3_600_000), 0, 0);
  for (let i = 0; i < 100_010; i++) {
    registry.onDispatch(`host${i}`, i);
    registry.record(`host${i}`, RESPONSE, i, i);
  }
  expect(registry.size).toBeLessThanOrEqual(100_000);
  expect(registry.keyNextAllowedAt('kept', 0)).toBe(3_600_000);
});

test.each<[string, HostSignal]>([
  ['failures', { kind: 'failure', isTimeout: false, error: 'refused' }],
  ['push-backs', { kind: 'push-back', waitMs: 0 }],
])('%s below the threshold are remembered as long as the queue may hold jobs of the host', (_, refused) => {
  const registry = registryOf({ breakerThreshold: 2, window: 100, perHost: 1 });
  const fail = (key: string) => {
    registry.onDispatch(key, 0);
    registry.record(key, refused, 0, 0);
  };
  fail('first');
  for (let i = 0; i < 99; i++) fail(`host${i}`);
  expect(registry.size).toBe(100);
  fail('first');
  expect(registry.keyNextAllowedAt('first', 0)).toBe(1000);
  for (let i = 0; i < 1000; i++) fail(`other${i}`);
  expect(registry.size).toBe(101);
  fail('host0');
  expect(registry.keyNextAllowedAt('host0', 0)).toBe(0);
});

test('countPaused() counts the hosts that are paused or whose breaker is open', () => {
  const registry = registryOf({ breakerThreshold: 2 });
  for (const key of ['busy', 'paused', 'down', 'down']) registry.onDispatch(key, 0);
  registry.record('paused', pushedBack(2000), 0, 0);
  for (let count = 0; count < 2; count += 1)
    registry.record('down', { kind: 'failure', isTimeout: false, error: 'refused' }, 0, 0);
  expect([registry.size, registry.countPaused(1000)]).toEqual([3, 2]);
  expect(registry.countPaused(2000)).toBe(1);
});

test('a host that is paused or waits for its rate is kept until then, and forgotten by its next response', () => {
  for (const perMs of [NEVER, 1 / 1000]) {
    const registry = registryOf({ perMs });
    registry.onDispatch('a', 0);
    registry.record('a', perMs === NEVER ? pushedBack(500) : RESPONSE, 0, 0);
    expect(registry.size).toBe(1);
    expect(registry.keyNextAllowedAt('a', 0)).toBeGreaterThan(400);
    registry.onDispatch('a', 600);
    registry.record('a', { kind: 'neutral' }, 600, 5000);
    // The limit of the paused host was lowered, so it is kept.
    expect(registry.size).toBe(perMs === NEVER ? 1 : 0);
  }
});

test('jobs without a host are not remembered, and use up no rate', () => {
  const registry = registryOf({ totalPerMs: 1 / 1000 });
  registry.onDispatch('', 0);
  expect([registry.size, registry.nextAllowedAt(0, 0)]).toEqual([0, 0]);
  registry.record('', { kind: 'neutral' }, 0, 0);
  expect(registry.size).toBe(0);
});

test('jobs of a host that is down use up nothing of the total rate', () => {
  const registry = registryOf({ breakerThreshold: 1, giveUpAfterMs: 7000, totalPerMs: 1 / 10 });
  for (const now of [0, 1000, 3000, 7000]) {
    registry.onDispatch('a', now);
    registry.record('a', { kind: 'failure', isTimeout: false, error: 'refused' }, now, now);
  }
  for (let i = 0; i < 1000; i++) registry.onDispatch('a', 8000);
  expect(registry.nextAllowedAt(8000, 0)).toBeLessThanOrEqual(8000);
  registry.onDispatch('b', 8000);
  expect(registry.nextAllowedAt(8000, 0)).toBe(8000);
});

test('an exhausted resource of this machine pauses every host, and is not held against the host', () => {
  const registry = registryOf({ breakerThreshold: 1 });
  registry.onDispatch('a', 0);
  registry.record('a', { kind: 'exhausted' }, 0, 0);
  expect([
    registry.exhaustedCount,
    registry.nextAllowedAt(0, 0),
    registry.keyNextAllowedAt('a', 0),
    registry.size,
  ]).toEqual([1, 50, 0, 0]);
  expect(registry.nextAllowedAt(0, 32)).toBe(NEVER);
});

test('responses and failures raise a limit that was lowered by an exhausted resource, neutral signals do not', () => {
  const limitOf = (registry: HostRegistry) =>
    Array.from({ length: 64 }, (_, n) => n).filter((n) => registry.nextAllowedAt(0, n) !== NEVER);
  const after = (signal: HostSignal) => {
    const registry = registryOf({ breakerThreshold: 0 });
    registry.record('a', { kind: 'exhausted' }, 0, 0);
    for (let i = 0; i < 40; i++) registry.record('a', signal, 0, 0);
    return limitOf(registry).length;
  };
  expect(after(RESPONSE)).toBe(40);
  expect(after({ kind: 'failure', isTimeout: false, error: 'refused' })).toBe(40);
  expect(after({ kind: 'neutral' })).toBe(32);
});

test('a signal of a host that was forgotten is ignored', () => {
  const registry = registryOf();
  registry.record('never taken', RESPONSE, 0, 0);
  expect(registry.size).toBe(0);
});

describe('the log', () => {
  function logged(): { registry: HostRegistry; events: RunEvent[] } {
    const events: RunEvent[] = [];
    const log = { write: (event: RunEvent) => events.push(event), hasRequests: false };
    return { registry: registryOf({ log, breakerThreshold: 1 }), events };
  }

  test('has pauses and lowered limits, and each once', () => {
    const { registry, events } = logged();
    for (let count = 0; count < 4; count += 1) registry.onDispatch('a', 0);
    registry.record('a', pushedBack(5000), 0, 100);
    registry.record('a', pushedBack(1000), 0, 100);
    registry.record('a', pushedBack(5000), 0, 900); // for about the same pause
    registry.record('a', RESPONSE, 0, 200);
    registry.onDispatch('a', 6000);
    registry.record('a', RESPONSE, 6000, 6100);
    expect(events.filter(({ kind }) => kind === 'pause')).toEqual([
      { kind: 'pause', host: 'a', pauseMs: 5000 },
    ]);
    expect(events.filter(({ kind }) => kind === 'limit')).toEqual([{ kind: 'limit', host: 'a', limit: 1 }]);
  });

  test('has a pause again that grows, and no shorter one of the circuit breaker', () => {
    const { registry, events } = logged();
    for (let count = 0; count < 2; count += 1) registry.onDispatch('a', 0);
    registry.record('a', pushedBack(5000), 0, 100);
    registry.record('a', pushedBack(7000), 0, 100);
    expect(events.filter(({ kind }) => kind !== 'limit')).toEqual([
      { kind: 'pause', host: 'a', pauseMs: 5000 },
      { kind: 'pause', host: 'a', pauseMs: 7000 },
    ]);
  });

  test('has the host that is given up because it asks for too long a wait, once', () => {
    const { registry, events } = logged();
    for (let count = 0; count < 2; count += 1) registry.onDispatch('a', 0);
    for (let count = 0; count < 2; count += 1)
      registry.record('a', { kind: 'refusal', reason: 'wait' }, 0, 10);
    expect(events).toEqual([{ kind: 'blocked', host: 'a', reason: 'wait' }]);
  });

  test('has the pauses of a host that pushes back everything', () => {
    const { registry, events } = logged();
    registry.onDispatch('a', 0);
    registry.record('a', pushedBack(0), 0, 10);
    expect(events).toEqual([
      { kind: 'breaker', host: 'a', pauseMs: 1000, reason: 'pushed back with 429 or 503' },
    ]);
  });

  test('has circuit breakers that open, and the host that is given up', () => {
    const { registry, events } = logged();
    let now = 0;
    for (let attempt = 0; attempt < 20 && registry.endOf('a') === undefined; attempt += 1) {
      registry.onDispatch('a', now);
      registry.record('a', { kind: 'failure', isTimeout: false, error: 'refused' }, now, now + 10);
      now = Math.max(now + 10, registry.keyNextAllowedAt('a', 0, now));
    }
    expect(events[0]).toEqual({ kind: 'breaker', host: 'a', pauseMs: 1000, reason: 'refused' });
    expect(events.at(-1)).toEqual({ kind: 'down', host: 'a', reason: 'refused' });
    expect(events.filter(({ kind }) => kind === 'down')).toHaveLength(1);
  });
});
