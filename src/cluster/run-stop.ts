import { UsageError } from '../model/errors.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { pause } from './persist.ts';

/** What the sender knows when it has sent the whole list. */
export interface RunEnd {
  readonly chunks: number;
  /** Jobs that were read, and those of them that were left out on purpose. */
  readonly read: number;
  readonly skipped: number;
}

/** How far the collector has come. */
export interface CollectorProgress {
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
  /** Records of chunks that were finished already. */
  readonly duplicates: number;
  readonly urlsPerSecond: number;
  /** The lowest chunk that is not finished. */
  readonly oldest: number;
  /** The last record of the log that was taken. */
  readonly sequence: number;
}

export const END_KEY = 'end';
export const PROGRESS_KEY = 'progress';
export const COMPLETE_KEY = 'complete';
export const COLLECTOR_KEY = 'collector';
export const INPUTS_KEY = 'inputs';
export const RECONCILED_KEY = 'reconciled';
export const FED_KEY = 'fed';
export const STOP_KEY = 'stop';

/** The end of a run as it was read from the broker, or `undefined` when it is none. */
export function endFrom(value: unknown): RunEnd | undefined {
  return counts(value, ['chunks', 'read', 'skipped']) ? (value as RunEnd) : undefined; // every key was checked
}

/** The progress of a run as it was read from the broker, or `undefined` when it is none. */
export function progressFrom(value: unknown): CollectorProgress | undefined {
  const keys = ['chunks', 'ok', 'failed', 'duplicates', 'urlsPerSecond', 'oldest', 'sequence'];
  return counts(value, keys) ? (value as CollectorProgress) : undefined; // every key was checked
}

function counts(value: unknown, keys: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return keys.every((key) => {
    const number = fields[key];
    return typeof number === 'number' && Number.isFinite(number) && number >= 0;
  });
}

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
export async function lastStop(engine: JetStreamEngine): Promise<RunStop | undefined> {
  return stopFrom(await engine.state(STOP_KEY));
}

/** Lets a run that was stopped go on. Resolves to the failures until then, also when it has gone on before. */
export async function liftStop(engine: JetStreamEngine): Promise<number> {
  const stop = await lastStop(engine);
  if (stop?.isOver === false) await engine.setState(STOP_KEY, { ...stop, isOver: true });
  return stop?.failures ?? 0;
}

/** Resolves to the stop of the run as soon as it is known, and to `undefined` at the signal. Never rejects. */
export async function untilStopped(
  engine: JetStreamEngine,
  signal: AbortSignal,
): Promise<RunStop | undefined> {
  while (!signal.aborted) {
    const stop = await lastStop(engine).catch(() => undefined);
    if (stop?.isOver === false && !signal.aborted) return stop;
    await pause(STOP_POLL_MS, signal);
  }
  return undefined;
}

/** Throws a `UsageError` when the run is stopped. */
export async function refuseStopped(engine: JetStreamEngine, action: string): Promise<void> {
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
