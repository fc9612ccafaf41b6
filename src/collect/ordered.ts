import type { Result } from '../model/result.ts';
import type { OrderWindow } from './order-window.ts';
import type { Sink } from './sink.ts';

/**
 * `--ordered` for one sink: it gets the results in input order, while the sinks beside it (the journal) get
 * them as they finish. The window moves on only as the sink accepts, so a slow sink holds the producer back.
 */
export function ordered(sink: Sink, window: OrderWindow<Result>): Sink {
  function forward(): void | Promise<void> {
    for (let result = window.take(); result; result = window.take()) {
      const accepted = sink.write(result);
      if (accepted !== undefined) return accepted.then(forward);
    }
  }
  return {
    write(result) {
      window.put(result);
      return forward();
    },
    async end(summary) {
      window.close();
      try {
        for (const result of window.rest()) await sink.write(result);
      } finally {
        await sink.end(summary);
      }
    },
  };
}

/** The same for a stream of results: yields them in input order, those behind a gap last. */
export async function* inOrder(
  results: AsyncIterable<Result>,
  window: OrderWindow<Result>,
): AsyncGenerator<Result, void, undefined> {
  try {
    for await (const arrived of results) {
      window.put(arrived);
      for (let result = window.take(); result; result = window.take()) yield result;
    }
    yield* window.rest();
  } finally {
    window.close();
  }
}
