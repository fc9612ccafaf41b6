import { setTimeout as delay } from 'node:timers/promises';
import { UsageError } from '../model/errors.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** The run of this process was purged, or another run has its name: nothing that the process does can be of use. */
export class RunGoneError extends UsageError {}

interface RetryOptions {
  /** After an abort the next error is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Whether to retry after this error. If unset, every error but a `RunGoneError` is retried. */
  readonly isTransient?: ((error: unknown) => boolean) | undefined;
  /** Repairs what may have caused the error, before the next try. Its own errors are ignored, but for a `RunGoneError`. */
  readonly repair?: ((error: unknown) => Promise<void>) | undefined;
}

/** Calls `act` until it succeeds, with growing pauses: while the broker is away, every call to it fails. */
export async function retryUntilBack<T>(act: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, isTransient, repair } = options;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await act();
    } catch (error) {
      throwIfGone(error);
      if (signal?.aborted || isTransient?.(error) === false) throw error;
      await repair?.(error).catch(throwIfGone);
      await pause(pauseMs, signal);
    }
  }
}

/** Ignores any error but a `RunGoneError`. */
export function throwIfGone(error: unknown): void {
  if (error instanceof RunGoneError) throw error;
}

/** Resolves after this time, or at the signal. Keeps the process alive until then. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ...(signal && { signal }) }).catch(() => {});
}
