import { UsageError } from '../model/errors.ts';
import type { Settled } from './resolve.ts';
import type { RunOptions, runOptions } from './run-options.ts';

/** Works out the defaults that depend on other values, and checks what spans more than one option. */
export function deriveRunOptions(
  { values, places }: Settled<typeof runOptions>,
  version: string,
): RunOptions {
  const minQueue = 4 * values.concurrency;
  if (values.queue !== undefined && values.queue < minQueue) {
    throw new UsageError(
      `Cannot use ${values.queue} for ${places.get('queue')}: it must be at least 4 times the concurrency, ${minQueue}`,
    );
  }
  return Object.freeze({
    ...values,
    queue: values.queue ?? Math.max(1000, minQueue),
    method: values.method ?? defaultMethod(values.head, values.data),
    userAgent: values.userAgent ?? `fanout/${version}`,
  });
}

// As curl does.
function defaultMethod(head: boolean, data: string | undefined): string {
  if (head) return 'HEAD';
  return data === undefined ? 'GET' : 'POST';
}
