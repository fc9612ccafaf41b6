import type { QueueEngine } from './queue-engine.ts';
import { FED_KEY, type RunEnd } from './run-end.ts';

/** How far the sender has come in its list. */
export interface FedList {
  /** Chunks that were made of it. */
  readonly chunks: number;
  readonly read: number;
  readonly skipped: number;
  /** The run was stopped, and the sender counts what it has not read: grows, as a sign of life. */
  readonly counting?: number;
  /** The sender has ended before the end of the list. */
  readonly isLast?: boolean;
  /** All that stands in the list, if that could be counted. */
  readonly total?: number;
}

/** What the sender has told last; `undefined` when it has not told anything. */
export async function fedList(engine: QueueEngine): Promise<FedList | undefined> {
  const value = await engine.state(FED_KEY);
  const fields: Record<string, unknown> = { ...Object(value) };
  const { chunks, read, skipped, counting, isLast, total } = fields;
  if (!isCount(chunks) || !isCount(read) || !isCount(skipped)) return undefined;
  return {
    chunks,
    read,
    skipped,
    ...(isCount(counting) ? { counting } : {}),
    ...(isLast === true ? { isLast } : {}),
    ...(isCount(total) ? { total } : {}),
  };
}

/** What is known of a list: its end, once that was sent, or else how far the sender is. */
export interface ListKnown {
  readonly end: RunEnd | undefined;
  readonly fed: FedList | undefined;
}

export interface ListCounts {
  readonly read: number;
  readonly skipped: number;
  readonly notFetched: number;
}

/**
 * What is known of a list that has so many results. Before its end was sent that is what the sender told, which may lag behind
 * the results.
 */
export function listCounts({ end, fed }: ListKnown, finished: number): ListCounts {
  const { read, skipped } = end ?? {
    skipped: fed?.skipped ?? 0,
    read: Math.max(fed?.total ?? 0, fed?.read ?? 0, finished + (fed?.skipped ?? 0)),
  };
  return { read, skipped, notFetched: read - skipped - finished };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
