import type { Entry } from './journal-format.ts';

const SHARDS = 256;
const FIRST_SLOTS = 16;
const WORDS = 3;
const MAX_LOAD = 0.8;
const GROWTH = 1.5;

const READ = 0x8000_0000;
const OK = 0x4000_0000;
const PLACE = 0x3fff_ffff;

/** Places are numbers below this. */
export const MAX_PLACE = PLACE;

/** What is known of a job that has just been read. */
interface Known {
  /** How many jobs with the same key were read before it. */
  readonly n: number;
  /** Where its newest record is, or `undefined` when it has none. */
  readonly place: number | undefined;
  /** Whether that record is of a success. */
  readonly isOk: boolean;
}

/**
 * What the journal knows of each job, without the records: 15 to 23 bytes for each pair of a key and an occurrence.
 * Of a key its 64 bits are kept, so among m pairs two are taken for one with a chance of m² / 2⁶⁵ at most: 3e-6 for
 * ten million. Whoever looks up the record must see whether it is the one he means.
 */
export class JournalIndex {
  // Many small tables, since growing one of ten million entries at once would hold up the run for a second.
  readonly #shards = Array.from({ length: SHARDS }, () => new Table());

  /** Makes room for so many pairs at once, so that loading them moves none. */
  reserve(pairs: number): void {
    const slots = Math.ceil(pairs / SHARDS / MAX_LOAD) + FIRST_SLOTS;
    for (const shard of this.#shards) shard.growTo(slots);
  }

  /** Remembers the newest record of an occurrence; the words are its key. */
  put(
    first: number,
    second: number,
    n: number,
    record: { readonly place: number; readonly isOk: boolean },
  ): void {
    this.#update(first, second, n, (record.isOk ? OK : 0) | (record.place + 1));
  }

  /** Counts a job as read, and tells what is known of it. */
  read(first: number, second: number): Known {
    let n = 0;
    let state = this.#update(first, second, n, READ);
    if ((state & READ) !== 0) {
      n = this.#firstUnread(first, second);
      state = this.#update(first, second, n, READ);
    }
    const place = state & PLACE;
    return { n, place: place === 0 ? undefined : place - 1, isOk: (state & OK) !== 0 };
  }

  // All occurrences before the one that is looked for were read, so it is searched for in steps that double.
  #firstUnread(first: number, second: number): number {
    let read = 0;
    let unread = 1;
    while (this.#isRead(first, second, unread)) {
      read = unread;
      unread *= 2;
    }
    while (unread - read > 1) {
      const middle = (read + unread) >>> 1;
      if (this.#isRead(first, second, middle)) read = middle;
      else unread = middle;
    }
    return unread;
  }

  #isRead(first: number, second: number, n: number): boolean {
    return (this.#update(first, second, n, 0) & READ) !== 0;
  }

  // Returns the state before. What is added is the mark of a reading, a record, or nothing.
  #update(first: number, second: number, n: number, added: number): number {
    const spread = spreadOf(first, n, 0x85eb_ca6b);
    return this.#shards[spread >>> 24]?.update(spread || 1, spreadOf(second, n, 0x9e37_79b1), added) ?? 0;
  }
}

// Each occurrence has words of its own, spread over all shards.
function spreadOf(word: number, n: number, odd: number): number {
  return (n === 0 ? word : word ^ Math.imul(n, odd)) >>> 0;
}

// Open addressing with linear probing. A first word of 0 marks an empty slot, so no entry has one. The third is the state.
class Table {
  #slots = FIRST_SLOTS;
  #words = new Uint32Array(FIRST_SLOTS * WORDS);
  #size = 0;

  // Returns the state before.
  update(first: number, second: number, added: number): number {
    let at = this.#find(first, second);
    if (this.#words[at] === 0) {
      if (added === 0) return 0;
      if (this.#size >= this.#slots * MAX_LOAD) {
        this.growTo(Math.ceil(this.#slots * GROWTH));
        at = this.#find(first, second);
      }
      this.#words[at] = first;
      this.#words[at + 1] = second;
      this.#size++;
    }
    const before = this.#words[at + 2] ?? 0;
    this.#words[at + 2] = (added & PLACE) === 0 ? before | added : added;
    return before;
  }

  growTo(slots: number): void {
    if (slots <= this.#slots) return;
    const old = this.#words;
    this.#slots = slots;
    this.#words = new Uint32Array(slots * WORDS);
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from] === 0) continue;
      const to = this.#find(old[from] ?? 0, old[from + 1] ?? 0);
      for (let word = 0; word < WORDS; word++) this.#words[to + word] = old[from + word] ?? 0;
    }
  }

  // The place of the entry, or of the empty slot where it belongs.
  #find(first: number, second: number): number {
    const words = this.#words;
    const length = words.length;
    let at = Math.floor((second * this.#slots) / 0x1_0000_0000) * WORDS;
    while (words[at] !== 0 && (words[at] !== first || words[at + 1] !== second)) {
      at += WORDS;
      if (at === length) at = 0;
    }
    return at;
  }
}

const BUCKETS = 256;
const CAPACITY = 512;
const NUMBERS = 4;

/**
 * Holds entries back, to put those of one shard into the index together: at ten million they come in no order, and the
 * memory of one shard is in the processor's cache where that of all is not (10 s of CPU in place of 13). Entries of the
 * same job keep their order. Takes 4 MB.
 */
export class StagedEntries {
  readonly #index: JournalIndex;
  readonly #numbers = new Float64Array(BUCKETS * CAPACITY * NUMBERS);
  readonly #counts = new Uint16Array(BUCKETS);

  constructor(index: JournalIndex) {
    this.#index = index;
  }

  add(entry: Entry, place: number): void {
    const bucket = entry.first >>> 24;
    const count = this.#counts[bucket] ?? 0;
    const at = (bucket * CAPACITY + count) * NUMBERS;
    this.#numbers[at] = entry.first;
    this.#numbers[at + 1] = entry.second;
    this.#numbers[at + 2] = entry.n;
    this.#numbers[at + 3] = entry.isOk ? place : ~place;
    this.#counts[bucket] = count + 1;
    if (count + 1 === CAPACITY) this.#put(bucket);
  }

  /** Puts what is left. */
  flush(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#put(bucket);
  }

  #put(bucket: number): void {
    const numbers = this.#numbers;
    const start = bucket * CAPACITY * NUMBERS;
    const end = start + (this.#counts[bucket] ?? 0) * NUMBERS;
    for (let at = start; at < end; at += NUMBERS) {
      const place = numbers[at + 3] ?? 0;
      this.#index.put(numbers[at] ?? 0, numbers[at + 1] ?? 0, numbers[at + 2] ?? 0, {
        place: place < 0 ? ~place : place,
        isOk: place >= 0,
      });
    }
    this.#counts[bucket] = 0;
  }
}
