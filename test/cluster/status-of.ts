import { onTestFinished } from 'vitest';
import { openRun } from '../../src/cluster/jetstream-engine.ts';
import { type RunStatus, StatusReader } from '../../src/cluster/run-state.ts';
import { runInProcess } from '../cli/run-in-process.ts';
import type { Role } from './role.ts';

const LOOK_INTERVAL_MS = 100;

/**
 * The status of a run, as `fanout cluster status` with these flags would show it; `undefined` while the run does not exist or the broker
 * is away. Read in this process: starting the program for each look would take most of the time of a test.
 */
export async function statusOf(on: readonly string[]): Promise<RunStatus | undefined> {
  const [broker, run] = ['--broker', '--run'].map((flag) => on[on.indexOf(flag) + 1] ?? '');
  const servers = (broker ?? '').replace('nats://', '').split(',');
  const engine = await openRun({
    address: { servers, isSecure: false },
    run: run ?? '',
    warn: () => {},
    note: () => {},
  }).catch(() => undefined);
  try {
    return engine && (await new StatusReader(engine).read());
  } catch {
    return undefined;
  } finally {
    await engine?.close().catch(() => {});
  }
}

/**
 * Resolves with the status as soon as `holds` returns true for it. The time limit is that of the test; after its end it
 * looks no more.
 */
export async function statusWhen(
  on: readonly string[],
  holds: (status: RunStatus) => boolean,
): Promise<RunStatus> {
  let isFinished = false;
  onTestFinished(() => {
    isFinished = true;
  });
  for (;;) {
    const status = await statusOf(on);
    if (status !== undefined && holds(status)) return status;
    if (isFinished) throw new Error(`The test ended before this status: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  }
}

/**
 * Waits for the end of a collector as an operator would: a broker that is killed may lose what it has just acknowledged. The
 * status is then `short`, and the missing chunks are sent again. Resolves to how often that was needed.
 */
export async function endOf(
  collector: Role,
  on: readonly string[],
  feed: readonly string[],
): Promise<number> {
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  const ended = collector.ended.then(() => {
    isOver = true;
  });
  let reconciled = 0;
  while (!isOver) {
    const status = await statusOf(on);
    if (isOver) break;
    if (status?.state === 'short') {
      reconciled += 1;
      await runInProcess([...feed, '--reconcile']);
    } else await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  }
  await ended;
  return reconciled;
}
