import { durationText } from '../config/parse/numbers.ts';
import { OutputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { closeConnection, connectBroker, pause } from './broker-connection.ts';
import { type JetStreamEngine, type RunAddress, readState } from './jetstream-engine.ts';
import { type BrokerRun, runNames } from './jetstream-setup.ts';
import { type RunRecord, RunRegistry } from './run-registry.ts';

// The keys of a run's state on the broker.
export const END_KEY = 'end';
export const PROGRESS_KEY = 'progress';
export const COMPLETE_KEY = 'complete';
export const COLLECTOR_KEY = 'collector';
export const RECONCILED_KEY = 'reconciled';
export const FED_KEY = 'fed';
export const STOP_KEY = 'stop';

/** How often each process of a run checks whether the run was stopped. */
export const STOP_POLL_MS = 1000;

/** The totals of a run, known when its whole list was sent. */
export interface RunEnd {
  readonly chunks: number;
  readonly read: number;
  /** Of `read`, the jobs that were left out on purpose. */
  readonly skipped: number;
  /** The other jobs, which were sent. */
  readonly jobs: number;
  /** The SHA-256 of their lines. */
  readonly sha256: string;
}

/** The progress of the collector. */
export interface CollectorProgress {
  readonly chunks: number;
  readonly ok: number;
  readonly failed: number;
  /** Records of chunks that already had results. */
  readonly duplicates: number;
  readonly urlsPerSecond: number;
  /** The lowest chunk without results. */
  readonly oldest: number;
  /** The last record of the log that was read. */
  readonly sequence: number;
}

/** Why a run over several machines was stopped before the end of its list. */
export interface StopReason {
  readonly cause: 'failures' | 'deadline';
  /** The number of failures, or ms. */
  readonly limit: number;
}

/** The last stop of a run. */
export interface RunStop extends StopReason {
  /** The failures before the stop: they do not count again when the run continues. */
  readonly failures: number;
  /** Whether the run has continued since. */
  readonly isOver: boolean;
}

/** The end of a run as read from the broker; `undefined` if it is not valid. */
export function endFrom(value: unknown): RunEnd | undefined {
  return hasCounts(value, ['chunks', 'read', 'skipped', 'jobs']) ? (value as RunEnd) : undefined; // every key was checked
}

/** The progress of a collector as read from the broker; `undefined` if it is not valid. */
export function progressFrom(value: unknown): CollectorProgress | undefined {
  const keys = ['chunks', 'ok', 'failed', 'duplicates', 'urlsPerSecond', 'oldest', 'sequence'];
  return hasCounts(value, keys) ? (value as CollectorProgress) : undefined; // every key was checked
}

/** The last stop of a run; `undefined` when there was none. */
export async function lastStop(engine: JetStreamEngine): Promise<RunStop | undefined> {
  const stop: Record<string, unknown> = { ...Object(await engine.state(STOP_KEY)) };
  const { cause, limit, failures, isOver } = stop;
  if (cause !== 'failures' && cause !== 'deadline') return undefined;
  if (!isCount(limit) || !isCount(failures) || typeof isOver !== 'boolean') return undefined;
  return { cause, limit, failures, isOver };
}

/** Lets a stopped run continue. Resolves to the failures before its last stop. */
export async function liftStop(engine: JetStreamEngine): Promise<number> {
  const stop = await lastStop(engine);
  if (stop?.isOver === false) await engine.setState(STOP_KEY, { ...stop, isOver: true });
  return stop?.failures ?? 0;
}

/** Resolves to the stop of the run once it is stopped, and to `undefined` at the signal. Never rejects. */
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
    `cannot ${action} this run: it was stopped ${stopText(stop)}; start "fanout cluster collect" to continue it`,
  );
}

/** The reason, as text that follows "stopped". */
export function stopText({ cause, limit }: StopReason): string {
  if (cause === 'deadline') return `by its deadline of ${durationText(limit)}`;
  return limit === 1 ? 'after its first failure' : `after ${limit} failures`;
}

function hasCounts(value: unknown, keys: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return keys.every((key) => isCount(fields[key]));
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** A collector that claims a run: a run has one store of results, and one collector at a time. */
interface Claimant {
  readonly engine: JetStreamEngine;
  readonly store: { readonly id: string };
  /** Where its results are, for messages of other collectors. */
  readonly place: string;
}

/**
 * Records this store as that of the run. Throws a `UsageError` when another collector is running, or when another store has
 * results that are no longer in the log.
 */
export async function claimRun({ engine, store, place }: Claimant): Promise<void> {
  const response = await engine.askCollector({ tries: 3 });
  const claim = await readClaim(engine);
  const where = claim === undefined ? '' : ` at ${printable(claim.place, 300)}`;
  if (response !== undefined) {
    throw new UsageError(`another collector is running for this run${where}: a run has only one`);
  }
  const progress = progressFrom(await engine.state(PROGRESS_KEY));
  if (claim !== undefined && claim.id !== store.id && (progress?.chunks ?? 0) > 0) {
    throw new UsageError(
      `the first results of this run are${where}: continue there, with the same --store; if they are lost, start a new run with "fanout cluster feed --new"`,
    );
  }
  await engine.setState(COLLECTOR_KEY, { id: store.id, place });
}

/** Throws an `OutputError` when another store has claimed the run. Claims it again when the broker has lost the claim. */
export async function checkClaim({ engine, store, place }: Claimant): Promise<void> {
  const claim = await readClaim(engine);
  if (claim === undefined) return engine.setState(COLLECTOR_KEY, { id: store.id, place });
  if (claim.id === store.id) return;
  throw new OutputError(`another collector has taken over this run, at ${printable(claim.place, 300)}`);
}

async function readClaim(
  engine: JetStreamEngine,
): Promise<{ readonly id: string; readonly place: string } | undefined> {
  const { id, place }: Record<string, unknown> = { ...Object(await engine.state(COLLECTOR_KEY)) };
  return typeof id === 'string' && typeof place === 'string' ? { id, place } : undefined;
}

/** The status of a run: also the object that `fanout cluster status --json` writes. */
export interface RunStatus {
  /** `short`: all was sent and nothing is in flight, but some chunks have no results; only `feed --reconcile` helps. */
  readonly state: 'feeding' | 'working' | 'short' | 'stopped' | 'complete';
  /** Why the run is stopped, if it is. */
  readonly stopped?: StopReason;
  /** Whether a collector is running; `silent` when it does not respond. */
  readonly collector: 'here' | 'none' | 'silent';
  /** Chunks that were sent; less than `chunks` when the broker has lost some. */
  readonly sent: number;
  /** All chunks of the run, once the end of the list was sent. */
  readonly chunks?: number;
  /** URLs of the run without those that --unique left out, once the end of the list was sent. */
  readonly urls?: number;
  /** Chunks that wait for a worker. */
  readonly queued: number;
  /** Chunks leased to workers. */
  readonly underWay: number;
  /** Chunks whose results wait for the collector. */
  readonly uncollected: number;
  /** Finished chunks. */
  readonly done: number;
  readonly ok: number;
  readonly failed: number;
  /** Of `failed`, the URLs that were given up because several workers died while they fetched them. */
  readonly dead: number;
  /** Results that were dropped, because their chunk already had some. */
  readonly duplicates: number;
  readonly urlsPerSecond: number;
  readonly etaSeconds?: number;
  /** The lowest chunk without results. */
  readonly oldest: number;
}

const NO_PROGRESS: CollectorProgress = {
  chunks: 0,
  ok: 0,
  failed: 0,
  duplicates: 0,
  urlsPerSecond: 0,
  oldest: 0,
  sequence: 0,
};

/** Reads the status from the broker, and asks the collector whether it is running. */
export async function runStatus(engine: JetStreamEngine): Promise<RunStatus> {
  const end = endFrom(await engine.state(END_KEY));
  const progress = progressFrom(await engine.state(PROGRESS_KEY)) ?? NO_PROGRESS;
  const isComplete = (await engine.state(COMPLETE_KEY)) === true;
  const { sent, queued, inFlight, logged } = await engine.stats();
  const response = await engine.askCollector({ tries: 1 });
  const urls = end === undefined ? undefined : end.read - end.skipped;
  const left = urls === undefined ? undefined : urls - progress.ok - progress.failed;
  const { urlsPerSecond } = progress;
  const stop = await lastStop(engine);
  const isStopped = stop?.isOver === false && !isComplete;
  const isShort = queued + inFlight + logged === 0 && (end !== undefined || progress.chunks > sent);
  return {
    state: stateName({ isComplete, isStopped, isShort, isFed: end !== undefined }),
    ...(isStopped ? { stopped: { cause: stop.cause, limit: stop.limit } } : {}),
    collector: response === undefined ? 'none' : response === 'silent' ? 'silent' : 'here',
    sent,
    ...(end === undefined ? {} : { chunks: end.chunks, urls: end.read - end.skipped }),
    queued,
    underWay: inFlight,
    uncollected: logged,
    done: progress.chunks,
    ok: progress.ok,
    failed: progress.failed,
    dead: await engine.deadLetterCount(),
    duplicates: progress.duplicates,
    urlsPerSecond,
    ...(left !== undefined && urlsPerSecond > 0 && !isComplete && !isStopped
      ? { etaSeconds: Math.ceil(left / urlsPerSecond) }
      : {}),
    oldest: progress.oldest,
  };
}

function stateName(run: {
  readonly isComplete: boolean;
  readonly isStopped: boolean;
  readonly isShort: boolean;
  readonly isFed: boolean;
}): RunStatus['state'] {
  if (run.isComplete) return 'complete';
  if (run.isStopped) return 'stopped';
  if (run.isShort) return 'short';
  return run.isFed ? 'working' : 'feeding';
}

/** A run in the list of all runs. */
interface ListedRun {
  readonly record: RunRecord;
  /** Whether its name still stands for it. */
  readonly hasName: boolean;
  readonly isComplete: boolean;
  /** Chunks with results. */
  readonly finished: number;
}

/** All runs of a broker, the oldest first. Creates nothing. */
export async function listRuns({
  address,
  warn,
  note,
}: Omit<RunAddress, 'run'>): Promise<readonly ListedRun[]> {
  const broker = await connectBroker(address, { warn, note });
  try {
    const { nats, connection } = broker;
    const client = nats.jetstream.jetstream(connection);
    const manager = await nats.jetstream.jetstreamManager(connection, { checkAPI: false });
    const registry = new RunRegistry({ nats, client, manager });
    const runs: ListedRun[] = [];
    for (const record of await registry.list()) {
      const run: BrokerRun = { nats, connection, client, manager, names: runNames(record.id) };
      const progress = progressFrom(await readState(run, PROGRESS_KEY));
      const isComplete = (await readState(run, COMPLETE_KEY)) === true;
      const hasName = (await registry.find(record.name))?.id === record.id;
      runs.push({ record, hasName, isComplete, finished: progress?.chunks ?? 0 });
    }
    return runs;
  } finally {
    await closeConnection(broker.connection);
  }
}
