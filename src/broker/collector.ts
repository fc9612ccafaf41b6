import type { Result } from '../model/result.ts';
import { answerOf } from './collector-answer.ts';
import { checkClaim, claimRun } from './collector-claim.ts';
import type { CollectorParts } from './collector-parts.ts';
import { CollectorTally } from './collector-tally.ts';
import { type FedList, fedList, type ListCounts, listCounts } from './fed-list.ts';
import { FrameSource } from './frame-source.ts';
import { Intake } from './intake.ts';
import { pause } from './persist.ts';
import {
  COMPLETE_KEY,
  type CollectorProgress,
  END_KEY,
  endFrom,
  PROGRESS_KEY,
  type RunEnd,
} from './run-end.ts';
import { liftStop, type StopReason } from './run-stop.ts';
import { Stopping } from './stopping.ts';

const TICK_MS = 200;
const SAVE_MS = 1000;

/**
 * Takes the results from the log, the first record of each chunk alone, and keeps them in a store. What was stored is
 * dropped from the log, and nothing else is.
 */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #ending = new AbortController();
  readonly #intake: Intake;
  readonly tally: CollectorTally;
  #end: RunEnd | undefined;
  #fed: FedList | undefined;
  #isListening = false;
  #stopping: Stopping | undefined;
  /** Whether the log holds records that are taken. */
  #isTrimDue = false;
  #error: unknown;

  constructor(parts: CollectorParts) {
    this.#parts = parts;
    this.tally = new CollectorTally(parts.now());
    const { engine, store, shards, warn } = parts;
    this.#intake = new Intake({
      store,
      maxCount: engine.settings.chunk,
      frames: shards && new FrameSource({ shards, warn, signal: this.#ending.signal }),
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
    this.#stopping = new Stopping({ ...this.#parts, reason, failures, sequence, isEndKnown });
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
    if (this.tally.knowsDead) await engine.keepDead(this.tally.dead);
    if (this.isStopping) await liftStop(engine);
    await engine.setState(COMPLETE_KEY, true);
  }
}
