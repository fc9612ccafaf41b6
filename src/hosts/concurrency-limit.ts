import type { HostState } from './retry-policy.ts';

/** Initial limit: enough for most hosts, and low enough not to overload one at once (compare RFC 6928 for TCP). */
export const INITIAL_LIMIT = 10;

/** Rounds before the limit is probed upwards: after a limit that had held, at first, and at most. */
const SHORT_PATIENCE = 2;
const FIRST_PATIENCE = 8;
const MAX_PATIENCE = 256;
const PATIENCE_GROWTH = 4;

/** A round of twice as many requests must be faster by this factor. */
const MIN_GAIN = 1.25;
/** Faster rounds than this many ms are limited by this machine rather than by a queue of the host. */
const MIN_QUEUED_MS = 50;
/** Rounds in a row without a gain before the limit is halved: one may be slow by chance. */
const ROUNDS_WITHOUT_GAIN = 2;

/** Rounds after which a probe has held. */
const PROBE_ROUNDS = 2;

/** A probe that is pushed back with a pause costs the pause: the next one follows after this many times its length. */
const PAUSES_BETWEEN_PROBES = 16;
const MAX_PAUSES_BETWEEN_PROBES = 64;

/** A shorter gap between two requests has no effect. */
const MIN_GAP_MS = 20;
/** The first gap is not longer, since pauses between the requests may have made it so. */
const MAX_FIRST_GAP_MS = 1_000;
const MAX_GAP_MS = 30_000;

/**
 * A host that has a rate serves at that rate, whatever the gap is. If the gap was made longer by a factor between these, and the
 * rate fell each time, `MAX_GAP_RAISES` times in all, push-backs are not due to the rate.
 */
const MIN_GAP_GROWTH = 1.05;
const MAX_GAP_GROWTH = 2.5;
const MAX_GAP_RAISES = 5;
/** Push-backs that are not due to the load: how many more than were seen are tolerated, and how many in a row. */
const TOLERANCE = 1.5;
const MAX_TOLERANCE = 4;
const MAX_TOLERATED = 6;
/** With each success while nothing is pushed back, fewer are tolerated; and none below the second. */
const TOLERANCE_DECAY = 0.99;
const MIN_TOLERANCE = 0.01;

/**
 * The adaptive concurrency limit of one host.
 *
 * - Each full round of successes doubles it until the host first pushes back (slow start), or until twice as many requests are
 *   not served any faster: those wait in a queue of the host (compare TCP Vegas). Then it is halved, and doubled again later.
 * - A push-back sets it to what the host accepted of that round: what is in flight, less what is pushed back of it. So it
 *   decreases in proportion (compare DCTCP, RFC 8257), down to 1.
 * - Then it is probed upwards: by one after 8 full rounds, and ever later if that is pushed back (compare CUBIC, RFC 9438,
 *   which is patient near the last maximum), by more and sooner if it is not.
 * - A host that pushes back one request at a time has a rate: there is a gap between its requests, from what it served.
 * - A host that pushes back one request at a time in spite of longer and longer gaps does not do so because of the load, such
 *   as a balancer with a dead server behind it. There is no gap then, and about that share of push-backs changes nothing.
 * - After a pause, or if it is not used, it does not grow beyond what the host has shown to serve.
 */
export class ConcurrencyLimit {
  readonly #max: number;
  #limit: number;
  /** Below the limit for the first rounds after a pause. */
  #ramp = Number.POSITIVE_INFINITY;
  #successes = 0;
  /** Whether as many were in flight as allowed in this round. */
  #isUsed = false;
  #hasPushedBack = false;
  /** When the last round began that was pushed back, and what was served since. */
  #loweredAt = Number.NEGATIVE_INFINITY;
  #served = 0;
  /** When the round began, and successes per ms of the best round with half of the limit, or less. */
  #roundAt = -1;
  #rate = 0;
  #roundsWithoutGain = 0;
  /** Whether twice the limit had no gain. */
  #isHalved = false;
  /** The limit and the gap before the last push-backs that left something served before them. */
  #servedLimit = 1;
  #servedGapMs = 0;
  /** Full rounds since the limit changed. */
  #rounds = 0;
  #patience = FIRST_PATIENCE;
  #step = 1;
  #isProbing = false;
  /** The limit before the probe. */
  #held = 1;
  /** The limit is not lowered below this in the rest of a round. */
  #floor = 1;
  #pausesBetween = PAUSES_BETWEEN_PROBES;
  #probeFrom = 0;
  #gapMs = 0;
  #nextAt = 0;
  #longestGapMs = 0;
  #gapRaises = 0;
  /** Push-backs in spite of the gap, and what was served meanwhile. */
  #pushedWithGap = 0;
  #servedWithGap = 0;
  /** Push-backs that change nothing: for each request that is served, and how many the next may be. */
  #tolerance = 0;
  #tolerated = 0;

  constructor(max: number) {
    this.#max = max;
    this.#limit = Math.min(max, INITIAL_LIMIT);
  }

  get current(): number {
    return Math.min(this.#limit, this.#ramp);
  }

  /** The limit, also while a pause has just ended. */
  get settled(): number {
    return this.#limit;
  }

  /** Requests per ms that the gap between them allows. */
  get perMs(): number {
    return this.#gapMs > 0 ? 1 / this.#gapMs : Number.POSITIVE_INFINITY;
  }

  /** When the next request may start, besides the limit. */
  get nextAllowedAt(): number {
    return this.#nextAt;
  }

  /** Whether push-backs keep the limit below its maximum. */
  get isLowered(): boolean {
    return this.#hasPushedBack && (this.#limit < this.#max || this.#gapMs > 0);
  }

  /** What push-backs have lowered. */
  state(): Pick<HostState, 'limit' | 'gapMs'> {
    if (!this.isLowered) return {};
    return { limit: this.#limit, ...(this.#gapMs > 0 && { gapMs: this.#gapMs }) };
  }

  restore({ limit, gapMs = 0 }: Pick<HostState, 'limit' | 'gapMs'>): void {
    if (limit === undefined) return;
    this.#limit = this.#hasPushedBack ? Math.min(this.#limit, limit) : Math.min(this.#max, limit);
    this.#gapMs = Math.max(this.#gapMs, gapMs);
    this.#hasPushedBack = true;
  }

  /** A request starts; `inFlight` are in flight, this one included. */
  onDispatch(inFlight: number, now: number): void {
    if (inFlight >= this.#limit) this.#isUsed = true;
    if (this.#roundAt < 0) this.#roundAt = now;
    if (this.#gapMs > 0) this.#nextAt = now + this.#gapMs;
  }

  /** A pause is over: at most `first` requests start at once, and twice as many in each further round. */
  restart(first = INITIAL_LIMIT): void {
    this.#ramp = first;
  }

  /**
   * Nothing was served for a while, whatever the limit was: it is again what it was before that. So is the gap if `wasDown`, for
   * longer than a gap explains.
   */
  recover(wasDown: boolean): void {
    this.#limit = Math.max(this.#limit, this.#servedLimit);
    if (wasDown) this.#gapMs = Math.min(this.#gapMs, this.#servedGapMs);
  }

  recordSuccess(now: number): void {
    this.#served += 1;
    if (this.#tolerance > 0) this.#tolerateMore();
    if (this.#ramp < this.#limit) this.#ramp += 1;
    if (this.#limit === this.#max && this.#gapMs === 0) return;
    this.#successes += 1;
    if (this.#successes < this.#limit) return;
    this.#successes = 0;
    const tookMs = now - this.#roundAt;
    this.#roundAt = now;
    if (!this.#isUsed) return;
    this.#isUsed = false;
    if (this.#hasPushedBack) this.#endRound(now);
    else this.#endFirstRound(tookMs);
  }

  /** Of a host that has not pushed back. */
  #endFirstRound(tookMs: number): void {
    const rate = this.#limit / Math.max(1, tookMs);
    if (this.#isHalved) {
      this.#rounds += 1;
      this.#rate = Math.max(rate, this.#rate * 0.9);
      if (this.#rounds < this.#patience) return;
    } else if (tookMs >= MIN_QUEUED_MS && rate < this.#rate * MIN_GAIN) {
      this.#roundsWithoutGain += 1;
      if (this.#roundsWithoutGain < ROUNDS_WITHOUT_GAIN) return;
      this.#isHalved = true;
      this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      this.#rounds = 0;
      this.#patience = Math.min(MAX_PATIENCE, this.#patience * PATIENCE_GROWTH);
      return;
    } else this.#rate = rate;
    this.#isHalved = false;
    this.#roundsWithoutGain = 0;
    this.#limit = Math.min(this.#max, this.#limit * 2);
  }

  /**
   * Records that a request sent at `startedAt` was pushed back at `now`, when `inFlight` were in flight, this one included.
   *
   * @param waitMs the pause that the host asks for
   * @param mayNeedGap whether a gap between requests may be needed: neither if the rate of the host is known, nor after a timeout
   */
  recordPushBack(startedAt: number, now: number, inFlight: number, waitMs = 0, mayNeedGap = true): void {
    if (this.#tolerated >= 1) {
      this.#tolerated -= 1;
      return;
    }
    this.#successes = 0;
    this.#isUsed = false;
    if (startedAt < this.#loweredAt) {
      this.#limit = Math.max(this.#floor, this.#limit - 1); // of the round that has lowered it
      return;
    }
    this.#growPatience();
    this.#probeFrom = now + this.#pausesBetween * waitMs;
    if (this.#served > 0) [this.#servedLimit, this.#servedGapMs] = [this.#limit, this.#gapMs];
    if (mayNeedGap && this.#limit === 1 && this.#hasPushedBack && this.#served > 0) this.#adaptGap(now);
    this.#limit = Math.max(1, Math.min(this.#limit, inFlight) - 1);
    // A probe may be pushed back several times before its outcome is known. The limit before it has held.
    this.#floor = this.#isProbing ? Math.min(this.#limit, this.#held) : 1;
    this.#hasPushedBack = true;
    this.#loweredAt = now;
    this.#served = 0;
    this.#rounds = 0;
    this.#step = 1;
    this.#isProbing = false;
  }

  /** After a push-back of a single request: a gap, a longer one, or none if gaps have no effect. */
  #adaptGap(now: number): void {
    if (this.#tolerance > 0) {
      this.#tolerance = this.#tolerance < MAX_TOLERANCE ? 2 * this.#tolerance : 0;
      this.#tolerated = this.#tolerance > 0 ? MAX_TOLERATED : 0;
      return;
    }
    const servedMs = (now - this.#loweredAt) / this.#served;
    if (this.#gapMs === 0) {
      this.#gapMs = this.#longestGapMs = Math.min(MAX_FIRST_GAP_MS, servedMs);
      this.#gapRaises = this.#pushedWithGap = this.#servedWithGap = 0;
      return;
    }
    this.#pushedWithGap += 1;
    this.#servedWithGap += this.#served;
    const isDueToGap = servedMs < MAX_GAP_GROWTH * this.#gapMs;
    this.#gapMs = Math.min(MAX_GAP_MS, Math.max(this.#gapMs, Math.min(2 * this.#gapMs, servedMs)));
    if (this.#gapMs < this.#longestGapMs * MIN_GAP_GROWTH) return;
    this.#longestGapMs = this.#gapMs;
    if (isDueToGap) this.#gapRaises += 1;
    if (this.#gapRaises < MAX_GAP_RAISES) return;
    this.#tolerance = (TOLERANCE * this.#pushedWithGap) / this.#servedWithGap;
    this.#tolerated = MAX_TOLERATED;
    this.#gapMs = 0;
  }

  #tolerateMore(): void {
    this.#tolerated += this.#tolerance;
    if (this.#tolerated < MAX_TOLERATED) return;
    this.#tolerated = MAX_TOLERATED;
    this.#tolerance *= TOLERANCE_DECAY;
    if (this.#tolerance < MIN_TOLERANCE) this.#tolerance = this.#tolerated = 0;
  }

  #growPatience(): void {
    if (this.#isProbing && this.#step === 1) {
      // Not even one more request was accepted.
      this.#patience = Math.min(MAX_PATIENCE, Math.max(FIRST_PATIENCE, this.#patience * PATIENCE_GROWTH));
      this.#pausesBetween = Math.min(MAX_PAUSES_BETWEEN_PROBES, this.#pausesBetween * 2);
      return;
    }
    // A limit that has held before was not too high.
    const hasHeld = this.#hasPushedBack && !this.#isProbing && this.#step === 1;
    this.#patience = hasHeld ? Math.min(this.#patience, SHORT_PATIENCE) : FIRST_PATIENCE;
    this.#pausesBetween = PAUSES_BETWEEN_PROBES;
  }

  #endRound(now: number): void {
    this.#rounds += 1;
    if (this.#isProbing) {
      if (this.#rounds < PROBE_ROUNDS) return;
      this.#patience = 1;
      this.#step = Math.min(this.#limit, this.#step * 2);
    }
    if (this.#rounds < this.#patience || now < this.#probeFrom) return;
    this.#rounds = 0;
    this.#isProbing = true;
    this.#held = this.#limit;
    if (this.#gapMs === 0) this.#limit = Math.min(this.#max, this.#limit + this.#step);
    else {
      this.#gapMs *= 0.9;
      if (this.#gapMs < MIN_GAP_MS) this.#gapMs = 0;
    }
  }
}

/** Pauses in ms while this machine is out of resources. */
const FIRST_EXHAUSTED_MS = 50;
const LONGEST_EXHAUSTED_MS = 1_000;
/** The limit of the run is not lowered below this: fewer requests would not help, and only take longer. */
const MIN_RUN_LIMIT = 16;
const RUN_GROWTH = 1.25;

/**
 * Slows the whole run down while this machine is out of file descriptors, memory or ports.
 *
 * An exhausted resource stops all new requests for 50 ms, and halves the limit of requests in flight. The pause doubles, up
 * to one second, with each further one. Each full round of successes raises the limit by a quarter and halves the pause.
 */
export class ResourcePressure {
  readonly #max: number;
  #limit: number;
  #pauseMs = 0;
  #pausedUntil = 0;
  #loweredAt = Number.NEGATIVE_INFINITY;
  #successes = 0;
  #exhaustedCount = 0;

  /** @param max maximum number of requests in flight */
  constructor(max: number) {
    this.#max = max;
    this.#limit = max;
  }

  /** Number of requests that could not start. */
  get exhaustedCount(): number {
    return this.#exhaustedCount;
  }

  /** When the next request may start; Infinity if one in flight must end first. */
  nextAllowedAt(inFlight: number): number {
    return inFlight >= this.#limit ? Number.POSITIVE_INFINITY : this.#pausedUntil;
  }

  /** Records that a request could not start. Those tried at a `startedAt` before the last pause began are only counted. */
  recordExhausted(startedAt: number, now: number): void {
    this.#exhaustedCount += 1;
    if (startedAt < this.#loweredAt) return;
    this.#loweredAt = now;
    this.#successes = 0;
    this.#limit = Math.min(this.#limit, Math.max(MIN_RUN_LIMIT, Math.floor(this.#limit / 2)));
    this.#pauseMs = Math.min(LONGEST_EXHAUSTED_MS, Math.max(FIRST_EXHAUSTED_MS, this.#pauseMs * 2));
    this.#pausedUntil = now + this.#pauseMs;
  }

  /** Records a request that started, whatever became of it. */
  recordSuccess(): void {
    if (this.#pauseMs === 0) return;
    this.#successes += 1;
    if (this.#successes < this.#limit) return;
    this.#successes = 0;
    this.#limit = Math.min(this.#max, Math.ceil(this.#limit * RUN_GROWTH));
    this.#pauseMs = this.#limit === this.#max ? 0 : this.#pauseMs / 2;
  }
}
