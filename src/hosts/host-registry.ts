import type { Limiter } from '../core/scheduler.ts';
import type { RunLog } from '../model/run-event.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { ConcurrencyLimit, INITIAL_LIMIT, ResourcePressure } from './concurrency-limit.ts';
import { RateLimiter, RateWindow } from './rate-limiter.ts';
import type { Attempted, HostEnd, HostSignal, HostState, NewsMark } from './retry-policy.ts';

/** Limits that apply to each host. */
interface HostRules {
  /** Maximum number of requests in flight to one host. */
  readonly perHost: number;
  /** Requests per ms to one host; Infinity for no limit. */
  readonly perMs: number;
  /** Consecutive failures that open the circuit breaker; 0 for never. */
  readonly breakerThreshold: number;
  /** Time in ms without a sign of life after which a host is given up. */
  readonly giveUpAfterMs: number;
}

export interface HostRegistryOptions extends HostRules {
  /** The rules of a host that are not those of all. */
  readonly rulesFor?: (key: string) => Partial<HostRules>;
  /** Maximum number of requests in flight over all hosts. */
  readonly concurrency: number;
  /** Requests per ms over all hosts; Infinity for no limit. */
  readonly totalPerMs: number;
  /** Capacity of the job queue: failure counts of a host are kept at least as long as the queue may hold jobs for it. */
  readonly window: number;
  /** Receives pauses, lowered limits and circuit breakers that open. */
  readonly log?: RunLog | undefined;
}

/** The key of jobs that are not sent to any host. */
const NO_HOST = '';

/** Maximum number of hosts kept because of a limit, a pause or an open breaker. */
const MAX_HOSTS = 100_000;

/** How many of the oldest hosts are examined to find one that may be evicted. */
const EVICTION_LOOKS = 16;

/**
 * The state of each host, and the limiter of the scheduler: it says when the next request to a host may start.
 *
 * Memory is bounded. A host is forgotten as soon as it has nothing in flight and no state worth keeping. Hosts with only a
 * failure count are kept up to the capacity of the queue; hosts with a lowered limit, a pause or an open breaker up to
 * 100,000. The hosts that were used longest ago are evicted first.
 */
export class HostRegistry implements Limiter {
  readonly #options: HostRegistryOptions;
  readonly #totalRateLimiter: RateLimiter;
  readonly #pressure: ResourcePressure;
  /** Hosts with requests in flight or with state that restricts them, in the order in which they were added. */
  readonly #hosts = new Map<string, Host>();
  /** Idle hosts with only a failure count, the one that was used longest ago first. */
  readonly #idleFailing = new Map<string, Host>();

  constructor(options: HostRegistryOptions) {
    this.#options = options;
    this.#totalRateLimiter = new RateLimiter(options.totalPerMs);
    this.#pressure = new ResourcePressure(options.concurrency);
  }

  /** Number of hosts remembered. */
  get size(): number {
    return this.#hosts.size + this.#idleFailing.size;
  }

  /** Number of requests that could not start because this machine was out of resources. */
  get exhaustedCount(): number {
    return this.#pressure.exhaustedCount;
  }

  /** From now on, this process has one of `parts` equal parts of the rate over all hosts. */
  shareRate(parts: number): void {
    this.#totalRateLimiter.setRate(this.#options.totalPerMs / parts);
  }

  /** The state of each host that differs from a new one, for another process that sends requests to it next. O(hosts). */
  *states(now: number): Generator<readonly [key: string, state: HostState], void, void> {
    for (const hosts of [this.#hosts, this.#idleFailing])
      for (const [key, host] of hosts) if (host.retention(now) !== 'none') yield [key, host.state(now)];
  }

  /** Continues with what another process knew of a host at the time `at`. */
  restore(key: string, state: HostState, at: number): void {
    const host = this.#hosts.get(key) ?? this.#add(key, at);
    host.restore(state, at);
  }

  /** Number of hosts that get no requests at `now`. O(hosts). */
  countPaused(now: number): number {
    let count = 0;
    for (const host of this.#hosts.values()) if (host.isPaused(now)) count += 1;
    return count;
  }

  nextAllowedAt(_now: number, inFlight: number): number {
    return Math.max(this.#totalRateLimiter.nextAllowedAt, this.#pressure.nextAllowedAt(inFlight));
  }

  keyNextAllowedAt(key: string, inFlight: number, now: number): number {
    return this.#hosts.get(key)?.nextAllowedAt(inFlight, now) ?? 0;
  }

  keyCapacity(key: string): number {
    return this.#hosts.get(key)?.capacity ?? Math.min(this.#options.perHost, INITIAL_LIMIT);
  }

  /** A job was dispatched. A `record` may follow, and `onRelease` must. */
  onDispatch(key: string, now: number): void {
    if (key === NO_HOST) return;
    const host = this.#hosts.get(key) ?? this.#add(key, now);
    // Jobs of a host that gets no more requests end without one, so they use up no rate.
    if (host.end === undefined) this.#totalRateLimiter.onDispatch(now);
    host.onDispatch(now);
  }

  /** Records what a dispatched job, started at `startedAt`, showed about its host. */
  record(key: string, signal: HostSignal, startedAt: number, now: number): void {
    if (signal.kind === 'exhausted') this.#pressure.recordExhausted(startedAt, now);
    else if (signal.kind !== 'neutral') this.#pressure.recordSuccess();
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    const before = this.#options.log && host.restrictions();
    host.record(signal, startedAt, now);
    if (before !== undefined) this.#logChanges(key, before, host.restrictions(), now);
  }

  /**
   * A dispatched job is no longer in flight, also if it was dropped or has failed by a bug. While more jobs of the host wait,
   * it is remembered what it has served: with one request at a time, none is in flight between two.
   */
  onRelease(key: string, inFlight: number, now: number, hasMore = false): void {
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    host.inFlight = inFlight;
    if (hasMore) return;
    const retention = host.retention(now);
    if (retention === 'high') return;
    this.#hosts.delete(key);
    if (retention === 'none') return;
    this.#idleFailing.set(key, host);
    if (this.#idleFailing.size > this.#options.window) deleteFirst(this.#idleFailing);
  }

  /**
   * Whether a push-back, or a failure to respond, says something about the host and not about the URL, so that it uses up none
   * of its retries. To be called before `record`.
   */
  isNews(key: string, signal: HostSignal, about: Attempted): boolean {
    return (
      this.#hosts.get(key)?.isNews(signal, about, about.last?.host === key ? about.last : undefined) ?? false
    );
  }

  /** For `isNews`. To be called after `record`. */
  newsMark(key: string): NewsMark {
    return { host: key, count: this.#hosts.get(key)?.newsCount ?? 0 };
  }

  /** Whether a host has pushed back everything for so long that no retry will help. */
  servesNobody(key: string): boolean {
    return this.#hosts.get(key)?.servesNobody ?? false;
  }

  /** Why nothing more is sent to a host; `undefined` while requests are still sent to it. */
  endOf(key: string): HostEnd | undefined {
    return this.#hosts.get(key)?.end;
  }

  #logChanges(host: string, before: Restrictions, after: Restrictions, now: number): void {
    const { log } = this.#options;
    const { limit, pausedUntil, openUntil, end, reason } = after;
    if (end !== undefined) {
      if (before.end === undefined) log?.write({ kind: end.kind, host, reason: end.reason });
      return;
    }
    if (limit < before.limit) log?.write({ kind: 'limit', host, limit });
    // All that are pushed back at about the same time ask for about the same pause.
    const isPaused = before.pausedUntil > now;
    if (isPaused ? pausedUntil >= before.pausedUntil + 1_000 : pausedUntil > now) {
      log?.write({ kind: 'pause', host, pauseMs: pausedUntil - now });
    }
    if (openUntil > Math.max(now, before.openUntil, pausedUntil)) {
      log?.write({ kind: 'breaker', host, pauseMs: openUntil - now, reason });
    }
  }

  #add(key: string, now: number): Host {
    const host = this.#idleFailing.get(key) ?? new Host(this.#rulesOf(key));
    this.#idleFailing.delete(key);
    this.#hosts.set(key, host);
    if (this.#hosts.size > MAX_HOSTS) this.#evict(now);
    return host;
  }

  #rulesOf(key: string): HostRules {
    const own = this.#options.rulesFor?.(key);
    return own === undefined ? this.#options : { ...this.#options, ...own };
  }

  /** Evicts one of the oldest hosts that no longer needs to be kept, or else the oldest. */
  #evict(now: number): void {
    let looks = 0;
    for (const [key, host] of this.#hosts) {
      if (host.retention(now) !== 'high') {
        this.#hosts.delete(key);
        return;
      }
      if (++looks === EVICTION_LOOKS) break;
    }
    deleteFirst(this.#hosts);
  }
}

/** What restricts requests to a host, for the log. */
interface Restrictions {
  readonly limit: number;
  readonly pausedUntil: number;
  /** When the circuit breaker lets the next request through; 0 if it is not open. */
  readonly openUntil: number;
  readonly end: HostEnd | undefined;
  /** The last failure. */
  readonly reason: string;
}

/** A host must push back this many probes before it counts as one that serves no request. */
const MIN_SERVICE_PROBES = 3;

const PUSHED_BACK = 'pushed back with 429 or 503';
/** A host that has served, and says that there were too many requests, is given up after this many times as long: a window of a minute is usual. */
const RATE_PATIENCE = 3;

const SERVES_NOBODY = 'the server asks to wait again and again (see --give-up-after)';

/** Time in ms without a response after which a host gets no further request while it has one: this long, or twice its latency. */
const SILENCE_MS = 1_000;

/** The limits and the state of one host. */
class Host {
  readonly #rules: HostRules;
  readonly #limit: ConcurrencyLimit;
  readonly #breaker: CircuitBreaker;
  readonly #rateLimiter: RateLimiter;
  /** Created for the first push-back that says that there were too many requests. */
  #window: RateWindow | undefined;
  /** Opened by push-backs without anything served; created for the first. */
  #service: CircuitBreaker | undefined;
  #pausedUntil = 0;
  /** The limit when it last served a request: each push-back of a round lowers it further. */
  #servedLimit: number;
  /** Whether it has asked for a pause since it last served a request. */
  #asksToWait = false;
  /** When it got its first request, how many it has served, and when it served the last. */
  #firstAt = -1;
  #served = 0;
  #servedAt = Number.NEGATIVE_INFINITY;
  /** When it last responded, or got its first request after that. */
  #heardAt = 0;
  /** Of its last response. */
  #latencyMs = 0;
  /** Requests that its connection may carry. */
  #streams = Number.POSITIVE_INFINITY;
  /** Jobs that were dispatched and not released. */
  inFlight = 0;
  /** Push-backs and failures to respond. */
  newsCount = 0;
  #end: HostEnd | undefined;

  constructor(rules: HostRules) {
    this.#rules = rules;
    this.#limit = new ConcurrencyLimit(rules.perHost);
    this.#servedLimit = this.#limit.settled;
    this.#breaker = new CircuitBreaker({
      threshold: rules.breakerThreshold,
      giveUpAfterMs: rules.giveUpAfterMs,
      minProbes: 1,
    });
    this.#rateLimiter = new RateLimiter(rules.perMs);
  }

  get end(): HostEnd | undefined {
    return this.#end;
  }

  get servesNobody(): boolean {
    return this.#service?.isDown ?? false;
  }

  restrictions(): Restrictions {
    const open = this.#breaker.isOpen ? this.#breaker : this.#service;
    return {
      limit: this.#servedLimit,
      pausedUntil: this.#pausedUntil,
      openUntil: open?.nextAllowedAt(0) ?? 0,
      end: this.#end,
      reason: open?.lastError ?? '',
    };
  }

  /** Whether Retry-After or a circuit breaker stops requests to it. */
  isPaused(now: number): boolean {
    return this.#end !== undefined || this.#isBroken || this.#pausedUntil > now;
  }

  get #isBroken(): boolean {
    return this.#breaker.isOpen || this.#service?.isOpen === true;
  }

  state(now: number): HostState {
    const waitMs = this.#pausedUntil - now;
    return {
      ...(waitMs > 0 && { pauseMs: waitMs }),
      ...this.#limit.state(),
      ...this.#rateLimiter.state(now),
      ...(!this.#breaker.hasNoFailures && { breaker: this.#breaker.state(now) }),
      ...(this.#service && { service: this.#service.state(now) }),
      ...(this.#end && { end: this.#end }),
    };
  }

  restore(state: HostState, now: number): void {
    if (state.pauseMs !== undefined) this.#pausedUntil = Math.max(this.#pausedUntil, now + state.pauseMs);
    this.#limit.restore(state);
    this.#servedLimit = this.#limit.settled;
    this.#rateLimiter.restore(state, now);
    if (state.breaker) this.#breaker.restore(state.breaker, now);
    if (state.service) {
      this.#service ??= this.#createService();
      this.#service.restore(state.service, now);
    }
    this.#end ??= state.end;
  }

  /** How important it is to remember this host: a failure count is cheap to lose, limits and pauses are not. */
  retention(now: number): 'none' | 'low' | 'high' {
    const isWaiting = this.#pausedUntil > now || this.#rateLimiter.nextAllowedAt > now;
    const isRestricted = this.#limit.isLowered || this.#window?.isKnown === true || this.#isBroken;
    if (this.#end !== undefined || this.inFlight > 0 || isWaiting || isRestricted) return 'high';
    const hasNoFailures = this.#breaker.hasNoFailures && this.#service?.hasNoFailures !== false;
    return hasNoFailures ? 'none' : 'low';
  }

  /**
   * It is news of a host that is being probed, for a URL that has retries left. It is news of a host that has served others of
   * late, the first time, and again if others had news since. A timeout is news only if nothing was served meanwhile.
   */
  isNews(signal: HostSignal, { startedAt, endedAt, mayRetry }: Attempted, last?: NewsMark): boolean {
    const isProbe =
      this.#breaker.isProbe(startedAt) ||
      this.#service?.isProbe(startedAt) === true ||
      this.#window?.isOpening === true;
    if (isProbe && mayRetry) return true;
    if (endedAt - this.#servedAt > this.#rules.giveUpAfterMs) {
      // Others of its first requests may still be served.
      const isFirst = this.#served === 0 && this.inFlight > 1 && last === undefined;
      return isFirst && signal.kind === 'push-back' && !mayRetry;
    }
    if (signal.kind === 'failure' && signal.isTimeout && this.#servedAt > startedAt) return false;
    return last === undefined || this.newsCount > last.count;
  }

  /** As `Limiter.keyNextAllowedAt`. The remaining jobs of a host that gets no more requests are allowed, to end at once. */
  nextAllowedAt(inFlight: number, now: number): number {
    if (this.#end !== undefined) return 0;
    if (inFlight >= Math.min(this.#limit.current, this.#streams)) return Number.POSITIVE_INFINITY;
    if (inFlight > 0 && now > this.#heardAt + Math.max(SILENCE_MS, 2 * this.#latencyMs))
      return Number.POSITIVE_INFINITY;
    return Math.max(
      this.#pausedUntil,
      this.#limit.nextAllowedAt,
      this.#rateLimiter.nextAllowedAt,
      this.#window?.nextAllowedAt ?? 0,
      this.#breaker.nextAllowedAt(inFlight),
      this.#service?.nextAllowedAt(inFlight) ?? 0,
    );
  }

  /** Requests that can be in flight; with a rate, those that it gives in the time that one takes. */
  get capacity(): number {
    const perMs = Math.min(
      this.#rules.perMs,
      this.#limit.perMs,
      this.#window?.perMs ?? Number.POSITIVE_INFINITY,
    );
    return Math.min(this.#limit.settled, this.#streams, perMs * Math.max(1, this.#latencyMs));
  }

  onDispatch(now: number): void {
    if (this.inFlight === 0) this.#heardAt = now;
    this.inFlight += 1;
    if (this.#pausedUntil > 0 && this.#pausedUntil <= now) {
      this.#pausedUntil = 0;
      this.#limit.restart();
    }
    this.#rateLimiter.onDispatch(now);
    if (this.#firstAt < 0) this.#firstAt = now;
    if (this.#window?.onDispatch(now) === true) this.#limit.restart(1);
    if (this.#breaker.isOpen) {
      this.#breaker.onDispatch(now);
      this.#limit.restart(1);
    }
    if (this.#service?.isOpen === true) {
      this.#service.onDispatch(now);
      this.#limit.restart(1);
    }
    this.#limit.onDispatch(this.inFlight, now);
  }

  /** A host that serves again after it has pushed back everything was not overloaded. */
  #recordService(service: CircuitBreaker, startedAt: number, now: number): void {
    if (service.isProbe(startedAt) && this.#pausedUntil === 0)
      this.#window?.learn(startedAt, service.failedProbes === 0);
    if (service.isProbe(startedAt) && !this.#asksToWait) this.#limit.recover(service.failedProbes > 0);
    service.recordSuccess(now, now);
    this.#asksToWait = false;
  }

  /** Whether it is waited for longer, since it has served, and may have a rate limit. */
  get #isPatient(): boolean {
    return this.#window !== undefined && this.#served > 0;
  }

  #recordRate({ isRate, waitMs }: Extract<HostSignal, { readonly kind: 'push-back' }>, now: number): void {
    if (isRate !== true) return;
    if (waitMs === 0) this.#window ??= new RateWindow(this.#firstAt, this.#served);
    this.#window?.recordPushBack(now);
  }

  #createService(): CircuitBreaker {
    const { breakerThreshold, giveUpAfterMs } = this.#rules;
    return new CircuitBreaker({
      threshold: breakerThreshold,
      giveUpAfterMs: this.#isPatient ? RATE_PATIENCE * giveUpAfterMs : giveUpAfterMs,
      minProbes: MIN_SERVICE_PROBES,
    });
  }

  record(signal: HostSignal, startedAt: number, now: number): void {
    switch (signal.kind) {
      case 'response':
        this.#heardAt = this.#servedAt = now;
        this.#latencyMs = now - startedAt;
        this.#streams = Math.max(1, signal.streams ?? Number.POSITIVE_INFINITY);
        if (this.#breaker.isProbe(startedAt)) this.#limit.recover(this.#breaker.failedProbes > 0);
        this.#breaker.recordSuccess(startedAt, now);
        if (this.#service !== undefined) this.#recordService(this.#service, startedAt, now);
        this.#served += 1;
        this.#window?.recordServed();
        if (signal.isSlow === true) this.#limit.recordPushBack(startedAt, now, this.inFlight, 0, false);
        else this.#limit.recordSuccess(now);
        this.#servedLimit = this.#limit.settled;
        break;
      case 'push-back':
        this.#heardAt = now;
        this.newsCount += 1;
        this.#breaker.recordSuccess(startedAt, now);
        // A request that comes before the window has begun says nothing of the number at once.
        if (this.#window?.isOpening !== true) {
          const hasWindow = this.#window?.isKnown === true;
          this.#limit.recordPushBack(startedAt, now, this.inFlight, signal.waitMs, !hasWindow);
        }
        this.#recordRate(signal, now);
        this.#service ??= this.#createService();
        this.#service.recordFailure(PUSHED_BACK, startedAt, now);
        if (signal.waitMs > 0) {
          this.#asksToWait = true;
          this.#pausedUntil = Math.max(this.#pausedUntil, now + signal.waitMs);
        }
        if (this.servesNobody && (this.#asksToWait || this.#isPatient))
          this.#end ??= { kind: 'blocked', reason: this.#asksToWait ? SERVES_NOBODY : PUSHED_BACK };
        break;
      case 'refusal':
        this.#breaker.recordSuccess(startedAt, now);
        this.#end ??= { kind: 'blocked', reason: signal.reason };
        break;
      case 'failure':
        this.newsCount += 1;
        this.#breaker.recordFailure(signal.error, startedAt, now);
        if (signal.isTimeout || signal.isReset === true)
          this.#limit.recordPushBack(startedAt, now, this.inFlight, 0, !signal.isTimeout);
        if (this.#breaker.isDown) this.#end ??= { kind: 'down', reason: this.#breaker.lastError };
        break;
      case 'exhausted':
      case 'neutral':
        break;
    }
  }
}

function deleteFirst(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
