import { bodyLength, isNotFetched, outcomeLabel, type Result } from '../model/result.ts';
import { IndexSpan } from '../model/summary.ts';

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

/**
 * Compares two runs: first all results of the earlier run are added, then those of the later run are compared one by one.
 * - Results correspond by method and URL. If a URL occurs several times, the first is compared with the first, and so on.
 * - Holds a snapshot of about 500 bytes for each result of the earlier run until its counterpart is compared.
 */
export class RunDiff {
  readonly #slower: SlowerRule;
  /** Snapshots that have no counterpart yet; an array only if a URL occurs several times, to save memory. */
  readonly #waiting = new Map<string, Snapshot | Snapshot[]>();
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
    if (isNotFetched(result)) return;
    const key = keyOf(result);
    const held = this.#waiting.get(key);
    const snapshot = toSnapshot(result);
    if (held === undefined) this.#waiting.set(key, snapshot);
    else if (Array.isArray(held)) held.push(snapshot);
    else this.#waiting.set(key, [held, snapshot]);
    this.#counts.old += 1;
    this.#unmatched += 1;
  }

  /** Returns the changes of a result of the later run. */
  compare(result: Result): Difference[] {
    const counts = this.#counts;
    this.#laterIndexes.add(result.index);
    if (isNotFetched(result)) {
      if (this.#takeCounterpart(keyOf(result)) !== undefined) counts.notFetched += 1;
      return [];
    }
    const old = this.#takeCounterpart(keyOf(result));
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

  /** The URLs of the earlier run that have no counterpart, once the later run is compared. */
  *removed(): Generator<RemovedUrl> {
    for (const [key, held] of this.#waiting) {
      const space = key.indexOf(' ');
      const place = { method: key.slice(0, space), url: key.slice(space + 1) };
      for (const old of Array.isArray(held) ? held : [held]) yield { ...place, old };
    }
  }

  #takeCounterpart(key: string): Snapshot | undefined {
    const found = this.#waiting.get(key);
    if (found === undefined) return undefined;
    const first = Array.isArray(found) ? found.shift() : found;
    if (!Array.isArray(found) || found.length === 0) this.#waiting.delete(key);
    this.#unmatched -= 1;
    return first;
  }
}

function keyOf({ method, url }: Result): string {
  return `${method} ${url}`;
}

function toSnapshot(result: Result): Snapshot {
  const { ok, finalUrl, body, durationMs } = result;
  const bytes = bodyLength(result);
  return { ok, label: outcomeLabel(result), finalUrl, bytes, sha256: body?.sha256, durationMs };
}

/** The changes between two results of a URL. Without an earlier one, a failure counts as newly failing. */
function changesBetween(old: Snapshot | undefined, now: Snapshot, slower: SlowerRule): Change[] {
  if (!now.ok) return old === undefined || old.ok ? ['newlyFailing'] : [];
  if (old === undefined) return [];
  if (!old.ok) return ['fixed'];
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
  if (old.label !== now.label) return true;
  if (old.sha256 !== undefined && now.sha256 !== undefined) return old.sha256 !== now.sha256;
  return old.bytes !== now.bytes;
}
