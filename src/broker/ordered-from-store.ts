import type { Sink } from '../collect/sink.ts';
import type { Result } from '../model/result.ts';
import type { InputOrder } from './input-order.ts';

export interface OrderedParts {
  readonly order: InputOrder;
  /** What earlier runs say of a result: it was judged when it came, and is now read again. */
  readonly recall: (result: Result) => Result;
  /** Lets go of results that nobody takes. */
  readonly signal: AbortSignal;
}

/**
 * `--ordered` for one sink: it gets the results in input order from the store, at its own pace, while the sinks beside it get them as
 * they come. Neither waits for the other: what is not written yet is on the disk.
 */
export function orderedFromStore(sink: Sink, { order, recall, signal }: OrderedParts): Sink {
  let failed: { readonly error: unknown } | undefined;
  const writing = writeAll().catch((error: unknown) => {
    failed = { error };
  });
  return {
    write() {
      if (failed !== undefined) throw failed.error;
    },
    async end(summary) {
      order.end();
      await writing;
      try {
        if (failed !== undefined) throw failed.error;
      } finally {
        await sink.end(summary);
      }
    },
  };

  async function writeAll(): Promise<void> {
    for await (const result of order.results(signal)) {
      const accepted = sink.write(recall(result));
      if (accepted !== undefined) await accepted;
    }
  }
}
