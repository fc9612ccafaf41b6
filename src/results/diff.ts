import { bodyLength, outcomeLabel, type Result } from '../model/result.ts';

/** How a URL can differ from one run to the next. A URL that is OK in both can be several of the last three. */
const CHANGES = ['broke', 'mended', 'moved', 'slower', 'changed'] as const;

export type Change = (typeof CHANGES)[number];

/** What is remembered of a result to compare it with a later one. */
export interface Snapshot {
  readonly ok: boolean;
  /** As in the second column of the results. */
  readonly label: string;
  readonly finalUrl: string | undefined;
  readonly bytes: number;
  readonly sha256: string | undefined;
  readonly durationMs: number;
}

/** When a URL counts as slower: when it took `ratio` times as long, and `floorMs` longer. */
interface SlowerRule {
  readonly ratio: number;
  readonly floorMs: number;
}

function snapshotOf(result: Result): Snapshot {
  const { ok, finalUrl, body, durationMs } = result;
  const bytes = bodyLength(result);
  return { ok, label: outcomeLabel(result), finalUrl, bytes, sha256: body?.sha256, durationMs };
}

/** What became of a URL between two results. Without an earlier one, a failure counts as newly broken. */
function changesBetween(old: Snapshot | undefined, now: Snapshot, slower: SlowerRule): Change[] {
  if (!now.ok) return old === undefined || old.ok ? ['broke'] : [];
  if (old === undefined) return [];
  if (!old.ok) return ['mended'];
  const changes: Change[] = [];
  if (old.finalUrl !== now.finalUrl) changes.push('moved');
  if (isSlower(old, now, slower)) changes.push('slower');
  if (isChanged(old, now)) changes.push('changed');
  return changes;
}

function isSlower(old: Snapshot, now: Snapshot, { ratio, floorMs }: SlowerRule): boolean {
  return now.durationMs >= old.durationMs * ratio && now.durationMs - old.durationMs >= floorMs;
}

/** The hash tells where both have one, otherwise the length; another status is a change, too. */
function isChanged(old: Snapshot, now: Snapshot): boolean {
  if (old.label !== now.label) return true;
  if (old.sha256 !== undefined && now.sha256 !== undefined) return old.sha256 !== now.sha256;
  return old.bytes !== now.bytes;
}

/** One way in which a URL differs from the earlier run. Without `old`, the earlier run did not have it. */
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
  /** In the later run alone; those that failed count as broken, too. */
  readonly added: number;
  /** In the earlier run alone. */
  readonly removed: number;
  /** Failed in both. */
  readonly stillFailing: number;
  /** OK in both, and nothing has changed. */
  readonly same: number;
}

/**
 * Compares two runs, first all of the earlier one, then the later one result by result.
 * - A URL is known by its method and itself; where one occurs several times, the first is compared with the first, and so on.
 * - Holds one snapshot for each result of the earlier run, about 500 bytes, until its counterpart has come.
 */
export class RunDiff {
  readonly #slower: SlowerRule;
  /** The snapshots that wait for their counterpart, mostly one. */
  readonly #waiting = new Map<string, Snapshot | Snapshot[]>();
  readonly #counts = {
    ...{ old: 0, new: 0, added: 0, stillFailing: 0, same: 0 },
    ...{ broke: 0, mended: 0, moved: 0, slower: 0, changed: 0 },
  };
  #left = 0;

  constructor(slower: SlowerRule) {
    this.#slower = slower;
  }

  get counts(): DiffCounts {
    return { ...this.#counts, removed: this.#left };
  }

  /** Takes a result of the earlier run. */
  remember(result: Result): void {
    const key = keyOf(result);
    const before = this.#waiting.get(key);
    const snapshot = snapshotOf(result);
    if (before === undefined) this.#waiting.set(key, snapshot);
    else if (Array.isArray(before)) before.push(snapshot);
    else this.#waiting.set(key, [before, snapshot]);
    this.#counts.old += 1;
    this.#left += 1;
  }

  /** How a result of the later run differs. */
  compare(result: Result): Difference[] {
    const counts = this.#counts;
    const old = this.#counterpart(keyOf(result));
    const now = snapshotOf(result);
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

  #counterpart(key: string): Snapshot | undefined {
    const found = this.#waiting.get(key);
    if (found === undefined) return undefined;
    const first = Array.isArray(found) ? found.shift() : found;
    if (!Array.isArray(found) || found.length === 0) this.#waiting.delete(key);
    this.#left -= 1;
    return first;
  }
}

function keyOf({ method, url }: Result): string {
  return `${method} ${url}`;
}
