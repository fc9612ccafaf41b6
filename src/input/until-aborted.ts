/**
 * The items of an asynchronous iterable until the signal is aborted, even while the next one is awaited.
 * The iterable is closed when no more is asked for; after an abort without waiting, as it may never answer.
 */
export async function* untilAborted<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let wake = (): void => {};
  let open = true;
  const onAbort = (): void => wake();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal?.aborted) {
      open = false;
      // Not `Promise.race`: racing each item against one long-lived promise keeps every item in memory.
      const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      if (next?.done) return;
      open = true;
      if (next !== undefined) yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (open) await closed(iterator, signal);
  }
}

async function closed(iterator: AsyncIterator<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const closing = iterator.return?.();
  if (!signal?.aborted) await closing;
  // What goes wrong after an abort is of no more use to anybody.
  else closing?.catch(() => {});
}
