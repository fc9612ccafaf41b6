import type { Frame } from '../model/frame.ts';
import type { Result } from '../model/result.ts';
import type { Bitmap } from './bitmap.ts';
import type { CollectorProgress } from './run-end.ts';
import { DEAD_CODE } from './suspects.ts';

interface Moment {
  /** Records of chunks that were finished already. */
  readonly duplicates: number;
  readonly nowMs: number;
}

/** What a collector has counted of its run. */
export class CollectorTally {
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
  countFrame({ ok, failed }: Frame): void {
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
