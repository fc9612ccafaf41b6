import { OutputError, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { type Bitmap, type Layout, packBitmap, unpackBitmap } from './checkpoint.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { COLLECTOR_KEY, PROGRESS_KEY, progressFrom } from './run-state.ts';

/** A collector that claims a run: a run has one store of results, and one collector at a time. */
interface Claimant {
  readonly engine: JetStreamEngine;
  readonly store: { readonly id: string };
  /** Where its results are, for messages of other collectors. */
  readonly place: string;
}

/**
 * Records this store as that of the run. Throws a `UsageError` when another collector is running, or when another store has
 * results that are no longer in the log.
 */
export async function claimRun({ engine, store, place }: Claimant): Promise<void> {
  const response = await engine.askCollector({ tries: 3 });
  const claim = await readClaim(engine);
  const where = claim === undefined ? '' : ` at ${printable(claim.place, 300)}`;
  if (response !== undefined) {
    throw new UsageError(`another collector is running for this run${where}: a run has only one`);
  }
  const progress = progressFrom(await engine.state(PROGRESS_KEY));
  if (claim !== undefined && claim.id !== store.id && (progress?.chunks ?? 0) > 0) {
    throw new UsageError(`the first results of this run are${where}: continue there, with the same --store`);
  }
  await engine.setState(COLLECTOR_KEY, { id: store.id, place });
}

/** Throws an `OutputError` when another store has claimed the run. Claims it again when the broker has lost the claim. */
export async function checkClaim({ engine, store, place }: Claimant): Promise<void> {
  const claim = await readClaim(engine);
  if (claim === undefined) return engine.setState(COLLECTOR_KEY, { id: store.id, place });
  if (claim.id === store.id) return;
  throw new OutputError(`another collector has taken over this run, at ${printable(claim.place, 300)}`);
}

async function readClaim(
  engine: JetStreamEngine,
): Promise<{ readonly id: string; readonly place: string } | undefined> {
  const { id, place }: Record<string, unknown> = { ...Object(await engine.state(COLLECTOR_KEY)) };
  return typeof id === 'string' && typeof place === 'string' ? { id, place } : undefined;
}

/** What a collector reports to `fanout cluster feed --reconcile`. */
interface CollectorState {
  readonly layout: Layout;
  /** The finished chunks. */
  readonly done: Bitmap;
}

export function encodeCollectorState({ chunk, partitions }: Layout, done: Bitmap): Uint8Array {
  return Buffer.from(JSON.stringify({ chunk, partitions, done: packBitmap(done).toString('base64') }));
}

/** The state in a collector's response, or `undefined` when it is damaged. */
export function decodeCollectorState(bytes: Uint8Array): CollectorState | undefined {
  try {
    const { chunk, partitions, done }: Record<string, unknown> = JSON.parse(Buffer.from(bytes).toString());
    if (typeof chunk !== 'number' || typeof partitions !== 'number' || typeof done !== 'string')
      return undefined;
    return { layout: { chunk, partitions }, done: unpackBitmap(Buffer.from(done, 'base64')) };
  } catch {
    return undefined;
  }
}
