import { pause } from './persist.ts';

/** Resolves when all have come to an end, whatever it is, or after so many ms. */
export async function settledWithin(ms: number, promises: readonly Promise<unknown>[]): Promise<void> {
  const ended = new AbortController();
  Promise.allSettled(promises).then(() => ended.abort());
  await pause(ms, ended.signal);
}
