import type { Result } from '../model/result.ts';
import type { Summary } from '../model/summary.ts';

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
