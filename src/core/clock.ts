import { availableParallelism, cpus } from 'node:os';

/** Time as an argument, so that a test can control it. */
export interface Clock {
  /** Monotonic time in ms. */
  now(): number;
  /** Calls `wake` once after `delayMs`; the returned function cancels that. */
  after(delayMs: number, wake: () => void): () => void;
}

/** The longest delay of a Node timer. A longer one ends early: callers of `after` read the clock again. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const STARTED_AT = performance.timeOrigin; // a getter that takes longer than all else in `now`

/** The clock of this machine: ms since the epoch, monotonic, with a resolution below a microsecond. */
export const systemClock: Clock = {
  now: () => STARTED_AT + performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};

/** At most one timer, however often its time changes. */
export class SingleTimer {
  readonly #clock: Clock;
  readonly #onTime: () => void;
  #at = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, onTime: () => void) {
    this.#clock = clock;
    this.#onTime = onTime;
  }

  /** Calls back once at `at`, replacing the time that was set before; Infinity means never. */
  set(at: number, now: number): void {
    if (this.#at === at) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#clock.after(at - now, () => {
      this.#cancel = undefined;
      this.#at = Number.POSITIVE_INFINITY;
      this.#onTime();
    });
  }
}

/** How busy this thread and the machine are. */
export interface LoadMeter {
  /** Cores that this process may use. */
  readonly cores: number;
  /** The share of the time since the last call, 0 to 1, in which the loop of this thread was busy. */
  busyShare(): number;
  /** Cores that had nothing to do since the last call. */
  idleCores(): number;
}

/** The load as the system tells it. */
export function systemLoad(): LoadMeter {
  let loop = performance.eventLoopUtilization();
  let times = coreTimes();
  return {
    cores: availableParallelism(),
    busyShare() {
      const before = loop;
      loop = performance.eventLoopUtilization();
      return performance.eventLoopUtilization(loop, before).utilization;
    },
    idleCores() {
      const before = times;
      times = coreTimes();
      const all = times.all - before.all;
      return all === 0 ? 0 : ((times.idle - before.idle) / all) * times.cores;
    },
  };
}

/** The time of all cores together. */
function coreTimes(): { readonly cores: number; readonly idle: number; readonly all: number } {
  const cores = cpus();
  let [idle, all] = [0, 0];
  for (const { times } of cores) {
    idle += times.idle;
    all += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { cores: cores.length, idle, all };
}
