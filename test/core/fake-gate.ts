import type { Limiter } from '../../src/core/scheduler.ts';

/** A gate whose wings the test moves. It counts how often it is asked and keeps what was taken. */
export class FakeGate implements Limiter {
  /** Until when no lane may give anything. */
  openFrom = 0;
  /** Until when one lane may give nothing. */
  readonly laneOpenFrom = new Map<string, number>();
  /** How many jobs of one lane may be under way. */
  readonly limits = new Map<string, number>();
  limit = Number.POSITIVE_INFINITY;
  asked = 0;
  laneAsked = 0;
  readonly takings: { key: string; at: number }[] = [];

  nextAllowedAt(): number {
    this.asked += 1;
    return this.openFrom;
  }

  laneNextAllowedAt(key: string, inFlight: number): number {
    this.laneAsked += 1;
    const limit = this.limits.get(key) ?? this.limit;
    return inFlight < limit ? (this.laneOpenFrom.get(key) ?? 0) : Number.POSITIVE_INFINITY;
  }

  onDispatch(key: string, at: number): void {
    this.takings.push({ key, at });
  }
}
