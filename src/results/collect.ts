import { forEach } from '../core/channel.ts';
import type { Result } from '../model/result.ts';
import type { Summary, SummaryFold } from '../model/summary.ts';
import type { Sink } from './sink.ts';

/**
 * Folds all results and hands each to every sink in the given order, then ends the sinks with the summary.
 * - The next result is not pulled before every sink has accepted the last one.
 * - The counts of `fold` that `add()` does not set must be set before the results end. The caller checks the balance.
 * - If the results or a sink throw, the results are closed, every sink is still ended, and the first error is thrown.
 *
 * @param clock monotonic time in ms
 */
export async function collect(
  results: AsyncIterable<Result>,
  sinks: readonly Sink[],
  fold: SummaryFold,
  clock: () => number,
): Promise<Summary> {
  const startedMs = clock();
  const errors: unknown[] = [];
  try {
    await forEach(results, async (result) => {
      fold.add(result);
      for (const sink of sinks) {
        const accepted = sink.write(result);
        // An await costs a microtask, so there is one only for a promise.
        if (accepted !== undefined) await accepted;
      }
    });
  } catch (error) {
    errors.push(error);
  }
  const summary = fold.summary(clock() - startedMs);
  for (const sink of sinks) {
    try {
      await sink.end(summary);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
  return summary;
}
