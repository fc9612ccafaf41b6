import { runCli } from '../origin/run-cli.ts';
import type { Role } from './role.ts';

/** What `fanout status --json` says, as far as tests look at it. */
export interface Status {
  readonly state: 'feeding' | 'working' | 'short' | 'complete';
  readonly queued: number;
  readonly underWay: number;
  readonly uncollected: number;
  readonly done: number;
  readonly duplicates: number;
}

const SLOW = { killAfterMs: 60_000 };

/** How a run stands; `undefined` when it cannot be told, as while the broker is away. */
export async function statusOf(on: readonly string[]): Promise<Status | undefined> {
  const { code, stdout } = await runCli(['status', ...on, '--json'], SLOW);
  return code === 0 ? JSON.parse(stdout) : undefined;
}

/** Resolves with the status as soon as this holds for it; the bound is that of the test. */
export async function statusWhen(on: readonly string[], holds: (status: Status) => boolean): Promise<Status> {
  for (;;) {
    const status = await statusOf(on);
    if (status !== undefined && holds(status)) return status;
  }
}

/**
 * Waits for the end of a collector as an operator would: a broker that is killed may have lost what it had acknowledged a
 * moment ago; `status` then says SHORT, and the missing chunks are fed again. Resolves to how often that was needed.
 */
export async function endOf(
  collector: Role,
  on: readonly string[],
  feed: readonly string[],
): Promise<number> {
  let isOver = false;
  const ended = collector.ended.then(() => {
    isOver = true;
  });
  let mended = 0;
  while (!isOver) {
    const status = await statusOf(on);
    if (isOver || status?.state !== 'short') continue;
    mended += 1;
    await runCli([...feed, '--reconcile'], SLOW);
  }
  await ended;
  return mended;
}
