import type { Limiter } from '../../src/core/scheduler.ts';

/** A limiter that the test controls. It counts its calls and records what was dispatched. */
export class FakeLimiter implements Limiter {
  /** When jobs of any key are allowed. */
  allowedFrom = 0;
  /** When jobs of one key are allowed. */
  readonly keyAllowedFrom = new Map<string, number>();
  /** How many jobs of one key may be in flight. */
  readonly limits = new Map<string, number>();
  limit = Number.POSITIVE_INFINITY;
  calls = 0;
  keyCalls = 0;
  readonly dispatched: { key: string; at: number }[] = [];
  readonly released: { key: string; inFlight: number; at: number }[] = [];

  nextAllowedAt(): number {
    this.calls += 1;
    return this.allowedFrom;
  }

  keyNextAllowedAt(key: string, inFlight: number): number {
    this.keyCalls += 1;
    const limit = this.limits.get(key) ?? this.limit;
    return inFlight < limit ? (this.keyAllowedFrom.get(key) ?? 0) : Number.POSITIVE_INFINITY;
  }

  keyCapacity(key: string): number {
    return this.limits.get(key) ?? this.limit;
  }

  onDispatch(key: string, at: number): void {
    this.dispatched.push({ key, at });
  }

  onRelease(key: string, inFlight: number, at: number): void {
    this.released.push({ key, inFlight, at });
  }
}
