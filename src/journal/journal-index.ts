import type { JournalEntry } from './journal-format.ts';

const SHARDS = 256;
const INITIAL_SLOTS = 16;
const WORDS_PER_SLOT = 3;
const MAX_LOAD = 0.8;
const GROWTH = 1.5;

// The third word of a slot: whether a job with this key was read in this run, whether its newest record is a success,
// and the block of that record plus 1, or 0 if there is none.
const SEEN = 0x8000_0000;
const OK = 0x4000_0000;
const BLOCK_MASK = 0x3fff_ffff;

/** Block numbers are below this. */
export const MAX_BLOCK = BLOCK_MASK;

/** What the index knows of a job. */
interface IndexEntry {
  /** The number of jobs with the same hash that were read before it. */
  readonly occurrence: number;
  /** The block of its newest record, or `undefined` if there is none. */
  readonly block: number | undefined;
  /** Whether that record is a success. */
  readonly isOk: boolean;
}

/**
 * Maps a job to the block of its newest record, in 15 to 23 bytes per job. Stores 64 bits per key: among m jobs, the
 * probability that two share them is at most m² / 2⁶⁵, 3e-6 for ten million. So the record must be checked when it is
 * read.
 */
export class JournalIndex {
  // Many small tables: growing one table of ten million entries at once would block the run for a second.
  readonly #shards = Array.from({ length: SHARDS }, () => new Table());

  /** Makes room for this many jobs, so that loading them does not grow a table. */
  reserve(jobs: number): void {
    const slots = Math.ceil(jobs / SHARDS / MAX_LOAD) + INITIAL_SLOTS;
    for (const shard of this.#shards) shard.growTo(slots);
  }

  /** Stores the newest record of an occurrence of a hash. */
  put(
    first: number,
    second: number,
    occurrence: number,
    record: { readonly block: number; readonly isOk: boolean },
  ): void {
    this.#update(first, second, occurrence, (record.isOk ? OK : 0) | (record.block + 1));
  }

  /** Returns the entry of the next job with this hash: the first occurrence that was not returned before. */
  next(first: number, second: number): IndexEntry {
    let occurrence = 0;
    let state = this.#update(first, second, occurrence, SEEN);
    if ((state & SEEN) !== 0) {
      occurrence = this.#firstUnseen(first, second);
      state = this.#update(first, second, occurrence, SEEN);
    }
    const block = state & BLOCK_MASK;
    return { occurrence, block: block === 0 ? undefined : block - 1, isOk: (state & OK) !== 0 };
  }

  // All occurrences before the result were seen, so it is found by doubling steps and then by halving them.
  #firstUnseen(first: number, second: number): number {
    let seen = 0;
    let unseen = 1;
    while (this.#isSeen(first, second, unseen)) {
      seen = unseen;
      unseen *= 2;
    }
    while (unseen - seen > 1) {
      const middle = (seen + unseen) >>> 1;
      if (this.#isSeen(first, second, middle)) seen = middle;
      else unseen = middle;
    }
    return unseen;
  }

  #isSeen(first: number, second: number, occurrence: number): boolean {
    return (this.#update(first, second, occurrence, 0) & SEEN) !== 0;
  }

  /** Sets the seen flag (`SEEN`), stores a record (a block and maybe `OK`), or only looks (0). Returns the state before. */
  #update(first: number, second: number, occurrence: number, change: number): number {
    const word = mix(first, occurrence, 0x85eb_ca6b);
    return this.#shards[word >>> 24]?.update(word || 1, mix(second, occurrence, 0x9e37_79b1), change) ?? 0;
  }
}

/** Gives each occurrence of a hash its own words, spread over all shards. */
function mix(word: number, occurrence: number, multiplier: number): number {
  return (occurrence === 0 ? word : word ^ Math.imul(occurrence, multiplier)) >>> 0;
}

/** Open addressing with linear probing. A first word of 0 marks an empty slot, so no entry may have one. */
class Table {
  #slots = INITIAL_SLOTS;
  #words = new Uint32Array(INITIAL_SLOTS * WORDS_PER_SLOT);
  #size = 0;

  /** See `JournalIndex.#update`. */
  update(first: number, second: number, change: number): number {
    let at = this.#find(first, second);
    if (this.#words[at] === 0) {
      if (change === 0) return 0;
      if (this.#size >= this.#slots * MAX_LOAD) {
        this.growTo(Math.ceil(this.#slots * GROWTH));
        at = this.#find(first, second);
      }
      this.#words[at] = first;
      this.#words[at + 1] = second;
      this.#size++;
    }
    const before = this.#words[at + 2] ?? 0;
    this.#words[at + 2] = (change & BLOCK_MASK) === 0 ? before | change : change;
    return before;
  }

  growTo(slots: number): void {
    if (slots <= this.#slots) return;
    const old = this.#words;
    this.#slots = slots;
    this.#words = new Uint32Array(slots * WORDS_PER_SLOT);
    for (let from = 0; from < old.length; from += WORDS_PER_SLOT) {
      if (old[from] === 0) continue;
      const to = this.#find(old[from] ?? 0, old[from + 1] ?? 0);
      for (let word = 0; word < WORDS_PER_SLOT; word++) this.#words[to + word] = old[from + word] ?? 0;
    }
  }

  /** Index of the entry's first word, or of the empty slot where it would go. */
  #find(first: number, second: number): number {
    const words = this.#words;
    const length = words.length;
    let at = Math.floor((second * this.#slots) / 0x1_0000_0000) * WORDS_PER_SLOT;
    while (words[at] !== 0 && (words[at] !== first || words[at + 1] !== second)) {
      at += WORDS_PER_SLOT;
      if (at === length) at = 0;
    }
    return at;
  }
}

const BUCKETS = 256;
const BUCKET_CAPACITY = 512;
const NUMBERS_PER_ENTRY = 4;

/**
 * Collects entries and inserts those of one shard together: the memory of one shard fits into the processor's cache,
 * that of all does not. Ten million entries in random order take 10 s of CPU instead of 13. Entries of the same job
 * keep their order. Takes 4 MB, and less for a few entries.
 */
export class InsertBuffer {
  readonly #index: JournalIndex;
  /** The entries that a bucket holds. */
  readonly #capacity: number;
  readonly #numbers: Float64Array;
  readonly #counts = new Uint16Array(BUCKETS);

  /** `entries` is about how many are expected. */
  constructor(index: JournalIndex, entries: number) {
    this.#index = index;
    this.#capacity = Math.min(BUCKET_CAPACITY, Math.max(1, Math.ceil(entries)));
    this.#numbers = new Float64Array(BUCKETS * this.#capacity * NUMBERS_PER_ENTRY);
  }

  /** Copies the entry. */
  add(entry: JournalEntry, block: number): void {
    const bucket = entry.first >>> 24;
    const count = this.#counts[bucket] ?? 0;
    const at = (bucket * this.#capacity + count) * NUMBERS_PER_ENTRY;
    this.#numbers[at] = entry.first;
    this.#numbers[at + 1] = entry.second;
    this.#numbers[at + 2] = entry.occurrence;
    this.#numbers[at + 3] = entry.isOk ? block : ~block;
    this.#counts[bucket] = count + 1;
    if (count + 1 === this.#capacity) this.#insert(bucket);
  }

  /** Inserts the entries that are left. */
  flush(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#insert(bucket);
  }

  #insert(bucket: number): void {
    const numbers = this.#numbers;
    const start = bucket * this.#capacity * NUMBERS_PER_ENTRY;
    const end = start + (this.#counts[bucket] ?? 0) * NUMBERS_PER_ENTRY;
    for (let at = start; at < end; at += NUMBERS_PER_ENTRY) {
      const block = numbers[at + 3] ?? 0;
      this.#index.put(numbers[at] ?? 0, numbers[at + 1] ?? 0, numbers[at + 2] ?? 0, {
        block: block < 0 ? ~block : block,
        isOk: block >= 0,
      });
    }
    this.#counts[bucket] = 0;
  }
}
