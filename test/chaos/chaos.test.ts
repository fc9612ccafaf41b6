import { describe, expect, it } from 'vitest';
import type { FaultName } from './faults.ts';
import { planRound, runRound } from './round.ts';

const LIMIT_MS = 150_000;

// `npm run chaos` does longer rounds, with all faults at random.
describe('a run of the built program', { timeout: LIMIT_MS + 30_000 }, () => {
  it.each<{ readonly seed: number; readonly servers: 1 | 3; readonly faults: readonly FaultName[] }>([
    { seed: 1, servers: 1, faults: ['kill', 'suspend', 'kill', 'drain', 'kill'] },
    { seed: 2, servers: 1, faults: ['restart', 'wipe'] },
    { seed: 3, servers: 3, faults: ['leader', 'kill'] },
  ])('has each URL exactly once after $faults (servers: $servers)', async ({ seed, servers, faults }) => {
    const plan = { ...planRound(seed, { main: 'kill', maxUrls: 800 }), servers, faults };
    const report = await runRound(plan, seed, LIMIT_MS);
    expect(report.faults, report.messages).toEqual([]);
    expect([report.done.length, report.results]).toEqual([faults.length, plan.urls]);
  });
});
