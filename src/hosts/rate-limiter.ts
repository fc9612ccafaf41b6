import type { HostState } from './retry-policy.ts';

/** How early a request may start. Timers are not more precise, and high rates need small bursts to be reached. */
const TOLERANCE_MS = 10;

/** Windows in a row without a push-back before the quota is doubled: at first and at most, and by how much it grows. */
const FIRST_PATIENCE = 1;
const MAX_PATIENCE = 64;
const PATIENCE_GROWTH = 4;

/** Windows in a row in which less was served, after which there is no such window: it is learned again. */
const MAX_SHORTFALLS = 3;

/** How often a short window must have happened, and the factor by which its lengths may differ. */
const MIN_SHORT = 3;
const ALIKE = 1.5;

/** The length of a window is known if its bounds differ by less than this factor. */
const PRECISION = 1.1;
/** A window that is longer than was thought is taken for longer by this factor, and by twice as much, at most, if it still is. */
const MIN_STRETCH = 0.05;
const MAX_STRETCH = 0.5;

/**
 * The rate limit of a host that serves a number of requests, and then pushes back everything until its window of time has
 * passed, without saying when that is.
 *
 * - It is learned when the host serves again: the quota is what was served since the window began, and the window ends between
 *   the last request that was pushed back and the first that was served.
 * - From then on no more requests than the quota start in a window. Its end is found by bisection.
 * - A quota that was not too high is doubled, and ever more rarely if that is pushed back.
 * - If less is served in each window, it is forgotten: the host does something else.
 */
export class RateWindow {
  #startedAt: number;
  #previousAt = 0;
  /** Requests of the window. */
  #started = 0;
  #served: number;
  /** Whether a request of the window was pushed back. */
  #isClosed = false;
  #pushedBackAt = 0;
  #quota = Number.POSITIVE_INFINITY;
  /** The window is longer than the first and not longer than the second, in ms. */
  #lowMs = 0;
  #highMs = 0;
  /** After how many ms the next window begins. */
  #nextMs = 0;
  #held = 0;
  #patience = FIRST_PATIENCE;
  /** The quota that has held; `#quota` is more while it is tried to double it. */
  #base = 0;
  /** Windows in a row in which less was served than in those before. */
  #shortfalls = 0;
  /** How often in a row, and after how many ms, all were pushed back, for windows that differ little. */
  #shortCount = 0;
  #shortMs = 0;
  /** By how much a window is lengthened. */
  #stretch = MIN_STRETCH;

  /**
   * @param startedAt the first request to the host
   * @param served requests that it has served since
   */
  constructor(startedAt: number, served: number) {
    this.#startedAt = startedAt;
    this.#served = served;
  }

  get isKnown(): boolean {
    return this.#quota !== Number.POSITIVE_INFINITY;
  }

  /** Whether nothing was served yet in a window that has begun. */
  get isOpening(): boolean {
    return this.isKnown && this.#served === 0;
  }

  /** Requests per ms. */
  get perMs(): number {
    return this.isKnown ? this.#quota / this.#highMs : Number.POSITIVE_INFINITY;
  }

  get nextAllowedAt(): number {
    return this.#isOver ? this.#startedAt + this.#nextMs : 0;
  }

  get #isOver(): boolean {
    return this.isKnown && (this.#isClosed || this.#started >= this.#quota);
  }

  /** A request starts. Returns true if a new window begins with it. */
  onDispatch(now: number): boolean {
    const begins = this.#isOver && now >= this.nextAllowedAt;
    if (begins) {
      if (this.#isClosed && this.#served > 0) this.#recordExceeded();
      else if (!this.#isClosed) this.#recordHeld();
      this.#begin(now);
    }
    this.#started += 1;
    return begins;
  }

  recordServed(): void {
    if (this.isOpening) {
      this.#setLength(this.#lowMs, this.#startedAt - this.#previousAt);
      this.#stretch = MIN_STRETCH;
    }
    this.#served += 1;
  }

  recordPushBack(now: number): void {
    this.#pushedBackAt = now;
    if (!this.isKnown || this.#isClosed) return;
    this.#isClosed = true;
    if (this.#served > 0) return; // how many are served shows when those in flight have ended
    const tookMs = this.#startedAt - this.#previousAt;
    this.#startedAt = this.#previousAt;
    this.#lengthen(tookMs);
    this.#nextMs = this.#highMs;
  }

  /**
   * Learns from a request that was sent at `startedAt`, which is served after all others were pushed back for a while. After a
   * `short` while too many at once may have been the reason: a window is learned when it has happened several times alike.
   */
  learn(startedAt: number, isShort = false): void {
    const from = this.#startedAt;
    if (this.isKnown && startedAt <= from) return; // a window began with it
    const served = this.#served;
    const tookMs = startedAt - from;
    this.#begin(startedAt);
    if (served === 0) return; // it was down
    const isAlike = tookMs < this.#shortMs * ALIKE && this.#shortMs < tookMs * ALIKE;
    this.#shortCount = isAlike ? this.#shortCount + 1 : 1;
    this.#shortMs = tookMs;
    if (isShort && this.#shortCount < MIN_SHORT) return;
    this.#base = this.#quota = served;
    this.#setLength(this.#pushedBackAt - from, startedAt - from);
    this.#previousAt = from;
    this.#started = 1;
  }

  #begin(now: number): void {
    this.#previousAt = this.#startedAt;
    this.#startedAt = now;
    this.#started = this.#served = 0;
    this.#isClosed = false;
  }

  #setLength(lowMs: number, highMs: number): void {
    this.#lowMs = Math.min(lowMs, highMs);
    this.#highMs = highMs;
    this.#nextMs = highMs <= this.#lowMs * PRECISION ? highMs : (this.#lowMs + highMs) / 2;
  }

  /** The window before it had not ended, after `tookMs`. */
  #lengthen(tookMs: number): void {
    this.#setLength(tookMs, this.#highMs > tookMs * PRECISION ? this.#highMs : tookMs * (1 + this.#stretch));
    this.#stretch = Math.min(MAX_STRETCH, 2 * this.#stretch);
  }

  /** The quota was not pushed back. */
  #recordHeld(): void {
    this.#base = this.#quota;
    this.#shortfalls = 0;
    this.#held += 1;
    if (this.#held < this.#patience) return;
    this.#held = 0;
    this.#quota *= 2;
  }

  /** Only `#served` of the quota were served. */
  #recordExceeded(): void {
    this.#held = 0;
    if (this.#quota > this.#base) this.#patience = Math.min(MAX_PATIENCE, this.#patience * PATIENCE_GROWTH);
    if (this.#served >= this.#base) {
      this.#base = this.#served;
      this.#shortfalls = 0;
    } else {
      // A part of the first ones was still counted in the window before.
      if (this.#shortfalls === 0) this.#lengthen(this.#startedAt - this.#previousAt);
      else this.#base = this.#served;
      this.#shortfalls += 1;
    }
    this.#quota = this.#shortfalls > MAX_SHORTFALLS ? Number.POSITIVE_INFINITY : this.#base;
  }
}

/** Spaces requests evenly: the generic cell rate algorithm (ITU-T I.371) in its virtual scheduling form. */
export class RateLimiter {
  #intervalMs: number;
  #nextAt = 0;

  /** @param perMs requests per ms; Infinity for no limit */
  constructor(perMs: number) {
    this.#intervalMs = 1 / perMs;
  }

  /** @param perMs requests per ms from now on; Infinity for no limit */
  setRate(perMs: number): void {
    this.#intervalMs = 1 / perMs;
  }

  state(now: number): Pick<HostState, 'slotMs'> {
    return this.#intervalMs > 0 && this.#nextAt > now ? { slotMs: this.#nextAt - now } : {};
  }

  restore({ slotMs = 0 }: Pick<HostState, 'slotMs'>, now: number): void {
    this.#nextAt = Math.max(this.#nextAt, now + slotMs);
  }

  get nextAllowedAt(): number {
    return this.#intervalMs === 0 ? 0 : this.#nextAt - TOLERANCE_MS;
  }

  onDispatch(now: number): void {
    if (this.#intervalMs > 0) this.#nextAt = Math.max(this.#nextAt, now) + this.#intervalMs;
  }
}
