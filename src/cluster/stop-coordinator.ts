import { pause } from './broker-connection.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { FED_KEY, lastStop, type RunEnd, STOP_KEY, STOP_POLL_MS, type StopReason } from './run-state.ts';

const LOOK_INTERVAL_MS = 250;
const LOOK_TIMEOUT_MS = 2000;

/** The shortest stop: after it, every process of the run has polled for the stop. */
const MIN_STOP_MS = 2 * STOP_POLL_MS;

/** The longest wait for workers after a deadline. */
const MAX_WAIT_AFTER_DEADLINE_MS = 10_000;

/** A sender that reports nothing for this long has ended. */
const SENDER_TIMEOUT_MS = 5000;

interface StopOptions {
  readonly engine: JetStreamEngine;
  readonly reason: StopReason;
  /** The number of failures so far. */
  readonly failures: () => number;
  /** Whether another process has announced the stop. */
  readonly isFollowed: boolean;
  readonly isEndKnown: () => boolean;
  readonly now: () => number;
  readonly warn: (text: string) => void;
}

/** Stops a whole run: announces the stop, and waits a bounded time until workers have handed in the chunks in flight. */
export class StopCoordinator {
  readonly #options: StopOptions;
  readonly #startedMs: number;
  /** The sequence number of the announcement in the state of the run: what workers hand in comes later. */
  #sequence: number | undefined;
  #feed: FeedProgress | undefined;
  #isBrokerHeard = false;
  /** What the broker and the sender reported last, and when that changed. */
  #seen = '';
  #seenMs: number;
  #feedSeen = '';
  #feedMs: number;

  constructor(options: StopOptions) {
    this.#options = options;
    this.#startedMs = options.now();
    this.#seenMs = this.#startedMs;
    this.#feedMs = this.#startedMs;
  }

  /** Whether the last question to the broker got a response. */
  get isBrokerHeard(): boolean {
    return this.#isBrokerHeard;
  }

  /** The progress that the sender reported last. */
  get feed(): FeedProgress | undefined {
    return this.#feed;
  }

  /** Announces the stop to all processes of the run, unless another one has. */
  async announce(): Promise<void> {
    const { engine, reason, failures, isFollowed } = this.#options;
    if (!isFollowed)
      await engine.setState(STOP_KEY, { ...reason, failures: Math.max(0, failures()), isOver: false });
    this.#sequence ??= await engine.stateSequence(STOP_KEY);
  }

  /** Updates the number of failures, unless the run has been continued. */
  async updateFailures(): Promise<void> {
    if ((await lastStop(this.#options.engine))?.isOver === false) await this.announce();
  }

  /** Resolves when all chunks in flight were handed in, when the wait for them has become too long, or at the signal. */
  async untilHandedIn(signal: AbortSignal): Promise<void> {
    this.#seenMs = this.#options.now();
    while (!signal.aborted) {
      await pause(LOOK_INTERVAL_MS, signal);
      if ((await this.#isHandedIn()) || this.#isOverdue()) return;
    }
  }

  /** `false` also when the broker does not respond in time. */
  async #isHandedIn(): Promise<boolean> {
    const looked = new AbortController();
    try {
      return await Promise.race([this.#look(), pause(LOOK_TIMEOUT_MS, looked.signal).then(() => false)]);
    } finally {
      looked.abort();
    }
  }

  async #look(): Promise<boolean> {
    const { engine, isEndKnown, now } = this.#options;
    this.#isBrokerHeard = false;
    if (this.#sequence === undefined) return false;
    try {
      const { inFlight, committed, lastCommit } = await engine.stats();
      this.#feed = await readFeedProgress(engine);
      // A chunk that was handed in is in flight until it is delivered again.
      let leased = inFlight;
      if (leased > 0)
        for await (const _ of engine.leftChunks(this.#sequence, { headersOnly: true })) leased -= 1;
      const { position } = engine.log;
      this.#noteChanges(`${leased} ${position} ${lastCommit}`);
      this.#isBrokerHeard = true;
      const isListCounted = isEndKnown() || this.#feed?.isLast === true || this.#isSenderSilent();
      const isLongEnough = now() - this.#startedMs >= MIN_STOP_MS;
      const isLogRead = committed === 0 || position >= lastCommit;
      return isLogRead && isListCounted && leased <= 0 && isLongEnough;
    } catch {
      return false;
    }
  }

  #noteChanges(seen: string): void {
    const { now } = this.#options;
    if (seen !== this.#seen) this.#seenMs = now();
    this.#seen = seen;
    const feed = JSON.stringify(this.#feed);
    if (feed !== this.#feedSeen) this.#feedMs = now();
    this.#feedSeen = feed;
  }

  #isSenderSilent(): boolean {
    return this.#feed === undefined || this.#options.now() - this.#feedMs >= SENDER_TIMEOUT_MS;
  }

  /** Whether nothing has changed for so long that the rest counts as not fetched. */
  #isOverdue(): boolean {
    const { engine, reason, now, warn } = this.#options;
    const { ackWaitMs } = engine.settings;
    const longestMs =
      reason.cause === 'deadline' ? Math.min(ackWaitMs, MAX_WAIT_AFTER_DEADLINE_MS) : ackWaitMs;
    const sinceMs = Math.max(this.#seenMs, this.#startedMs + MIN_STOP_MS);
    const isCounting = this.#feed?.counting !== undefined && !this.#isSenderSilent();
    if (isCounting || now() - sinceMs < longestMs) return false;
    const silent = this.#isBrokerHeard ? 'a worker that has chunks' : 'the broker';
    warn(`${silent} does not respond: its URLs count as not fetched`);
    return true;
  }
}

/** The progress of the sender in its list. */
export interface FeedProgress {
  /** Chunks that were cut from the list. */
  readonly chunks: number;
  readonly read: number;
  readonly skipped: number;
  /** The run was stopped and the sender counts the rest of its list: a number that grows, as a sign of life. */
  readonly counting?: number;
  /** The sender has ended before the end of the list. */
  readonly isLast?: boolean;
  /** The length of the whole list, if it could be counted. */
  readonly total?: number;
}

/** The progress that the sender reported last; `undefined` when there is none. */
export async function readFeedProgress(engine: JetStreamEngine): Promise<FeedProgress | undefined> {
  const fields: Record<string, unknown> = { ...Object(await engine.state(FED_KEY)) };
  const { chunks, read, skipped, counting, isLast, total } = fields;
  if (!isCount(chunks) || !isCount(read) || !isCount(skipped)) return undefined;
  return {
    chunks,
    read,
    skipped,
    ...(isCount(counting) ? { counting } : {}),
    ...(isLast === true ? { isLast } : {}),
    ...(isCount(total) ? { total } : {}),
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export interface ListCounts {
  readonly read: number;
  readonly skipped: number;
  readonly notFetched: number;
}

/**
 * The counts of a list of which `finished` URLs have a result. Until the end of the list was sent they come from the progress
 * of the sender, which may be behind the results.
 */
export function listCounts(
  { end, feed }: { readonly end: RunEnd | undefined; readonly feed: FeedProgress | undefined },
  finished: number,
): ListCounts {
  const { read, skipped } = end ?? {
    skipped: feed?.skipped ?? 0,
    read: Math.max(feed?.total ?? 0, feed?.read ?? 0, finished + (feed?.skipped ?? 0)),
  };
  return { read, skipped, notFetched: read - skipped - finished };
}
