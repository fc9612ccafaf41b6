import type { Result } from '../model/result.ts';
import { decodeSegment, encodeSegment, type ShardSegment } from '../model/result-line.ts';
import { pause } from './broker-connection.ts';
import { type Bitmap, encodeCollectorState, MAX_CHUNKS } from './checkpoint.ts';
import type { LogEntry } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { DEAD_CODE } from './poison-urls.ts';
import { SegmentReader, unpackResults } from './result-log.ts';
import type { ResultStore } from './result-store.ts';
import {
  COMPLETE_KEY,
  type CollectorProgress,
  checkClaim,
  claimRun,
  END_KEY,
  endFrom,
  liftStop,
  PROGRESS_KEY,
  type RunEnd,
  type StopReason,
} from './run-state.ts';
import type { ShardReader } from './shards.ts';
import {
  type FeedProgress,
  type ListCounts,
  listCounts,
  readFeedProgress,
  StopCoordinator,
} from './stop-coordinator.ts';

const POLL_INTERVAL_MS = 200;
const SAVE_INTERVAL_MS = 1000;

interface CollectorOptions {
  readonly engine: JetStreamEngine;
  readonly store: ResultStore;
  /** Where the results go, for the message to a second collector. */
  readonly place: string;
  /** Reads the results that workers write into shards. If unset, they are only counted. */
  readonly shards?: ShardReader | undefined;
  /** Called with segments that are only counted: their results are not among `results`. */
  readonly onCounted: (segment: ShardSegment, isResumed: boolean) => void;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Ends the collecting before the run is complete. */
  readonly signal: AbortSignal;
}

/**
 * Collects the results of a run: reads the log, keeps the first record of each chunk in the store, and deletes from the log
 * what the store has on disk, and nothing else.
 */
export class Collector {
  readonly counts: CollectorCounts;
  readonly #options: CollectorOptions;
  readonly #ending = new AbortController();
  readonly #log: LogConsumer;
  #end: RunEnd | undefined;
  #feed: FeedProgress | undefined;
  #isReadingLog = false;
  #stop: StopCoordinator | undefined;
  /** Whether records were read since the log was trimmed. */
  #isTrimDue = false;
  #error: unknown;

  constructor(options: CollectorOptions) {
    const { engine, store, shards, onCounted, now, warn, signal } = options;
    this.#options = options;
    this.counts = new CollectorCounts(now());
    this.#log = new LogConsumer({
      store,
      maxCount: engine.settings.chunk,
      chunks: () => this.#end?.chunks ?? MAX_CHUNKS,
      segments: shards && new SegmentReader({ shards, warn, signal: this.#ending.signal }),
      warn,
      onCounted: (segment, isResumed) => {
        this.counts.addSegment(segment);
        onCounted(segment, isResumed);
      },
    });
    const end = () => this.#ending.abort();
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }

  /** The end of the run, once it is known. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  get isComplete(): boolean {
    const { done } = this.#options.store;
    // A chunk that the run does not have finishes nothing.
    const chunks = this.#end?.chunks ?? Number.POSITIVE_INFINITY;
    return done.count >= chunks && done.countBelow(chunks) >= chunks;
  }

  get isStopping(): boolean {
    return this.#stop !== undefined;
  }

  progress(): CollectorProgress {
    const { store, now } = this.#options;
    return this.counts.progress(store.done, this.#log.duplicates, now());
  }

  /** The counts of the whole list after the last result, of which `finished` are OK or failed, and `cutOff` were not fetched. */
  listCounts(finished: number, cutOff: number): ListCounts {
    const counts = listCounts({ end: this.#end, feed: this.#stop?.feed ?? this.#feed }, finished);
    // In a complete run every URL has a result: counts that do not add up must show.
    return this.isComplete ? { ...counts, notFetched: cutOff } : counts;
  }

  /**
   * Claims the run for this collector, and continues it if it was stopped. Resolves to the failures before that stop, which must
   * not stop it again. Throws a `UsageError` when another collector has the run.
   */
  async claim(): Promise<number> {
    const { engine, store } = this.#options;
    await claimRun(this.#options);
    engine.serveCollector(() => encodeCollectorState(engine.settings, store.done), this.#ending.signal);
    return liftStop(engine);
  }

  /**
   * Stops the whole run before the end of its list: `results` then ends with what is in flight. `failures` returns the current
   * number of failures.
   */
  stopRun(reason: StopReason, failures: () => number): void {
    if (this.#stop !== undefined || this.isComplete) return;
    const isEndKnown = () => this.#end !== undefined;
    const sequence = () => this.counts.sequence;
    this.#stop = new StopCoordinator({ ...this.#options, reason, failures, sequence, isEndKnown });
    // While the broker is away this waits; it fails only if the connection is closed first.
    this.#stop.announce().catch(() => {});
    if (this.#isReadingLog) this.#endAfterStop();
  }

  /** The results in the store, and then those of the log, until the run is complete or the signal aborts. */
  async *results(): AsyncGenerator<Result, void, void> {
    try {
      for await (const result of this.#log.stored()) yield this.counts.add(result);
      yield* this.#loggedResults();
    } finally {
      this.#ending.abort();
      await this.#options.store.close();
    }
    if (this.#error !== undefined) throw this.#error;
    if (this.isComplete) await this.#completeRun();
  }

  /** The results of the log. At the end everything is on disk. */
  async *#loggedResults(): AsyncGenerator<Result, void, void> {
    const { engine, store, now, signal } = this.#options;
    this.counts.startClock(now());
    this.#isReadingLog = true;
    this.#endAfterStop();
    const maintenance = this.#maintain();
    try {
      for await (const entry of engine.log.entries(this.#ending.signal)) {
        if (entry.isUnfinished) this.#stop?.addPartial(entry);
        else for (const result of await this.#log.take(entry)) yield this.counts.add(result);
        this.counts.sequence = entry.sequence;
        this.#isTrimDue = true;
        if (store.isHeavy) await store.save();
        if (this.#ending.signal.aborted) break;
      }
      yield* this.#partialResults();
    } finally {
      this.#ending.abort();
      // After a signal or a stop, do not wait for a broker that may be away.
      if (!signal.aborted && !this.isStopping) await maintenance;
      await store.save();
    }
  }

  #endAfterStop(): void {
    this.#stop?.untilHandedIn(this.#ending.signal).then(() => this.#ending.abort());
  }

  /** After a stop, the results of chunks that workers could not finish. */
  async *#partialResults(): AsyncGenerator<Result, void, void> {
    const stop = this.#stop;
    if (stop === undefined || this.isComplete) return;
    if (stop.isBrokerHeard) {
      await stop.announce();
      await this.#save();
    }
    for (const entry of stop.partialRecords) {
      for (const result of await this.#log.takePartial(entry)) yield this.counts.add(result);
    }
  }

  /** Looks for the end of the run and saves, on a timer: while the log is full, no record arrives that could trigger it. */
  async #maintain(): Promise<void> {
    const { engine, now } = this.#options;
    const { signal } = this.#ending;
    let savedAt = now();
    try {
      while (!signal.aborted) {
        this.#end ??= endFrom(await engine.state(END_KEY));
        if (this.#end === undefined) this.#feed = await readFeedProgress(engine);
        if (this.isComplete) break;
        if (now() - savedAt >= SAVE_INTERVAL_MS) {
          savedAt = now();
          await this.#save();
        }
        await pause(POLL_INTERVAL_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#error = error;
    }
    this.#ending.abort();
  }

  async #save(): Promise<void> {
    const { engine, store } = this.#options;
    const [sequence, isTrimDue] = [this.counts.sequence, this.#isTrimDue];
    this.#isTrimDue = false;
    await store.save();
    await checkClaim(this.#options);
    if (isTrimDue) {
      await engine.log.trim(sequence).catch(() => {
        this.#isTrimDue = true;
      });
    }
    await engine.setState(PROGRESS_KEY, this.progress());
  }

  async #completeRun(): Promise<void> {
    const { engine } = this.#options;
    const { sequence, dead } = this.counts;
    await engine.setState(PROGRESS_KEY, this.progress());
    if (sequence > 0) await engine.log.trim(sequence).catch(() => {});
    // A URL that one worker gave up may have been fetched by another one that was thought dead: the results decide.
    if (dead !== undefined) await engine.retainDeadLetters(dead);
    if (this.isStopping) await liftStop(engine);
    await engine.setState(COMPLETE_KEY, true);
  }
}

/** The counts of a run's results in one collector process. */
class CollectorCounts {
  /** The sequence number of the last record of the log that was read. */
  sequence = 0;
  readonly #dead = new Set<number>();
  #hasUnreadFailures = false;
  #ok = 0;
  #failed = 0;
  /** Of these, the results that were in the store at the start. */
  #resumed = 0;
  #startedMs: number;

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  /** Starts the clock of the rate. All results until now were in the store. */
  startClock(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#resumed = this.#ok + this.#failed;
  }

  /** Results that came in this process and were not in the store before. */
  get taken(): number {
    return this.#ok + this.#failed - this.#resumed;
  }

  /** The indexes of the dead letters among the results; `undefined` if some failures were only counted. */
  get dead(): ReadonlySet<number> | undefined {
    return this.#hasUnreadFailures ? undefined : this.#dead;
  }

  /** Counts a result, and returns it. */
  add(result: Result): Result {
    if (result.ok) this.#ok += 1;
    else this.#failed += 1;
    if (result.failure?.code === DEAD_CODE) this.#dead.add(result.index);
    return result;
  }

  /** Counts the results of a segment that is not read. */
  addSegment({ ok, failed }: ShardSegment): void {
    this.#ok += ok;
    this.#failed += failed;
    if (failed > 0) this.#hasUnreadFailures = true;
  }

  progress(done: Bitmap, duplicates: number, nowMs: number): CollectorProgress {
    const seconds = Math.max(0.001, (nowMs - this.#startedMs) / 1000);
    return {
      chunks: done.count,
      ok: this.#ok,
      failed: this.#failed,
      duplicates,
      urlsPerSecond: Math.round((10 * this.taken) / seconds) / 10,
      oldest: done.firstClear,
      sequence: this.sequence,
    };
  }
}

interface LogConsumerOptions {
  readonly store: ResultStore;
  /** The most results of a chunk. */
  readonly maxCount: number;
  /** The number of chunks of the run, or the most there can be as long as the end of its list is not known. */
  readonly chunks: () => number;
  /** Reads segments. If unset, they are only counted. */
  readonly segments?: SegmentReader | undefined;
  readonly warn: (text: string) => void;
  /** Called with segments that are only counted. */
  readonly onCounted: (segment: ShardSegment, isResumed: boolean) => void;
}

/** What a valid record of the log contains. */
interface RecordContent {
  readonly results: readonly Result[];
  /** The lines for the store. */
  readonly text: string;
  /** The lowest index of the results. */
  readonly first: number;
  /** A segment that is only counted. */
  readonly counted?: ShardSegment;
}

/** Moves records from the log into the store: the first valid one of each chunk, and no other. */
export class LogConsumer {
  readonly #options: LogConsumerOptions;
  #duplicates = 0;

  constructor(options: LogConsumerOptions) {
    this.#options = options;
  }

  /** Records that were dropped, because their chunk was already finished. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** The results of earlier starts. Throws an `OutputError` when a segment of them can no longer be read. */
  async *stored(): AsyncGenerator<Result, void, void> {
    const { store, segments, onCounted } = this.#options;
    for await (const entry of store.entries()) {
      if ('index' in entry) yield Object.assign(entry, { isResumed: true });
      else if (segments === undefined) onCounted(entry, true);
      else {
        for (const result of await segments.readAgain(entry))
          yield Object.assign(result, { isResumed: true });
      }
    }
  }

  /** Adds a record to the store, and returns its results. */
  async take(entry: LogEntry): Promise<readonly Result[]> {
    const { store, onCounted, chunks, warn } = this.#options;
    if (entry.chunk >= chunks()) {
      warn(`ignored results of chunk ${entry.chunk}: the run has ${chunks()} chunks`);
      return [];
    }
    if (store.done.has(entry.chunk)) {
      this.#duplicates += 1;
      return [];
    }
    const content = await this.#read(entry);
    if (content === undefined) return [];
    store.add(entry.chunk, content.text, content.first);
    if (content.counted !== undefined) onCounted(content.counted, false);
    return content.results;
  }

  /** Adds the results of an unfinished chunk to the store, which drops them at the next start. */
  async takePartial(entry: LogEntry): Promise<readonly Result[]> {
    const { store, onCounted } = this.#options;
    const content = entry.count === 0 ? undefined : await this.#read(entry);
    if (content === undefined) return [];
    await store.addPartial(content.text, content.first);
    if (content.counted !== undefined) onCounted(content.counted, false);
    return content.results;
  }

  async #read(entry: LogEntry): Promise<RecordContent | undefined> {
    const { maxCount, warn } = this.#options;
    if (entry.kind === 'commit') {
      const segment = this.#segmentIn(entry);
      if (segment !== undefined) return this.#readSegment(segment);
    } else {
      const unpacked = unpackResults(entry.body, Math.min(entry.count, maxCount));
      if (unpacked?.results.length === entry.count && entry.chunk < MAX_CHUNKS) {
        return { ...unpacked, first: unpacked.results[0]?.index ?? 0 };
      }
    }
    warn(
      `the results of chunk ${entry.chunk} are damaged and were dropped; "fanout cluster feed --reconcile" sends the chunk again`,
    );
    return undefined;
  }

  async #readSegment(segment: ShardSegment): Promise<RecordContent | undefined> {
    const { segments } = this.#options;
    const line = { text: `${encodeSegment(segment)}\n`, first: segment.first };
    if (segments === undefined) return { ...line, results: [], counted: segment };
    const results = await segments.read(segment);
    return results && { ...line, results };
  }

  #segmentIn({ chunk, count, body }: LogEntry): ShardSegment | undefined {
    const segment = decodeSegment(Buffer.from(body).toString());
    if (segment === undefined || 'broken' in segment) return undefined;
    const isSame = segment.chunk === chunk && segment.count === count;
    return isSame && chunk < MAX_CHUNKS && count <= this.#options.maxCount ? segment : undefined;
  }
}
