/** What ended in one span of time. */
export interface TimeBucket {
  /** In ms since the epoch. */
  readonly startMs: number;
  ok: number;
  failed: number;
}

const FIRST_WIDTH_MS = 10;

/**
 * Counts of what ended when, in at most `limit` buckets: the width doubles, and buckets merge in pairs, as the time grows.
 * The times may come in any order.
 */
export class TimeBuckets {
  readonly #limit: number;
  #widthMs = FIRST_WIDTH_MS;
  /** By their place since the epoch, so that two neighbours always merge into one. */
  #buckets = new Map<number, TimeBucket>();
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get widthMs(): number {
    return this.#widthMs;
  }

  /** @param atMs ms since the epoch */
  add(atMs: number, ok: boolean): void {
    const place = Math.floor(atMs / this.#widthMs);
    this.#first = Math.min(this.#first, place);
    this.#last = Math.max(this.#last, place);
    this.#count(place, ok ? 1 : 0, ok ? 0 : 1);
    while (this.#last - this.#first >= this.#limit) this.#widen();
  }

  /** Without gaps, the first first. */
  list(): readonly TimeBucket[] {
    if (this.#buckets.size === 0) return [];
    return Array.from({ length: this.#last - this.#first + 1 }, (_, index) => {
      const place = this.#first + index;
      return this.#buckets.get(place) ?? { startMs: place * this.#widthMs, ok: 0, failed: 0 };
    });
  }

  #count(place: number, ok: number, failed: number): void {
    const bucket = this.#buckets.get(place);
    if (bucket === undefined) {
      this.#buckets.set(place, { startMs: place * this.#widthMs, ok, failed });
    } else {
      bucket.ok += ok;
      bucket.failed += failed;
    }
  }

  #widen(): void {
    const before = this.#buckets;
    this.#widthMs *= 2;
    this.#first = Math.floor(this.#first / 2);
    this.#last = Math.floor(this.#last / 2);
    this.#buckets = new Map();
    for (const [place, { ok, failed }] of before) this.#count(Math.floor(place / 2), ok, failed);
  }
}
