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
} from './run-stop.ts';

/** How a run stands: also the object that `fanout status --json` writes. */
export interface RunStatus {
  /** `short`: all was sent and nothing is under way, but chunks have no result: only `feed --reconcile` helps. */
  readonly state: 'feeding' | 'working' | 'short' | 'stopped' | 'complete';
  /** Why the run was stopped, as long as it is. */
  readonly stopped?: StopReason;
  /** Whether a collector is there; `silent` when it does not answer. */
  readonly collector: 'here' | 'none' | 'silent';
  /** Chunks that were sent; less than `chunks` of the end when the broker has lost its memory. */
  readonly sent: number;
  /** All chunks of the run, once the list has come to its end. */
  readonly chunks?: number;
  /** URLs of the run, those left out by --unique not counted, once the list has come to its end. */
  readonly urls?: number;
  /** Chunks that wait, are in the hands of workers, and whose results wait for the collector. */
  readonly queued: number;
  readonly underWay: number;
  readonly uncollected: number;
  /** Chunks that are finished, and their URLs. */
  readonly done: number;
  readonly ok: number;
  readonly failed: number;
  /** URLs that no worker survived: a part of `failed`. */
  readonly dead: number;
  /** Results of chunks that had some already, and were dropped. */
  readonly duplicates: number;
  readonly urlsPerSecond: number;
  readonly etaSeconds?: number;
  /** The lowest chunk without a result. */
  readonly oldest: number;
}

const NOTHING: CollectorProgress = {
  chunks: 0,
  ok: 0,
  failed: 0,
  duplicates: 0,
  urlsPerSecond: 0,
  oldest: 0,
  sequence: 0,
};

/** Asks the broker and the collector. */
export async function runStatus(engine: JetStreamEngine): Promise<RunStatus> {
  const end = endFrom(await engine.state(END_KEY));
  const progress = progressFrom(await engine.state(PROGRESS_KEY)) ?? NOTHING;
  const isComplete = (await engine.state(COMPLETE_KEY)) === true;
  const { sent, queued, underWay, logged } = await engine.stats();
  const answer = await engine.ask({ tries: 1 });
  const urls = end === undefined ? undefined : end.read - end.skipped;
  const left = urls === undefined ? undefined : urls - progress.ok - progress.failed;
  const { urlsPerSecond } = progress;
  const stop = await lastStop(engine);
  const isStopped = stop?.isOver === false && !isComplete;
  const isShort = queued + underWay + logged === 0 && (end !== undefined || progress.chunks > sent);
  return {
    state: stateOf({ isComplete, isStopped, isShort, isFed: end !== undefined }),
    ...(isStopped ? { stopped: { cause: stop.cause, limit: stop.limit } } : {}),
    collector: answer === undefined ? 'none' : answer === 'silent' ? 'silent' : 'here',
    sent,
    ...(end === undefined ? {} : { chunks: end.chunks, urls: end.read - end.skipped }),
    queued,
    underWay,
    uncollected: logged,
    done: progress.chunks,
    ok: progress.ok,
    failed: progress.failed,
    dead: await engine.deadCount(),
    duplicates: progress.duplicates,
    urlsPerSecond,
    ...(left !== undefined && urlsPerSecond > 0 && !isComplete && !isStopped
      ? { etaSeconds: Math.ceil(left / urlsPerSecond) }
      : {}),
    oldest: progress.oldest,
  };
}

interface Signs {
  readonly isComplete: boolean;
  readonly isStopped: boolean;
  readonly isShort: boolean;
  readonly isFed: boolean;
}

function stateOf({ isComplete, isStopped, isShort, isFed }: Signs): RunStatus['state'] {
  if (isComplete) return 'complete';
  if (isStopped) return 'stopped';
  if (isShort) return 'short';
  return isFed ? 'working' : 'feeding';
}
