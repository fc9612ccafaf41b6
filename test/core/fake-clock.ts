import type { Clock } from '../../src/core/clock.ts';

interface Timer {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock whose hands the test turns. It counts the timers set on it. */
export class FakeClock implements Clock {
  /** Timers set so far. */
  started = 0;
  /** By how much time passes each time somebody looks at the clock, in ms. */
  readingTakesMs = 0;
  #now = 0;
  readonly #timers = new Set<Timer>();

  /** Timers set that have neither gone off nor been called off. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer goes off; Infinity without one. */
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

  /** Turns the hands to `at` and sets off what is due on the way, each at its own time. */
  turnTo(at: number): void {
    for (let due = this.#due(at); due !== undefined; due = this.#due(at)) {
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.wake();
    }
    this.#now = Math.max(this.#now, at);
  }

  /** Turns the hands without setting off a timer, as when the process was too busy for it. */
  slipTo(at: number): void {
    this.#now = Math.max(this.#now, at);
  }

  #due(at: number): Timer | undefined {
    return [...this.#timers].filter((timer) => timer.at <= at).sort((a, b) => a.at - b.at)[0];
  }
}
