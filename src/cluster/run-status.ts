import type { JetStreamEngine } from './jetstream-engine.ts';
import {
  COMPLETE_KEY,
  type CollectorProgress,
  END_KEY,
  endFrom,
  lastStop,
  PROGRESS_KEY,
  progressFrom,
  type StopReason,
} from './run-state.ts';

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
