import { type Bitmap, packBitmap, unpackBitmap } from './bitmap.ts';
import type { Layout } from './checkpoint.ts';

/** What the collector says of the run when it is asked. */
export interface CollectorAnswer {
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
