import type { Result } from '../model/result.ts';
import { decodeSegment, encodeSegment, type ShardSegment } from '../model/result-line.ts';
import { type Bitmap, MAX_CHUNKS } from './checkpoint.ts';
import type { LogEntry } from './chunk.ts';
import { answerOf, checkClaim, claimRun } from './claim.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { pause } from './persist.ts';
import { DEAD_CODE } from './poison-urls.ts';
import { SegmentSource, unpackResults } from './result-log.ts';
import type { ResultStore } from './result-store.ts';
import {
  COMPLETE_KEY,
  type CollectorProgress,
  END_KEY,
  endFrom,
  liftStop,
  PROGRESS_KEY,
  type RunEnd,
  type StopReason,
} from './run-stop.ts';
import type { ShardReader } from './shards.ts';
import { type FedList, fedList, type ListCounts, listCounts, StopCoordinator } from './stop-coordinator.ts';

interface Moment {
  /** Records of chunks that were finished already. */
  readonly duplicates: number;
  readonly nowMs: number;
}

/** What a collector has counted of its run. */
class CollectorTally {
  /** The last record of the log that was taken. */
  sequence = 0;
  /** URLs that no worker survived, by their indexes. */
  readonly dead = new Set<number>();
  #knowsDead = true;
  #ok = 0;
  #failed = 0;
  /** Those that the store had at the start. */
  #resumed = 0;
  #startedMs: number;

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  /** All that was counted until now was in the store. */
  begin(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#resumed = this.#ok + this.#failed;
  }

  /** Results that came in this process, and were not in the store before. */
  get taken(): number {
    return this.#ok + this.#failed - this.#resumed;
  }

  counted(result: Result): Result {
    if (result.ok) this.#ok += 1;
    else this.#failed += 1;
    if (result.failure?.code === DEAD_CODE) this.dead.add(result.index);
    return result;
  }

  /** Counts results that nobody reads here. */
  countFrame({ ok, failed }: ShardSegment): void {
    this.#ok += ok;
    this.#failed += failed;
    if (failed > 0) this.#knowsDead = false;
  }

  /** No failure was counted alone, of which nobody knows here what it is. */
  get knowsDead(): boolean {
    return this.#knowsDead;
  }

  progress(done: Bitmap, { duplicates, nowMs }: Moment): CollectorProgress {
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

interface CollectorParts {
  readonly engine: JetStreamEngine;
  readonly store: ResultStore;
  /** Where the results go, in words for whoever starts a second collector. */
  readonly place: string;
  /** Where the results are read that workers write into shards; if left out they are counted alone. */
  readonly shards?: ShardReader | undefined;
  /** Told of results that are counted alone: they are not among `results`. */
  readonly onCounted: (frame: ShardSegment, isResumed: boolean) => void;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Ends the collecting before the run is complete. */
  readonly signal: AbortSignal;
}

interface IntakeParts {
  readonly store: ResultStore;
  /** The most results that a chunk can have. */
  readonly maxCount: number;
  /** Where frames are read; if left out they are counted alone. */
  readonly frames?: SegmentSource | undefined;
  readonly warn: (text: string) => void;
  /** Told of frames that are counted alone. */
  readonly onCounted: (frame: ShardSegment, isResumed: boolean) => void;
}

/** What a record of the log holds: its results, and the lines that the store has of them. */
interface Found {
  readonly results: readonly Result[];
  readonly text: string;
  /** The lowest index of its results. */
  readonly first: number;
  /** Results that are counted alone. */
  readonly counted?: ShardSegment;
}

/** Takes into the store what the log has: the first record of each chunk that is whole, and no other. */
export class LogConsumer {
  readonly #parts: IntakeParts;
  #duplicates = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Records of chunks that were finished already. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** What an earlier start has taken. Throws an `OutputError` when a frame of it cannot be read any more. */
  async *kept(): AsyncGenerator<Result, void, void> {
    const { store, frames, onCounted } = this.#parts;
    for await (const entry of store.entries()) {
      if ('index' in entry) yield Object.assign(entry, { isResumed: true });
      else if (frames === undefined) onCounted(entry, true);
      else for (const result of await frames.again(entry)) yield Object.assign(result, { isResumed: true });
    }
  }

  /** The results that a record of the log brings, which then are in the store. */
  async take(entry: LogEntry): Promise<readonly Result[]> {
    const { store, onCounted } = this.#parts;
    if (store.done.has(entry.chunk)) {
      this.#duplicates += 1;
      return [];
    }
    const found = await this.#read(entry);
    if (found === undefined) return [];
    store.add(entry.chunk, found.text, found.first);
    if (found.counted !== undefined) onCounted(found.counted, false);
    return found.results;
  }

  /** The results of a chunk that is not finished: the store has them until the next start. */
  async takeUnfinished(entry: LogEntry): Promise<readonly Result[]> {
    const { store, onCounted } = this.#parts;
    const found = entry.count === 0 ? undefined : await this.#read(entry);
    if (found === undefined) return [];
    await store.addUnfinished(found.text, found.first);
    if (found.counted !== undefined) onCounted(found.counted, false);
    return found.results;
  }

  async #read(entry: LogEntry): Promise<Found | undefined> {
    const most = Math.min(entry.count, this.#parts.maxCount);
    const found = entry.kind === 'commit' ? this.#frameOf(entry) : unpackResults(entry.body, most);
    if (found !== undefined && 'shard' in found) return this.#readFrame(found);
    if (found?.results.length === entry.count && entry.chunk < MAX_CHUNKS) {
      return { ...found, first: found.results[0]?.index ?? 0 };
    }
    this.#parts.warn(
      `the results of chunk ${entry.chunk} are damaged and were dropped; "fanout feed --reconcile" sends it again`,
    );
    return undefined;
  }

  async #readFrame(frame: ShardSegment): Promise<Found | undefined> {
    const { frames } = this.#parts;
    const line = { text: `${encodeSegment(frame)}\n`, first: frame.first };
    if (frames === undefined) return { ...line, results: [], counted: frame };
    const results = await frames.first(frame);
    return results && { ...line, results };
  }

  #frameOf({ chunk, count, body }: LogEntry): ShardSegment | undefined {
    const frame = decodeSegment(Buffer.from(body).toString());
    if (frame === undefined || 'broken' in frame) return undefined;
    const isSame = frame.chunk === chunk && frame.count === count;
    return isSame && chunk < MAX_CHUNKS && count <= this.#parts.maxCount ? frame : undefined;
  }
}

const TICK_MS = 200;
const SAVE_MS = 1000;

/**
 * Takes the results from the log, the first record of each chunk alone, and keeps them in a store. What was stored is
 * dropped from the log, and nothing else is.
 */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #ending = new AbortController();
  readonly #intake: LogConsumer;
  readonly tally: CollectorTally;
  #end: RunEnd | undefined;
  #fed: FedList | undefined;
  #isListening = false;
  #stopping: StopCoordinator | undefined;
  /** Whether the log holds records that are taken. */
  #isTrimDue = false;
  #error: unknown;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    this.tally = new CollectorTally(parts.now());
    const { engine, store, shards, warn } = parts;
    this.#intake = new LogConsumer({
      store,
      maxCount: engine.settings.chunk,
      frames: shards && new SegmentSource({ shards, warn, signal: this.#ending.signal }),
      warn,
      onCounted: (frame, isResumed) => {
        this.tally.countFrame(frame);
        parts.onCounted(frame, isResumed);
      },
    });
    const end = () => this.#ending.abort();
    if (parts.signal.aborted) end();
    else parts.signal.addEventListener('abort', end, { once: true });
  }

  /** The end of the run, once it is known. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  get isComplete(): boolean {
    return this.#end !== undefined && this.#parts.store.done.count >= this.#end.chunks;
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  /**
   * Makes this collector the one of the run, which goes on if it was stopped. Resolves to the failures until then, which are not to
   * stop it again. Throws a `UsageError` when another collector has this run.
   */
  async claim(): Promise<number> {
    const { engine, store } = this.#parts;
    await claimRun(this.#parts);
    engine.serve(() => answerOf(engine.settings, store.done), this.#ending.signal);
    return liftStop(engine);
  }

  /** Ends the run before its list ends: what is under way comes in, and all others end, too. `failures` tells their number. */
  stopRun(reason: StopReason, failures: () => number): void {
    if (this.#stopping !== undefined || this.isComplete) return;
    const isEndKnown = () => this.#end !== undefined;
    const sequence = () => this.tally.sequence;
    this.#stopping = new StopCoordinator({ ...this.#parts, reason, failures, sequence, isEndKnown });
    // A broker that is away is told when it is back, if anybody is still here then.
    this.#stopping.tell().catch(() => {});
    if (this.#isListening) this.#awaitStop();
  }

  /** The counts of the whole list, of which so many are OK or failed, when the results have ended. */
  listCounts(finished: number): ListCounts {
    const counts = listCounts({ end: this.#end, fed: this.#stopping?.fed ?? this.#fed }, finished);
    // Of a complete run nothing is left: if the counts do not add up then, that is to be seen.
    return this.isComplete ? { ...counts, notFetched: 0 } : counts;
  }

  /** What the store has, and then what comes, until the run is complete or the signal comes. */
  async *results(): AsyncGenerator<Result, void, void> {
    const { engine, store, now } = this.#parts;
    for await (const result of this.#intake.kept()) yield this.tally.counted(result);
    this.tally.begin(now());
    this.#isListening = true;
    this.#awaitStop();
    const keeping = this.#keep();
    try {
      for await (const entry of engine.log(this.#ending.signal)) {
        if (entry.isUnfinished) this.#stopping?.take(entry);
        else for (const result of await this.#intake.take(entry)) yield this.tally.counted(result);
        this.tally.sequence = entry.sequence;
        this.#isTrimDue = true;
        if (store.isHeavy) await store.save();
        if (this.#ending.signal.aborted) break;
      }
      yield* this.#unfinished();
    } finally {
      this.#ending.abort();
      // Whoever is told to end does not wait for a broker that is away.
      if (!this.#parts.signal.aborted && !this.isStopping) await keeping;
      await store.save();
      await store.close();
    }
    if (this.#error !== undefined) throw this.#error;
    if (this.isComplete) await this.#finish();
  }

  #awaitStop(): void {
    this.#stopping?.over(this.#ending.signal).then(() => this.#ending.abort());
  }

  /** After a stop: what workers have of chunks that they had no time to finish. */
  async *#unfinished(): AsyncGenerator<Result, void, void> {
    const stopping = this.#stopping;
    if (stopping === undefined || this.isComplete) return;
    if (stopping.isHeard) {
      await stopping.tell();
      await this.#save();
    }
    for (const entry of stopping.handedIn) {
      for (const result of await this.#intake.takeUnfinished(entry)) yield this.tally.counted(result);
    }
  }

  /** Watches for the end, saves and tells, all on a clock of its own: a full log brings nothing that could do it. */
  async #keep(): Promise<void> {
    const { engine, now } = this.#parts;
    const { signal } = this.#ending;
    let savedAt = now();
    try {
      while (!signal.aborted) {
        this.#end ??= endFrom(await engine.state(END_KEY));
        if (this.#end === undefined) this.#fed = await fedList(engine);
        if (this.isComplete) break;
        if (now() - savedAt >= SAVE_MS) {
          savedAt = now();
          await this.#save();
        }
        await pause(TICK_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#error = error;
    }
    this.#ending.abort();
  }

  async #save(): Promise<void> {
    const { engine, store } = this.#parts;
    const [sequence, isTrimDue] = [this.tally.sequence, this.#isTrimDue];
    this.#isTrimDue = false;
    await store.save();
    await checkClaim(this.#parts);
    if (isTrimDue) {
      await engine.trim(sequence).catch(() => {
        this.#isTrimDue = true;
      });
    }
    await engine.setState(PROGRESS_KEY, this.progress());
  }

  /** How far it is. */
  progress(): CollectorProgress {
    const { store, now } = this.#parts;
    return this.tally.progress(store.done, { duplicates: this.#intake.duplicates, nowMs: now() });
  }

  async #finish(): Promise<void> {
    const { engine } = this.#parts;
    await engine.setState(PROGRESS_KEY, this.progress());
    if (this.tally.sequence > 0) await engine.trim(this.tally.sequence).catch(() => {});
    // While one worker gave a URL up, another one that was thought dead may have finished it: only results count.
    if (this.tally.knowsDead) await engine.retainDeadLetters(this.tally.dead);
    if (this.isStopping) await liftStop(engine);
    await engine.setState(COMPLETE_KEY, true);
  }
}
