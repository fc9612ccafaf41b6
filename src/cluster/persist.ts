import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 100;
const LONGEST_MS = 2000;

/** What is done between two tries. */
interface Persistence {
  /** Ends the trying: what was thrown last is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Whether another try makes sense after this error; all do if left out. */
  readonly isPassing?: ((error: unknown) => boolean) | undefined;
  /** Puts right what may have been the cause. Its own errors are ignored. */
  readonly mend?: ((error: unknown) => Promise<void>) | undefined;
}

/** Does it again, with growing pauses, until it succeeds. */
export async function persist<T>(act: () => Promise<T>, how: Persistence = {}): Promise<T> {
  const { signal, isPassing, mend } = how;
  for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_MS)) {
    try {
      return await act();
    } catch (error) {
      if (signal?.aborted || isPassing?.(error) === false) throw error;
      await mend?.(error).catch(() => {});
      await pause(pauseMs, signal);
    }
  }
}

/** Waits, or until the signal comes. Keeps the process alive meanwhile. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ...(signal && { signal }) }).catch(() => {});
}

/** Resolves when all have come to an end, whatever it is, or after so many ms. */
export async function settledWithin(ms: number, promises: readonly Promise<unknown>[]): Promise<void> {
  const ended = new AbortController();
  Promise.allSettled(promises).then(() => ended.abort());
  await pause(ms, ended.signal);
}
