/** How many took from `fromMs` (included) to `toMs`; the last bucket has no end. */
export interface LatencyBucket {
  readonly fromMs: number;
  readonly toMs: number;
  ok: number;
  failed: number;
}

const BORDERS_MS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];

/** Counts of durations on a scale of 1, 2, 5, 10 and so on. */
export class LatencyBuckets {
  readonly #buckets: readonly LatencyBucket[] = BORDERS_MS.map((fromMs, index) => ({
    fromMs,
    toMs: BORDERS_MS[index + 1] ?? Number.POSITIVE_INFINITY,
    ok: 0,
    failed: 0,
  }));

  add(durationMs: number, ok: boolean): void {
    const bucket = this.#buckets.findLast(({ fromMs }) => durationMs >= fromMs);
    if (bucket === undefined) return;
    if (ok) bucket.ok += 1;
    else bucket.failed += 1;
  }

  /** Those between the first and the last that hold anything. */
  list(): readonly LatencyBucket[] {
    const isUsed = ({ ok, failed }: LatencyBucket) => ok + failed > 0;
    const first = this.#buckets.findIndex(isUsed);
    return first === -1 ? [] : this.#buckets.slice(first, this.#buckets.findLastIndex(isUsed) + 1);
  }
}
