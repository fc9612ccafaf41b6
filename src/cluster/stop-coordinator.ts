import { pause } from './broker-connection.ts';
import type { Bitmap } from './checkpoint.ts';
import type { LogEntry } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { FED_KEY, type RunEnd, STOP_KEY, STOP_POLL_MS, type StopReason } from './run-state.ts';

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
  readonly store: { readonly done: Bitmap };
  /** The sequence number of the last record of the log that was read. */
  readonly sequence: () => number;
  readonly isEndKnown: () => boolean;
  readonly now: () => number;
  readonly warn: (text: string) => void;
}

/** Stops a whole run: announces the stop, and waits a bounded time until workers have handed in the chunks in flight. */
export class StopCoordinator {
  readonly #options: StopOptions;
  /** Unfinished chunks, by number: of each the record with the most results. */
  readonly #partial = new Map<number, LogEntry>();
  readonly #startedMs: number;
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

  /** The records of chunks that have not been finished since. */
  get partialRecords(): readonly LogEntry[] {
    return [...this.#partial.values()].filter(({ chunk }) => !this.#options.store.done.has(chunk));
  }

  /** Keeps the record of a chunk that its worker has not finished. */
  addPartial(entry: LogEntry): void {
    const before = this.#partial.get(entry.chunk);
    if (before === undefined || before.count < entry.count) this.#partial.set(entry.chunk, entry);
  }

  /** Announces the stop to all processes of the run; call it again to update the number of failures. */
  async announce(): Promise<void> {
    const { engine, reason, failures } = this.#options;
    await engine.setState(STOP_KEY, { ...reason, failures: Math.max(0, failures()), isOver: false });
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
    const { engine, store, sequence, isEndKnown, now } = this.#options;
    this.#isBrokerHeard = false;
    try {
      const { inFlight, logged, lastLogged } = await engine.stats();
      this.#feed = await readFeedProgress(engine);
      const leased = inFlight - this.partialRecords.length;
      this.#noteChanges(`${leased} ${store.done.count} ${sequence()} ${lastLogged}`);
      this.#isBrokerHeard = true;
      const isLogRead = logged === 0 || sequence() >= lastLogged;
      const isListCounted = isEndKnown() || this.#feed?.isLast === true || this.#isSenderSilent();
      return isLogRead && isListCounted && leased <= 0 && now() - this.#startedMs >= MIN_STOP_MS;
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
