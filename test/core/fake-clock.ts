import type { Clock } from '../../src/core/clock.ts';

interface Timer {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that the test controls. It counts the timers set on it. */
export class FakeClock implements Clock {
  /** Timers set so far. */
  started = 0;
  /** Time in ms that passes with each reading of the clock. */
  readingTakesMs = 0;
  #now = 0;
  readonly #timers = new Set<Timer>();

  /** Timers set that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer fires; Infinity without one. */
  get nextAt(): number {
    return Math.min(...[...this.#timers].map((timer) => timer.at), Number.POSITIVE_INFINITY);
  }

  now(): number {
    this.#now += this.readingTakesMs;
    return this.#now;
  }

  after(delayMs: number, wake: () => void): () => void {
    const timer = { at: this.#now + delayMs, wake };
    this.started += 1;
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Advances to `at` and fires the timers due on the way, each at its own time. */
  turnTo(at: number): void {
    for (let due = this.#due(at); due !== undefined; due = this.#due(at)) {
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.wake();
    }
    this.#now = Math.max(this.#now, at);
  }

  /** Advances without firing a timer, as when the process is too busy. */
  slipTo(at: number): void {
    this.#now = Math.max(this.#now, at);
  }

  #due(at: number): Timer | undefined {
    return [...this.#timers].filter((timer) => timer.at <= at).sort((a, b) => a.at - b.at)[0];
  }
}
