import type { Clock } from './queue/clock.ts';

const MAX_DELAY_MS = 2 ** 31 - 1; // what a timer of Node can wait; whoever is woken early looks at the clock again

/** The machine's clock: ms since the epoch that never go back, in steps below a microsecond. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};
