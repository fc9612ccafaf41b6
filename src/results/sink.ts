import type { Result } from '../model/result.ts';
import type { Summary } from '../model/summary.ts';

/**
 * Takes the results of a run, one after the other.
 * - `write()` returns a promise only when it must hold the run back: the next result is not pulled before
 *   that promise is fulfilled. It throws an OutputError when the output cannot be written.
 * - `end()` is called once, also when the run broke and after `write()` threw: it flushes and lets go of
 *   files and timers.
 */
export interface Sink {
  write(result: Result): void | Promise<void>;
  end(summary: Summary): void | Promise<void>;
}
