import { durationText } from '../config/parse/numbers.ts';
import { UsageError } from '../model/errors.ts';
import { Bitmap, MAX_CHUNKS } from './bitmap.ts';
import { closeConnection, connectBroker, pause } from './broker-connection.ts';
import type { LogEntry } from './chunk.ts';
import type { JetStreamEngine, RunAddress } from './jetstream-engine.ts';
import { PAUSE_KEY, pauseFrom, type RunPause, reasonText, withReason } from './jetstream-queue.ts';
import { type BrokerRun, isMissing, readState, runNames } from './jetstream-setup.ts';
import { type RunRecord, RunRegistry } from './run-registry.ts';

// The keys of a run's state on the broker.
export const END_KEY = 'end';
/** Set once a collector has taken the results of all chunks. */
export const COMPLETE_KEY = 'complete';
export const RECONCILED_KEY = 'reconciled';
export const FED_KEY = 'fed';
export const STOP_KEY = 'stop';

/** The time over which the rate of a run is measured. */
const RATE_WINDOW_MS = 60_000;

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

/** Why a run over several machines was stopped before the end of its list. */
export interface StopReason {
  readonly cause: 'failures' | 'deadline' | 'operator';
  /** The number of failures, or ms; 0 for an operator. */
  readonly limit: number;
  /** What the operator gave as the reason. */
  readonly reason?: string | undefined;
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

/** The last stop of a run; `undefined` when there was none. */
export async function lastStop(engine: Pick<JetStreamEngine, 'state'>): Promise<RunStop | undefined> {
  return stopFrom(await engine.state(STOP_KEY));
}

function stopFrom(value: unknown): RunStop | undefined {
  const { cause, limit, failures, isOver, reason }: Record<string, unknown> = { ...Object(value) };
  if (cause !== 'failures' && cause !== 'deadline' && cause !== 'operator') return undefined;
  if (!isCount(limit) || !isCount(failures) || typeof isOver !== 'boolean') return undefined;
  return { cause, limit, failures, isOver, ...withReason(reason) };
}

/** What an operator asks of a run. */
export type ControlAction = 'stop' | 'pause' | 'resume';

/** The state of a run after an operator asked something of it, and whether that has changed it. */
export interface ControlOutcome {
  readonly state: 'running' | 'paused' | 'stopped' | 'complete';
  readonly isChanged: boolean;
  /** What `resume` has ended. */
  readonly ended?: 'stop' | 'pause' | undefined;
  readonly stopped?: StopReason | undefined;
  readonly paused?: RunPause | undefined;
}

/**
 * Stops or pauses a run, or lets it continue; does nothing if it is so already, or complete. Throws a `UsageError` for a pause of
 * a stopped run. `nowMs` is in ms since the epoch.
 */
export async function controlRun(
  engine: JetStreamEngine,
  action: ControlAction,
  { reason, nowMs }: { readonly reason?: string | undefined; readonly nowMs: number },
): Promise<ControlOutcome> {
  if ((await engine.state(COMPLETE_KEY)) === true) return { state: 'complete', isChanged: false };
  const last = await lastStop(engine);
  const stop = last?.isOver === false ? last : undefined;
  const paused = pauseFrom(await engine.state(PAUSE_KEY));
  if (action === 'resume') {
    await liftStop(engine);
    if (paused !== undefined) await engine.setState(PAUSE_KEY, {});
    const ended = stop !== undefined ? 'stop' : paused !== undefined ? 'pause' : undefined;
    return { state: 'running', isChanged: ended !== undefined, ended };
  }
  if (action === 'pause') {
    await refuseStopped(engine, 'pause');
    if (paused !== undefined) return { state: 'paused', isChanged: false, paused };
    const added = { since: new Date(nowMs).toISOString(), ...withReason(reason) };
    await engine.setState(PAUSE_KEY, added);
    return { state: 'paused', isChanged: true, paused: added };
  }
  if (stop !== undefined) return { state: 'stopped', isChanged: false, stopped: reasonOf(stop) };
  const stopped = { cause: 'operator' as const, limit: 0, ...withReason(reason) };
  // A collector adds the number of failures so far.
  await engine.setState(STOP_KEY, { ...stopped, failures: last?.failures ?? 0, isOver: false });
  return { state: 'stopped', isChanged: true, stopped };
}

function reasonOf({ cause, limit, reason }: RunStop): StopReason {
  return { cause, limit, ...withReason(reason) };
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

/** Resolves to the end of the run once it is complete, and to `undefined` at the signal. Never rejects. */
export async function untilComplete(
  engine: JetStreamEngine,
  signal: AbortSignal,
): Promise<RunEnd | undefined> {
  while (!signal.aborted) {
    const isComplete = (await engine.state(COMPLETE_KEY).catch(() => false)) === true;
    const end = isComplete ? endFrom(await engine.state(END_KEY).catch(() => undefined)) : undefined;
    if (end !== undefined && !signal.aborted) return end;
    await pause(STOP_POLL_MS, signal);
  }
  return undefined;
}

/** Throws a `UsageError` when the run is stopped. */
export async function refuseStopped(engine: JetStreamEngine, action: string): Promise<void> {
  const stop = await lastStop(engine);
  if (stop?.isOver !== false) return;
  throw new UsageError(
    `cannot ${action} this run: it was stopped ${stopText(stop)}; use "fanout cluster resume" or start "fanout cluster collect" to continue it`,
  );
}

/** The reason, as text that follows "stopped". */
export function stopText({ cause, limit, reason }: StopReason): string {
  if (cause === 'operator') return `by an operator${reasonText(reason)}`;
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

/** The status of a run: also the object that `fanout cluster status --json` writes. */
export interface RunStatus {
  /**
   * `short`: all was sent and nothing is in flight, but some chunks have no results; only `feed --reconcile` helps. `fetched`: every
   * chunk has its results, and no collector has taken all of them.
   */
  readonly state: 'feeding' | 'working' | 'short' | 'paused' | 'stopped' | 'fetched' | 'complete';
  /** Why the run is stopped, if it is. */
  readonly stopped?: StopReason;
  /** The pause of the run, if it is paused. */
  readonly paused?: RunPause;
  /** Whether a collector is running; `silent` when it does not respond. */
  readonly collector: 'here' | 'none' | 'silent';
  /** Chunks that were sent; less than `chunks` when the broker has lost some. */
  readonly sent: number;
  /** All chunks of the run, once the end of the list was sent. */
  readonly chunks?: number;
  /** URLs of the run without those that --unique left out, once the end of the list was sent. */
  readonly urls?: number;
  /** Until then, the number of URLs in the list, if it could be counted. */
  readonly expectedUrls?: number;
  /** Chunks that wait for a worker. */
  readonly queued: number;
  /** Chunks leased to workers. */
  readonly underWay: number;
  /** Chunks with results. */
  readonly done: number;
  readonly ok: number;
  readonly failed: number;
  /** Of `failed`, the URLs that were given up because several workers died while they fetched them. */
  readonly dead: number;
  /** In the minute before the last result. */
  readonly urlsPerSecond: number;
  readonly etaSeconds?: number;
  /** The lowest chunk without results. */
  readonly oldest: number;
}

/** Reads the status of one run again and again: of the log only what is new. */
export class StatusReader {
  readonly #engine: JetStreamEngine;
  #tally = new LogTally(MAX_CHUNKS);

  constructor(engine: JetStreamEngine) {
    this.#engine = engine;
  }

  /** Reads the status from the broker, and asks the collectors. Creates nothing. */
  async read(): Promise<RunStatus> {
    const engine = this.#engine;
    const end = endFrom(await engine.state(END_KEY));
    const isComplete = (await engine.state(COMPLETE_KEY)) === true;
    const { sent, queued, inFlight, lastCommit } = await engine.stats();
    const chunks = end?.chunks ?? MAX_CHUNKS;
    if (lastCommit < this.#tally.sequence || chunks !== this.#tally.chunks)
      this.#tally = new LogTally(chunks);
    if (lastCommit > this.#tally.sequence)
      for await (const entry of engine.log.committed(this.#tally.sequence)) this.#tally.add(entry);
    const collectors = await engine.askCollectors();
    const found = collectors === 'silent' ? [] : collectors;
    // The results of a broker that has lost its data are where they were collected.
    const { done, ok, failed } = [this.#tally, ...found].reduce((a, b) =>
      b.done.count > a.done.count ? b : a,
    );
    const refused = Math.max(0, ...found.map((state) => state.refused.length));
    const urlsPerSecond = this.#tally.rate;
    const expectedUrls = end === undefined ? await readExpected(engine) : undefined;
    const urls = end === undefined ? expectedUrls : end.read - end.skipped;
    const left = urls === undefined ? undefined : urls - ok - failed;
    const stop = await lastStop(engine);
    const isStopped = stop?.isOver === false && !isComplete;
    const hasAll = end !== undefined && done.count - refused >= end.chunks;
    const paused = isComplete || isStopped || hasAll ? undefined : pauseFrom(await engine.state(PAUSE_KEY));
    const isShort = queued + inFlight === 0 && (end !== undefined || done.count > sent) && !hasAll;
    return {
      state: stateName({
        isComplete,
        isStopped,
        hasAll,
        isShort,
        isPaused: paused !== undefined,
        isFed: end !== undefined,
      }),
      ...(isStopped ? { stopped: reasonOf(stop) } : {}),
      ...(paused && { paused }),
      collector: collectors === 'silent' ? 'silent' : found.length > 0 ? 'here' : 'none',
      sent,
      ...(end === undefined ? {} : { chunks: end.chunks, urls: end.read - end.skipped }),
      ...(expectedUrls === undefined ? {} : { expectedUrls }),
      queued,
      underWay: inFlight,
      done: done.count,
      ok,
      failed,
      dead: await engine.deadLetterCount(),
      urlsPerSecond,
      ...(left !== undefined && left > 0 && urlsPerSecond > 0 && !isStopped && !paused
        ? { etaSeconds: Math.ceil(left / urlsPerSecond) }
        : {}),
      oldest: done.firstClear,
    };
  }
}

function stateName(run: {
  readonly isComplete: boolean;
  readonly isStopped: boolean;
  readonly hasAll: boolean;
  readonly isShort: boolean;
  readonly isPaused: boolean;
  readonly isFed: boolean;
}): RunStatus['state'] {
  if (run.isComplete) return 'complete';
  if (run.isStopped) return 'stopped';
  if (run.hasAll) return 'fetched';
  if (run.isShort) return 'short';
  if (run.isPaused) return 'paused';
  return run.isFed ? 'working' : 'feeding';
}

/** What the feeder has counted before it has sent the whole list. */
async function readExpected(engine: JetStreamEngine): Promise<number | undefined> {
  const { read, expected }: Record<string, unknown> = { ...Object(await engine.state(FED_KEY)) };
  return isCount(expected) && isCount(read) && expected >= read ? expected : undefined;
}

/** The counts of the log, without chunks that the run does not have. */
export class LogTally {
  /** The number of chunks of the run, or the most there can be. */
  readonly chunks: number;
  readonly done = new Bitmap();
  ok = 0;
  failed = 0;
  /** The sequence number of the last commit. */
  sequence = 0;
  /** The last commits: the time of each in ms, and the URLs with results by then. */
  readonly #last: { readonly timeMs: number; readonly urls: number }[] = [];

  constructor(chunks: number) {
    this.chunks = chunks;
  }

  add({ chunk, ok, failed, sequence, timeMs }: Omit<LogEntry, 'body'>): void {
    this.sequence = sequence;
    if (chunk >= this.chunks || this.done.has(chunk)) return;
    this.done.set(chunk);
    this.ok += ok;
    this.failed += failed;
    this.#last.push({ timeMs, urls: this.ok + this.failed });
    while ((this.#last[1]?.timeMs ?? timeMs) <= timeMs - RATE_WINDOW_MS) this.#last.shift();
  }

  /** URLs per second in the minute before the last commit; 0 if there are none. */
  get rate(): number {
    const [first, last] = [this.#last[0], this.#last.at(-1)];
    if (first === undefined || last === undefined || last.timeMs <= first.timeMs) return 0;
    return Math.round((10_000 * (last.urls - first.urls)) / (last.timeMs - first.timeMs)) / 10;
  }
}

/** A run in the list of all runs. */
export interface ListedRun {
  readonly record: RunRecord;
  /** Whether its name still stands for it. */
  readonly hasName: boolean;
  readonly state: 'running' | 'paused' | 'stopped' | 'complete';
  readonly stopped?: StopReason | undefined;
  readonly paused?: RunPause | undefined;
  /** Chunks with results. */
  readonly chunksDone: number;
  /** All chunks, once the end of the list was sent. */
  readonly chunks?: number | undefined;
  /** URLs of the run, once the end of the list was sent. */
  readonly urls?: number | undefined;
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
      const hasName = (await registry.find(record.name))?.id === record.id;
      runs.push({ record, hasName, ...(await summaryOf(run)) });
    }
    return runs;
  } finally {
    await closeConnection(broker.connection);
  }
}

async function summaryOf(run: BrokerRun): Promise<Omit<ListedRun, 'record' | 'hasName'>> {
  const end = endFrom(await readState(run, END_KEY));
  const isComplete = (await readState(run, COMPLETE_KEY)) === true;
  const last = isComplete ? undefined : stopFrom(await readState(run, STOP_KEY));
  const stopped = last?.isOver === false ? reasonOf(last) : undefined;
  const paused = isComplete || stopped ? undefined : pauseFrom(await readState(run, PAUSE_KEY));
  return {
    state: isComplete ? 'complete' : stopped ? 'stopped' : paused ? 'paused' : 'running',
    ...(stopped && { stopped }),
    ...(paused && { paused }),
    chunksDone: await countCommits(run),
    ...(end && { chunks: end.chunks, urls: end.read - end.skipped }),
  };
}

async function countCommits({ manager, names }: BrokerRun): Promise<number> {
  try {
    return (await manager.streams.info(names.log)).state.messages;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
