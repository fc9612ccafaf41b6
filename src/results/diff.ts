import { bodyLength, type FileNote, isNotFetched, outcomeLabel, type Result } from '../model/result.ts';
import { IndexSpan } from '../model/summary.ts';
import { keyOf } from './history.ts';

/** How a URL can differ between two runs. A URL that is OK in both can have several of `moved`, `slower` and `changed`. */
const CHANGES = ['newlyFailing', 'fixed', 'moved', 'slower', 'changed'] as const;

export type Change = (typeof CHANGES)[number];

/** What is kept of a result to compare it with a later one. */
export interface Snapshot {
  readonly ok: boolean;
  /** The `outcomeLabel()`. */
  readonly label: string;
  readonly finalUrl: string | undefined;
  readonly bytes: number;
  readonly sha256: string | undefined;
  /** What became of the saved file, if it was there before. */
  readonly file: FileNote | undefined;
  readonly durationMs: number;
}

/** A URL counts as slower if it took at least `ratio` times as long, and at least `floorMs` longer. */
interface SlowerRule {
  readonly ratio: number;
  readonly floorMs: number;
}

/** A URL that only the earlier run had. */
export interface RemovedUrl {
  readonly method: string;
  readonly url: string;
  readonly id: string | undefined;
  readonly old: Snapshot;
}

/** One change of a URL since the earlier run. `old` is undefined if the earlier run did not have it. */
export interface Difference {
  readonly change: Change;
  readonly old: Snapshot | undefined;
  readonly now: Snapshot;
  readonly result: Result;
}

export interface DiffCounts extends Readonly<Record<Change, number>> {
  /** Results of the earlier run. */
  readonly old: number;
  /** Results of the later run. */
  readonly new: number;
  /** Only in the later run. Those that failed count as newly failing too. */
  readonly added: number;
  /** Only in the earlier run. */
  readonly removed: number;
  /** Failed in both. */
  readonly stillFailing: number;
  /** OK in both, without a change. */
  readonly same: number;
  /** In the earlier run, and not fetched in the later one, which was stopped. */
  readonly notFetched: number;
}

/** A result of the earlier run that has no counterpart yet. */
interface Earlier extends Snapshot {
  readonly index: number;
  readonly isFetched: boolean;
}

/**
 * Compares two runs: first all results of the earlier run are added, then those of the later run are compared one by one, and
 * the rest at the end. Records may be in any order.
 * - Results correspond by method, URL and id. Those that share all three are compared in the order of the list.
 * - Holds about 500 bytes for each result of the earlier run until its counterpart is compared, and about as much for a later
 *   result whose counterpart is known only at the end: its place in the list is another one, or others share its method, URL
 *   and id.
 */
export class RunDiff {
  readonly #slower: SlowerRule;
  /** By key; an array only if several results share it, to save memory. */
  readonly #earlier = new Map<string, Earlier | Earlier[]>();
  /** Results of the later run that wait for its end, by key. */
  readonly #later = new Map<string, Result[]>();
  readonly #counts = {
    ...{ old: 0, new: 0, added: 0, stillFailing: 0, same: 0, notFetched: 0 },
    ...{ newlyFailing: 0, fixed: 0, moved: 0, slower: 0, changed: 0 },
  };
  #unmatched = 0;
  readonly #earlierIndexes = new IndexSpan();
  readonly #laterIndexes = new IndexSpan();

  constructor(slower: SlowerRule) {
    this.#slower = slower;
  }

  get counts(): DiffCounts {
    return { ...this.#counts, removed: this.#unmatched };
  }

  /** How many results of each run are missing at least: `--only-failures` leaves out those of other URLs. */
  get missing(): { readonly earlier: number; readonly later: number } {
    return { earlier: this.#earlierIndexes.missing, later: this.#laterIndexes.missing };
  }

  /** Adds a result of the earlier run. */
  addEarlier(result: Result): void {
    this.#earlierIndexes.add(result.index);
    const key = keyOf(result);
    const held = this.#earlier.get(key);
    // One that was not fetched has a place among those that share its key.
    const entry = toSnapshot(result);
    if (held === undefined) this.#earlier.set(key, entry);
    else if (Array.isArray(held)) held.push(entry);
    else this.#earlier.set(key, [held, entry]);
    if (!entry.isFetched) return;
    this.#counts.old += 1;
    this.#unmatched += 1;
  }

  /** Returns the changes between a result of the later run and its counterpart; none yet if that must be found later. */
  compare(result: Result): Difference[] {
    this.#laterIndexes.add(result.index);
    const key = keyOf(result);
    const held = this.#earlier.get(key);
    if (held === undefined) return this.#differences(undefined, result);
    if (!Array.isArray(held) && held.index === result.index) {
      this.#earlier.delete(key);
      return this.#differences(held, result);
    }
    const later = this.#later.get(key);
    if (later === undefined) this.#later.set(key, [withoutContent(result)]);
    else later.push(withoutContent(result));
    return [];
  }

  /** Returns the changes of the later results whose counterparts were not known until the end of the run. */
  *rest(): Generator<Difference[]> {
    for (const [key, later] of this.#later) {
      const held = this.#earlier.get(key) ?? [];
      const earlier = Array.isArray(held) ? held : [held];
      const [pairs, unpaired] = pairUp(earlier, later);
      if (unpaired.length > 0) this.#earlier.set(key, unpaired);
      else this.#earlier.delete(key);
      for (const [old, result] of pairs) yield this.#differences(old, result);
    }
    this.#later.clear();
  }

  /** The URLs of the earlier run that have no counterpart, once the later run is compared. */
  *removed(): Generator<RemovedUrl> {
    for (const [key, held] of this.#earlier) {
      const place = parseKey(key);
      for (const old of Array.isArray(held) ? held : [held]) if (old.isFetched) yield { ...place, old };
    }
  }

  #differences(counterpart: Earlier | undefined, result: Result): Difference[] {
    const counts = this.#counts;
    const old = counterpart?.isFetched ? counterpart : undefined;
    if (old !== undefined) this.#unmatched -= 1;
    if (isNotFetched(result)) {
      if (old !== undefined) counts.notFetched += 1;
      return [];
    }
    const now = toSnapshot(result);
    const changes = changesBetween(old, now, this.#slower);
    counts.new += 1;
    if (old === undefined) counts.added += 1;
    else if (!old.ok && !now.ok) counts.stillFailing += 1;
    else if (changes.length === 0) counts.same += 1;
    return changes.map((change) => {
      counts[change] += 1;
      return { change, old, now, result };
    });
  }
}

/**
 * Pairs the results of one key by their order in the list. If one run has more of them than the other, those at the same place
 * are paired first. Returns the pairs in the order of the later list, and the earlier results that are left over.
 */
function pairUp(
  earlier: readonly Earlier[],
  later: readonly Result[],
): [pairs: [Earlier | undefined, Result][], unpaired: Earlier[]] {
  const olds = earlier.toSorted(byIndex);
  const sorted = later.toSorted(byIndex);
  const samePlaces = new Map<Result, Earlier>();
  if (olds.length !== sorted.length) {
    const places = new Map(olds.map((old) => [old.index, old]));
    for (const result of sorted) {
      const old = places.get(result.index);
      if (old !== undefined) samePlaces.set(result, old);
      places.delete(result.index);
    }
  }
  const taken = new Set(samePlaces.values());
  const free = olds.filter((old) => !taken.has(old));
  let next = 0;
  const pairs = sorted.map((result): [Earlier | undefined, Result] => [
    samePlaces.get(result) ?? free[next++],
    result,
  ]);
  return [pairs, free.slice(next)];
}

function byIndex(a: { readonly index: number }, b: { readonly index: number }): number {
  return a.index - b.index;
}

function parseKey(key: string): Omit<RemovedUrl, 'old'> {
  const space = key.indexOf(' ');
  const end = key.indexOf('\n');
  const id = end === -1 ? undefined : key.slice(end + 1);
  return { method: key.slice(0, space), url: key.slice(space + 1, end === -1 ? undefined : end), id };
}

/** The result without what may be large and is not compared. */
function withoutContent(result: Result): Result {
  const { body } = result;
  return {
    ...result,
    headers: undefined,
    body: body && { bytes: body.bytes, sha256: body.sha256 },
  };
}

/** Names every key: an object that is made by spreading takes more memory. */
function toSnapshot(result: Result): Earlier {
  const { index, ok, finalUrl, body, durationMs, file } = result;
  const isFetched = !isNotFetched(result);
  const bytes = bodyLength(result);
  const label = outcomeLabel(result);
  return { index, isFetched, ok, label, finalUrl, bytes, sha256: body?.sha256, durationMs, file };
}

/** The changes between two results of a URL. Without an earlier one, a failure counts as newly failing. */
function changesBetween(old: Snapshot | undefined, now: Snapshot, slower: SlowerRule): Change[] {
  if (!now.ok) return old === undefined || old.ok ? ['newlyFailing'] : [];
  if (old === undefined) return [];
  if (!old.ok) return ['fixed'];
  // Nothing was fetched in one of them.
  if (old.file === 'existing' || now.file === 'existing') return [];
  const changes: Change[] = [];
  if (old.finalUrl !== now.finalUrl) changes.push('moved');
  if (isSlower(old, now, slower)) changes.push('slower');
  if (isChanged(old, now)) changes.push('changed');
  return changes;
}

function isSlower(old: Snapshot, now: Snapshot, { ratio, floorMs }: SlowerRule): boolean {
  return now.durationMs >= old.durationMs * ratio && now.durationMs - old.durationMs >= floorMs;
}

/** Compares the hashes if both results have one, otherwise the lengths. A different label is a change too. */
function isChanged(old: Snapshot, now: Snapshot): boolean {
  const isLabelled = old.file !== 'unchanged' && now.file !== 'unchanged'; // otherwise one of them is a 304
  if (isLabelled && old.label !== now.label) return true;
  if (old.sha256 !== undefined && now.sha256 !== undefined) return old.sha256 !== now.sha256;
  return old.bytes !== now.bytes;
}
