import { OutputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { type Bitmap, type Layout, packBitmap, unpackBitmap } from './checkpoint.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { COLLECTOR_KEY, PROGRESS_KEY, progressFrom } from './run-stop.ts';

/** What the collector says of the run when it is asked. */
interface CollectorAnswer {
  readonly layout: Layout;
  /** The finished chunks. */
  readonly done: Bitmap;
}

export function answerOf({ chunk, partitions }: Layout, done: Bitmap): Uint8Array {
  return Buffer.from(JSON.stringify({ chunk, partitions, done: packBitmap(done).toString('base64') }));
}

/** The answer of a collector, or `undefined` when it is damaged. */
export function answerFrom(bytes: Uint8Array): CollectorAnswer | undefined {
  try {
    const { chunk, partitions, done }: Record<string, unknown> = JSON.parse(Buffer.from(bytes).toString());
    if (typeof chunk !== 'number' || typeof partitions !== 'number' || typeof done !== 'string')
      return undefined;
    return { layout: { chunk, partitions }, done: unpackBitmap(Buffer.from(done, 'base64')) };
  } catch {
    return undefined;
  }
}

/** Who collects a run: the id of the store, and where it is, in words. */
interface Claim {
  readonly engine: JetStreamEngine;
  readonly store: { readonly id: string };
  readonly place: string;
}

/**
 * Makes this store the one of the run. Throws a `UsageError` when another collector is at it, or when another store has
 * results that are in the log no more.
 */
export async function claimRun({ engine, store, place }: Claim): Promise<void> {
  const answer = await engine.ask({ tries: 3 });
  const holder = await holderOf(engine);
  const where = holder === undefined ? '' : ` at ${printable(holder.place, 300)}`;
  if (answer !== undefined) {
    throw new UsageError(`Cannot collect this run: another collector does${where}; a run has one`);
  }
  const progress = progressFrom(await engine.state(PROGRESS_KEY));
  if (holder !== undefined && holder.id !== store.id && (progress?.chunks ?? 0) > 0) {
    throw new UsageError(
      `Cannot collect this run here: its first results are${where}; go on there, with the same --store`,
    );
  }
  await engine.setState(COLLECTOR_KEY, { id: store.id, place });
}

/** Throws an `OutputError` when another store has become the one of the run. Claims a run that the broker has forgotten. */
export async function checkClaim({ engine, store, place }: Claim): Promise<void> {
  const holder = await holderOf(engine);
  if (holder === undefined) return engine.setState(COLLECTOR_KEY, { id: store.id, place });
  if (holder.id === store.id) return;
  throw new OutputError(
    `Cannot go on collecting: another collector has taken this run over, at ${printable(holder.place, 300)}`,
  );
}

async function holderOf(
  engine: JetStreamEngine,
): Promise<{ readonly id: string; readonly place: string } | undefined> {
  const value = await engine.state(COLLECTOR_KEY);
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, place }: Record<string, unknown> = { ...value };
  return typeof id === 'string' && typeof place === 'string' ? { id, place } : undefined;
}
