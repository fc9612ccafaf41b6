/** How early a request may start. Timers are not more precise, and high rates need small bursts to be reached. */
const TOLERANCE_MS = 10;

/** A rate limit over all hosts, of one thread or shared by several. */
export interface TotalRateLimiter {
  /** When the next request may start. */
  readonly nextAllowedAt: number;
  /** A request starts. */
  onDispatch(now: number): void;
}

/** Spaces requests evenly: the generic cell rate algorithm (ITU-T I.371) in its virtual scheduling form. */
export class RateLimiter implements TotalRateLimiter {
  readonly #intervalMs: number;
  #nextAt = 0;

  /** @param perMs requests per ms; Infinity for no limit */
  constructor(perMs: number) {
    this.#intervalMs = 1 / perMs;
  }

  get nextAllowedAt(): number {
    return this.#intervalMs === 0 ? 0 : this.#nextAt - TOLERANCE_MS;
  }

  onDispatch(now: number): void {
    if (this.#intervalMs > 0) this.#nextAt = Math.max(this.#nextAt, now) + this.#intervalMs;
  }
}

const NS_PER_MS = 1_000_000;

/**
 * A rate limiter that several threads share: the time of the next request is in shared memory.
 * Two threads that read the same time may both start a request; the next one waits for both, so the rate is kept.
 */
export class SharedRateLimiter implements TotalRateLimiter {
  /** Nanoseconds since the epoch. */
  readonly #nextAt: BigInt64Array;
  readonly #intervalNs: bigint;

  /** @param memory from `createSharedRateMemory()`, the same for all threads */
  constructor(memory: SharedArrayBuffer, perMs: number) {
    this.#nextAt = new BigInt64Array(memory);
    this.#intervalNs = BigInt(Math.max(1, Math.round(NS_PER_MS / perMs)));
  }

  get nextAllowedAt(): number {
    return Number(Atomics.load(this.#nextAt, 0)) / NS_PER_MS - TOLERANCE_MS;
  }

  onDispatch(now: number): void {
    const nowNs = BigInt(Math.round(now * NS_PER_MS));
    for (let next = Atomics.load(this.#nextAt, 0); ; ) {
      const later = (next > nowNs ? next : nowNs) + this.#intervalNs;
      const seen = Atomics.compareExchange(this.#nextAt, 0, next, later);
      if (seen === next) return;
      next = seen;
    }
  }
}

export function createSharedRateMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}
