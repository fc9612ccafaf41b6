import type { Result } from '../../model/result.ts';
import { type Row, rowOf } from './samples.ts';

/** The rows of the results that took longest, the slowest first; of equal ones the first that came. */
export class Slowest {
  readonly #limit: number;
  readonly #rows: Row[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(result: Result): void {
    const fastest = this.#rows.at(-1);
    const isFull = this.#rows.length >= this.#limit;
    if (isFull && fastest !== undefined && result.durationMs <= fastest.durationMs) return;
    const place = this.#rows.findIndex(({ durationMs }) => durationMs < result.durationMs);
    this.#rows.splice(place === -1 ? this.#rows.length : place, 0, rowOf(result));
    if (isFull) this.#rows.pop();
  }

  list(): readonly Row[] {
    return this.#rows;
  }
}
