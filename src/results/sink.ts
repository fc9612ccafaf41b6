import type { Result } from '../model/result.ts';
import type { Summary, SummaryFold } from '../model/summary.ts';

/**
 * Takes the results of a run, one after the other.
 * - `write()` returns a promise only if it must hold the run back: the next result is not pulled before the promise is
 *   fulfilled. It throws or rejects with an OutputError if the output cannot be written.
 * - `end()` is called once, also if the run failed or `write()` threw. It flushes, and releases files and timers.
 */
export interface Sink {
  write(result: Result): void | Promise<void>;
  end(summary: Summary): void | Promise<void>;
}

/** Calls `use` with each result. If it returns a promise, the next result waits for that. Stops if `use` fails. */
export type ForEachResult = (use: (result: Result) => Promise<void> | undefined) => Promise<void>;

/**
 * Folds all results and hands each to every sink in the given order, then ends the sinks with the summary.
 * - The next result is not taken before every sink has accepted the last one.
 * - The counts of `fold` that `add()` does not set must be set before the results end. The caller checks the balance.
 * - If the results or a sink throw, every sink is still ended, and the first error is thrown.
 *
 * @param clock monotonic time in ms
 */
export async function collect(
  forEachResult: ForEachResult,
  sinks: readonly Sink[],
  fold: SummaryFold,
  clock: () => number,
): Promise<Summary> {
  const startedMs = clock();
  const errors: unknown[] = [];
  try {
    await forEachResult((result) => {
      fold.add(result);
      return writeToAll(sinks, result);
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

/** Returns a promise only if a sink does. */
function writeToAll(sinks: readonly Sink[], result: Result, from = 0): Promise<void> | undefined {
  for (let index = from; index < sinks.length; index += 1) {
    const accepted = sinks[index]?.write(result);
    if (accepted !== undefined) return accepted.then(() => writeToAll(sinks, result, index + 1));
  }
  return undefined;
}
