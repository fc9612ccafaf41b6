import { UsageError } from '../model/errors.ts';
import { pause } from './persist.ts';
import type { QueueEngine } from './queue-engine.ts';
import { STOP_KEY } from './run-end.ts';

/** How often everybody asks whether the run was stopped. */
export const STOP_POLL_MS = 1000;

/** Why a run over several machines was ended before its list was. */
export interface StopReason {
  readonly cause: 'failures' | 'deadline';
  /** So many failures, or so many ms. */
  readonly limit: number;
}

/** What the broker holds of the last stop of a run. */
export interface RunStop extends StopReason {
  /** The failures until then: they do not stop the run again when it goes on. */
  readonly failures: number;
  /** The run has gone on since. */
  readonly isOver: boolean;
}

/** The last stop of a run; `undefined` when there was none. */
export async function lastStop(engine: QueueEngine): Promise<RunStop | undefined> {
  return stopFrom(await engine.state(STOP_KEY));
}

/** Lets a run that was stopped go on. Resolves to the failures until then, also when it has gone on before. */
export async function liftStop(engine: QueueEngine): Promise<number> {
  const stop = await lastStop(engine);
  if (stop?.isOver === false) await engine.setState(STOP_KEY, { ...stop, isOver: true });
  return stop?.failures ?? 0;
}

/** Resolves to the stop of the run as soon as it is known, and to `undefined` at the signal. Never rejects. */
export async function untilStopped(engine: QueueEngine, signal: AbortSignal): Promise<RunStop | undefined> {
  while (!signal.aborted) {
    const stop = await lastStop(engine).catch(() => undefined);
    if (stop?.isOver === false && !signal.aborted) return stop;
    await pause(STOP_POLL_MS, signal);
  }
  return undefined;
}

/** Throws a `UsageError` when the run is stopped. */
export async function refuseStopped(engine: QueueEngine, action: string): Promise<void> {
  const stop = await lastStop(engine);
  if (stop?.isOver !== false) return;
  throw new UsageError(
    `Cannot ${action} this run: it was stopped ${stopText(stop)}; it goes on when "fanout collect" is started again`,
  );
}

/** The reason in words that follow "stopped". */
export function stopText({ cause, limit }: StopReason): string {
  if (cause === 'deadline') return `by its deadline of ${limit}ms`;
  return limit === 1 ? 'after its first failure' : `after ${limit} failures`;
}

function stopFrom(value: unknown): RunStop | undefined {
  const { cause, limit, failures, isOver }: Record<string, unknown> = { ...Object(value) };
  if (cause !== 'failures' && cause !== 'deadline') return undefined;
  if (!isCount(limit) || !isCount(failures) || typeof isOver !== 'boolean') return undefined;
  return { cause, limit, failures, isOver };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
