import type { Result } from '../../src/model/result.ts';
import type { Summary } from '../../src/model/summary.ts';
import type { Sink } from '../../src/results/sink.ts';

/** A sink that records what it gets, and accepts a result when the promise of `accept` is fulfilled. */
export class RecordingSink implements Sink {
  readonly indexes: number[] = [];
  readonly summaries: Summary[] = [];
  readonly #accept: (result: Result) => void | Promise<void>;

  constructor(accept: (result: Result) => void | Promise<void> = () => {}) {
    this.#accept = accept;
  }

  write(result: Result): void | Promise<void> {
    this.indexes.push(result.index);
    return this.#accept(result);
  }

  end(summary: Summary): void {
    this.summaries.push(summary);
  }
}
