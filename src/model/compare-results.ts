import { bodyLength } from './body-length.ts';
import { outcomeLabel } from './outcome-label.ts';
import type { Result } from './result.ts';

/** How a URL can differ from one run to the next. A URL that is OK in both can be several of the last three. */
export const CHANGES = ['broke', 'mended', 'moved', 'slower', 'changed'] as const;

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
export interface SlowerRule {
  readonly ratio: number;
  readonly floorMs: number;
}

export function snapshotOf(result: Result): Snapshot {
  const { ok, finalUrl, body, durationMs } = result;
  const bytes = bodyLength(result);
  return { ok, label: outcomeLabel(result), finalUrl, bytes, sha256: body?.sha256, durationMs };
}

/** What became of a URL between two results. Without an earlier one, a failure counts as newly broken. */
export function changesBetween(old: Snapshot | undefined, now: Snapshot, slower: SlowerRule): Change[] {
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
