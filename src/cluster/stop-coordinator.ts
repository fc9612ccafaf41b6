import type { Bitmap } from './checkpoint.ts';
import type { LogEntry } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { pause } from './persist.ts';
import { FED_KEY, type RunEnd, STOP_KEY, STOP_POLL_MS, type StopReason } from './run-stop.ts';

/** How far the sender has come in its list. */
export interface FedList {
  /** Chunks that were made of it. */
  readonly chunks: number;
  readonly read: number;
  readonly skipped: number;
  /** The run was stopped, and the sender counts what it has not read: grows, as a sign of life. */
  readonly counting?: number;
  /** The sender has ended before the end of the list. */
  readonly isLast?: boolean;
  /** All that stands in the list, if that could be counted. */
  readonly total?: number;
}

/** What the sender has told last; `undefined` when it has not told anything. */
export async function fedList(engine: JetStreamEngine): Promise<FedList | undefined> {
  const value = await engine.state(FED_KEY);
  const fields: Record<string, unknown> = { ...Object(value) };
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

/** What is known of a list: its end, once that was sent, or else how far the sender is. */
interface ListKnown {
  readonly end: RunEnd | undefined;
  readonly fed: FedList | undefined;
}

export interface ListCounts {
  readonly read: number;
  readonly skipped: number;
  readonly notFetched: number;
}

/**
 * What is known of a list that has so many results. Before its end was sent that is what the sender told, which may lag behind
 * the results.
 */
export function listCounts({ end, fed }: ListKnown, finished: number): ListCounts {
  const { read, skipped } = end ?? {
    skipped: fed?.skipped ?? 0,
    read: Math.max(fed?.total ?? 0, fed?.read ?? 0, finished + (fed?.skipped ?? 0)),
  };
  return { read, skipped, notFetched: read - skipped - finished };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

const LOOK_MS = 250;
const ANSWER_MS = 2000;

/** So long at least: whoever takes part hears of the stop by then. */
const LEAST_MS = 2 * STOP_POLL_MS;

/** The deadline has passed: nobody is waited for much longer. */
const AFTER_DEADLINE_MS = 10_000;

/** A sender that says nothing for so long has ended, or was never there. */
const SENDER_MS = 5000;

interface StoppingParts {
  readonly engine: JetStreamEngine;
  readonly reason: StopReason;
  /** Failures so far. */
  readonly failures: () => number;
  readonly store: { readonly done: Bitmap };
  /** The last record of the log that was taken. */
  readonly sequence: () => number;
  readonly isEndKnown: () => boolean;
  readonly now: () => number;
  readonly warn: (text: string) => void;
}

/** The end of a run that is stopped: all are told, and what is in the hands of workers is waited for, but not for ever. */
export class StopCoordinator {
  readonly #parts: StoppingParts;
  /** What workers had of chunks when they heard of it: of each chunk the record with the most results. */
  readonly #handedIn = new Map<number, LogEntry>();
  readonly #startedMs: number;
  #fed: FedList | undefined;
  #seen = '';
  #seenMs: number;
  #fedSeen = '';
  #fedMs: number;
  #isHeard = false;

  constructor(parts: StoppingParts) {
    this.#parts = parts;
    this.#startedMs = parts.now();
    this.#seenMs = this.#startedMs;
    this.#fedMs = this.#startedMs;
  }

  /** Whether the broker was there at the end. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** What the sender has said. */
  get fed(): FedList | undefined {
    return this.#fed;
  }

  /** The records of chunks that are not finished. */
  get handedIn(): readonly LogEntry[] {
    return [...this.#handedIn.values()].filter(({ chunk }) => !this.#parts.store.done.has(chunk));
  }

  /** Takes a record of a chunk that its worker has not finished. */
  take(entry: LogEntry): void {
    const before = this.#handedIn.get(entry.chunk);
    if (before === undefined || before.count < entry.count) this.#handedIn.set(entry.chunk, entry);
  }

  /** Tells all that the run is stopped; later again, when more failures have come. */
  async tell(): Promise<void> {
    const { engine, reason, failures } = this.#parts;
    await engine.setState(STOP_KEY, { ...reason, failures: Math.max(0, failures()), isOver: false });
  }

  /** Resolves when nothing more is to be waited for, and at the signal. */
  async over(signal: AbortSignal): Promise<void> {
    this.#seenMs = this.#parts.now();
    while (!signal.aborted) {
      await pause(LOOK_MS, signal);
      if ((await this.#lookFor(ANSWER_MS)) || this.#isLate()) return;
    }
  }

  /** Looks, and waits no longer than this for what it sees. */
  async #lookFor(ms: number): Promise<boolean> {
    const seen = new AbortController();
    try {
      return await Promise.race([this.#look(), pause(ms, seen.signal).then(() => false)]);
    } finally {
      seen.abort();
    }
  }

  async #look(): Promise<boolean> {
    const { engine, store, sequence, isEndKnown, now } = this.#parts;
    this.#isHeard = false;
    try {
      const { underWay, logged, lastLogged } = await engine.stats();
      this.#fed = await fedList(engine);
      const inHand = underWay - this.handedIn.length;
      this.#note(`${inHand} ${store.done.count} ${sequence()} ${lastLogged}`);
      this.#isHeard = true;
      const isTaken = logged === 0 || sequence() >= lastLogged;
      const isCounted = isEndKnown() || this.#fed?.isLast === true || this.#isSenderSilent();
      return isTaken && isCounted && inHand <= 0 && now() - this.#startedMs >= LEAST_MS;
    } catch {
      return false;
    }
  }

  /** Notes when what was seen has changed last. */
  #note(seen: string): void {
    const { now } = this.#parts;
    if (seen !== this.#seen) this.#seenMs = now();
    this.#seen = seen;
    const fed = JSON.stringify(this.#fed);
    if (fed !== this.#fedSeen) this.#fedMs = now();
    this.#fedSeen = fed;
  }

  #isSenderSilent(): boolean {
    return this.#fed === undefined || this.#parts.now() - this.#fedMs >= SENDER_MS;
  }

  /** Whether whoever is left was given enough time. */
  #isLate(): boolean {
    const { engine, reason, now, warn } = this.#parts;
    const { ackWaitMs } = engine.settings;
    const longestMs = reason.cause === 'deadline' ? Math.min(ackWaitMs, AFTER_DEADLINE_MS) : ackWaitMs;
    const sinceMs = Math.max(this.#seenMs, this.#startedMs + LEAST_MS);
    const isCounting = this.#fed?.counting !== undefined && !this.#isSenderSilent();
    if (isCounting || now() - sinceMs < longestMs) return false;
    const silent = this.#isHeard ? 'a worker that has chunks in hand' : 'the broker';
    warn(`${silent} does not answer: what it has counts as not fetched`);
    return true;
  }
}
