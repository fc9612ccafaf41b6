/** How far ahead of its time a request may start: timers are no finer, and fast rates need small bursts to be kept. */
const TOLERANCE_MS = 10;

/** When requests to any host may start. */
export interface TotalRateLimiter {
  /** When the next request may start. */
  readonly openAt: number;
  /** One was started. */
  taken(now: number): void;
}

/** Spaces requests evenly: the generic cell rate algorithm (ITU-T I.371), as virtual scheduling. */
export class RateLimiter implements TotalRateLimiter {
  readonly #intervalMs: number;
  #nextAt = 0;

  /** `perMs`: requests for each ms; Infinity for no limit. */
  constructor(perMs: number) {
    this.#intervalMs = 1 / perMs;
  }

  /** When the next request may start. */
  get openAt(): number {
    return this.#intervalMs === 0 ? 0 : this.#nextAt - TOLERANCE_MS;
  }

  taken(now: number): void {
    if (this.#intervalMs > 0) this.#nextAt = Math.max(this.#nextAt, now) + this.#intervalMs;
  }
}

const NS_PER_MS = 1_000_000;

/**
 * The pace over all hosts when several threads send requests: the time of the next one stands in memory that they share.
 * Two threads that see the same time may both start then; what follows waits for both, so the rate holds.
 */
export class SharedRateLimiter implements TotalRateLimiter {
  /** Nanoseconds since the epoch. */
  readonly #nextAt: BigInt64Array;
  readonly #intervalNs: bigint;

  /** @param memory what `sharedRateMemory` gave, the same for all threads */
  constructor(memory: SharedArrayBuffer, perMs: number) {
    this.#nextAt = new BigInt64Array(memory);
    this.#intervalNs = BigInt(Math.max(1, Math.round(NS_PER_MS / perMs)));
  }

  get openAt(): number {
    return Number(Atomics.load(this.#nextAt, 0)) / NS_PER_MS - TOLERANCE_MS;
  }

  taken(now: number): void {
    const nowNs = BigInt(Math.round(now * NS_PER_MS));
    for (let next = Atomics.load(this.#nextAt, 0); ; ) {
      const later = (next > nowNs ? next : nowNs) + this.#intervalNs;
      const seen = Atomics.compareExchange(this.#nextAt, 0, next, later);
      if (seen === next) return;
      next = seen;
    }
  }
}

/** The memory that the threads share for one pace. */
export function sharedRateMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}
