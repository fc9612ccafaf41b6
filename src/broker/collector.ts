import type { Frame } from '../model/frame.ts';
import type { Result } from '../model/result.ts';
import type { ShardReader } from '../shards/shard-reader.ts';
import { answerOf } from './collector-answer.ts';
import { checkClaim, claimRun } from './collector-claim.ts';
import { FrameSource } from './frame-source.ts';
import { Intake } from './intake.ts';
import { pause } from './persist.ts';
import type { QueueEngine } from './queue-engine.ts';
import type { ResultStore } from './result-store.ts';
import {
  COMPLETE_KEY,
  type CollectorProgress,
  END_KEY,
  endFrom,
  PROGRESS_KEY,
  type RunEnd,
} from './run-end.ts';
import { DEAD_CODE } from './suspects.ts';

const TICK_MS = 200;
const SAVE_MS = 1000;

export interface CollectorParts {
  readonly engine: QueueEngine;
  readonly store: ResultStore;
  /** Where the results go, in words for whoever starts a second collector. */
  readonly place: string;
  /** Where the results are read that workers write into shards; if left out they are counted alone. */
  readonly shards?: ShardReader | undefined;
  /** Told of results that are counted alone: they are not among `results`. */
  readonly onCounted: (frame: Frame, isResumed: boolean) => void;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Ends the collecting before the run is complete. */
  readonly signal: AbortSignal;
}

/**
 * Takes the results from the log, the first record of each chunk alone, and keeps them in a store. What was stored is
 * dropped from the log, and nothing else is.
 */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #ending = new AbortController();
  readonly #intake: Intake;
  #end: RunEnd | undefined;
  #ok = 0;
  #failed = 0;
  #resumed = 0;
  readonly #dead = new Set<number>();
  /** No failure was counted alone, of which nobody knows here what it is. */
  #knowsDead = true;
  #sequence = 0;
  #trimmed = 0;
  #startedMs: number;
  #error: unknown;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    this.#startedMs = parts.now();
    const { engine, store, shards, warn } = parts;
    this.#intake = new Intake({
      store,
      maxCount: engine.settings.chunk,
      frames: shards && new FrameSource({ shards, warn, signal: this.#ending.signal }),
      warn,
      onCounted: (frame, isResumed) => this.#countFrame(frame, isResumed),
    });
    const end = () => this.#ending.abort();
    if (parts.signal.aborted) end();
    else parts.signal.addEventListener('abort', end, { once: true });
  }

  /** The end of the run, once it is known. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  /** Results that came in this process, and were not in the store before. */
  get taken(): number {
    return this.#ok + this.#failed - this.#resumed;
  }

  get isComplete(): boolean {
    return this.#end !== undefined && this.#parts.store.done.count >= this.#end.chunks;
  }

  /** Throws a `UsageError` when another collector has this run. */
  async claim(): Promise<void> {
    const { engine, store } = this.#parts;
    await claimRun(this.#parts);
    engine.serve(() => answerOf(engine.settings, store.done), this.#ending.signal);
  }

  /** What the store has, and then what comes, until the run is complete or the signal comes. */
  async *results(): AsyncGenerator<Result, void, void> {
    const { engine, store } = this.#parts;
    for await (const result of this.#intake.kept()) {
      this.#resumed += 1;
      yield this.#counted(result);
    }
    this.#startedMs = this.#parts.now();
    const keeping = this.#keep();
    try {
      for await (const entry of engine.log(this.#ending.signal)) {
        for (const result of await this.#intake.take(entry)) yield this.#counted(result);
        this.#sequence = entry.sequence;
        if (store.isHeavy) await store.save();
        if (this.#ending.signal.aborted) break;
      }
    } finally {
      this.#ending.abort();
      // Whoever is told to end does not wait for a broker that is away.
      if (!this.#parts.signal.aborted) await keeping;
      await store.save();
      await store.close();
    }
    if (this.#error !== undefined) throw this.#error;
    if (this.isComplete) await this.#finish();
  }

  #counted(result: Result): Result {
    if (result.ok) this.#ok += 1;
    else this.#failed += 1;
    if (result.failure?.code === DEAD_CODE) this.#dead.add(result.index);
    return result;
  }

  #countFrame(frame: Frame, isResumed: boolean): void {
    this.#ok += frame.ok;
    this.#failed += frame.failed;
    if (isResumed) this.#resumed += frame.count;
    if (frame.failed > 0) this.#knowsDead = false;
    this.#parts.onCounted(frame, isResumed);
  }

  /** Watches for the end, saves and tells, all on a clock of its own: a full log brings nothing that could do it. */
  async #keep(): Promise<void> {
    const { engine, now } = this.#parts;
    const { signal } = this.#ending;
    let savedAt = now();
    try {
      while (!signal.aborted) {
        this.#end ??= endFrom(await engine.state(END_KEY));
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
    const sequence = this.#sequence;
    await store.save();
    await checkClaim(this.#parts);
    // In a log that the broker has begun anew the numbers are lower.
    if (sequence !== this.#trimmed) await engine.trim(sequence).catch(() => {});
    this.#trimmed = sequence;
    await engine.setState(PROGRESS_KEY, this.progress());
  }

  /** How far it is. */
  progress(): CollectorProgress {
    const { store, now } = this.#parts;
    const seconds = Math.max(0.001, (now() - this.#startedMs) / 1000);
    return {
      chunks: store.done.count,
      ok: this.#ok,
      failed: this.#failed,
      duplicates: this.#intake.duplicates,
      urlsPerSecond: Math.round((10 * this.taken) / seconds) / 10,
      oldest: store.done.firstClear,
      sequence: this.#sequence,
    };
  }

  async #finish(): Promise<void> {
    const { engine } = this.#parts;
    await engine.setState(PROGRESS_KEY, this.progress());
    if (this.#sequence > 0) await engine.trim(this.#sequence).catch(() => {});
    // While one worker gave a URL up, another one that was thought dead may have finished it: only results count.
    if (this.#knowsDead) await engine.keepDead(this.#dead);
    await engine.setState(COMPLETE_KEY, true);
  }
}
