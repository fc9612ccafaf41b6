import { setTimeout as delay } from 'node:timers/promises';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

interface RetryOptions {
  /** After an abort the next error is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Whether to retry after this error. If unset, every error is retried. */
  readonly isTransient?: ((error: unknown) => boolean) | undefined;
  /** Repairs what may have caused the error, before the next try. Its own errors are ignored. */
  readonly repair?: ((error: unknown) => Promise<void>) | undefined;
}

/** Calls `act` until it succeeds, with growing pauses: while the broker is away, every call to it fails. */
export async function retryUntilBack<T>(act: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, isTransient, repair } = options;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await act();
    } catch (error) {
      if (signal?.aborted || isTransient?.(error) === false) throw error;
      await repair?.(error).catch(() => {});
      await pause(pauseMs, signal);
    }
  }
}

/** Resolves after this time, or at the signal. Keeps the process alive until then. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ...(signal && { signal }) }).catch(() => {});
}
