import pLimit from 'p-limit';
import { deriveRunOptions, runOptions } from '../../src/config/run-options.ts';
import type { Clock } from '../../src/core/clock.ts';
import { MinHeap } from '../../src/core/heap.ts';
import { Pipeline } from '../../src/core/pipeline.ts';
import { Scheduler } from '../../src/core/scheduler.ts';
import { RequestTask } from '../../src/fetch/request-task.ts';
import { createFetcher, createHosts } from '../../src/fetch/run-factories.ts';
import { crashedResult } from '../../src/fetch/task-result.ts';
import type { AttemptOutcome, AttemptRequest, OnOutcome } from '../../src/http/attempt.ts';
import type { Transport } from '../../src/http/transport.ts';
import type { Result } from '../../src/model/result.ts';
import { hostOf } from '../../src/model/url.ts';
import { seededRandom } from '../seeded-random.ts';
import type { HostModel, Reply } from './host-models.ts';

/** A clock whose time passes as soon as nothing is left to do. */
export class SimulatedClock implements Clock {
  #now = 0;
  readonly #events = new MinHeap<{ wake: (() => void) | undefined }>();

  /** Bound, since it is handed on without the clock. */
  readonly now = () => this.#now;

  after(delayMs: number, wake: () => void): () => void {
    const event: { wake: (() => void) | undefined } = { wake };
    this.#events.push(this.#now + Math.max(0, delayMs), event);
    return () => {
      event.wake = undefined;
    };
  }

  /** Lets time pass until `over` resolves; throws if nothing happens before that. */
  async runUntil(over: Promise<void>): Promise<void> {
    let isOver = false;
    const stop = () => {
      isOver = true;
    };
    over.then(stop, stop);
    for (;;) {
      await new Promise(setImmediate); // after all that follows from the last event
      if (isOver) break;
      const at = this.#events.minKey;
      if (at === Number.POSITIVE_INFINITY) throw new Error(`nothing happens any more at ${this.#now}ms`);
      this.#now = at;
      for (let event = this.#events.popUpTo(at); event !== undefined; event = this.#events.popUpTo(at)) {
        event.wake?.();
      }
    }
    await over;
  }
}

/** What a host has seen. */
export interface HostCount {
  requests: number;
  /** 429, 503 and resets. */
  pushBacks: number;
  /** In the host, without those that it pushes back. */
  inFlight: number;
  maxInFlight: number;
}

/** A name server that does a limited number of lookups at once, each once per name. */
export interface SimulatedDns {
  /** Time in ms of a lookup of this host, or undefined if there is no response. */
  readonly lookUpMs: (host: string) => number | undefined;
  readonly maxLookups: number;
  /** Time in ms after which a lookup fails. */
  readonly timeoutMs: number;
}

/** The lookups of a run, as `Resolver` does them: concurrent requests for a name share one, and a failure is not kept. */
class SimulatedLookups {
  readonly #clock: Clock;
  readonly #dns: SimulatedDns;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #known = new Map<string, Promise<boolean>>();
  count = 0;

  constructor(clock: Clock, dns: SimulatedDns) {
    this.#clock = clock;
    this.#dns = dns;
    this.#limit = pLimit(dns.maxLookups);
  }

  /** Resolves to whether the name was found. */
  lookUp(host: string): Promise<boolean> {
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const lookup = this.#limit(() => this.#ask(host));
    this.#known.set(host, lookup);
    return lookup;
  }

  async #ask(host: string): Promise<boolean> {
    this.count += 1;
    const { lookUpMs, timeoutMs } = this.#dns;
    const ms = lookUpMs(host) ?? Number.POSITIVE_INFINITY;
    await new Promise<void>((resolve) => this.#clock.after(Math.min(timeoutMs, Math.ceil(ms)), resolve));
    if (ms < timeoutMs) return true;
    this.#known.delete(host);
    return false;
  }
}

/** What the run has beside its hosts. */
interface SimulatedMachine {
  /** What each attempt costs this machine, which does one thing at a time, in ms (0). */
  readonly cpuMs?: number;
  /** Without it every name is known. */
  readonly dns?: SimulatedDns;
}

/** Hosts that are not there: each attempt is decided by the model of its host, and takes simulated time. */
class SimulatedTransport implements Transport {
  readonly #clock: Clock;
  readonly #models: ReadonlyMap<string, HostModel>;
  readonly #timeoutMs: number;
  readonly #cpuMs: number;
  /** When this machine has started all attempts. */
  #busyUntil = 0;
  readonly counts = new Map<string, HostCount>();
  readonly #lookups: SimulatedLookups | undefined;
  inFlight = 0;
  readonly isCrowded = false;

  constructor(
    clock: Clock,
    models: ReadonlyMap<string, HostModel>,
    timeoutMs: number,
    { cpuMs = 0, dns }: SimulatedMachine,
  ) {
    this.#clock = clock;
    this.#lookups = dns && new SimulatedLookups(clock, dns);
    this.#cpuMs = cpuMs;
    this.#models = models;
    this.#timeoutMs = timeoutMs;
  }

  attempt({ hop: { url } }: AttemptRequest, onOutcome: OnOutcome): void {
    this.#attempt(url).then(
      (outcome) => onOutcome(outcome),
      (bug: unknown) => onOutcome(undefined, bug),
    );
  }

  async #attempt(url: string): Promise<AttemptOutcome> {
    if (this.#cpuMs > 0) {
      const now = this.#clock.now();
      this.#busyUntil = Math.max(now, this.#busyUntil) + this.#cpuMs;
      const waitMs = Math.ceil(this.#busyUntil - now);
      await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
    }
    if ((await this.#lookups?.lookUp(hostOf(url))) === false) return toOutcome(LOOKUP_FAILED, 0);
    return this.#send(url);
  }

  get lookups(): number {
    return this.#lookups?.count ?? 0;
  }

  #send(url: string): Promise<AttemptOutcome> {
    const host = hostOf(url);
    const model = this.#models.get(host);
    if (model === undefined) throw new Error(`there is no host ${host}`);
    const count = this.countOf(host);
    count.requests += 1;
    const reply = model(this.#clock.now(), count.inFlight + 1, url);
    const isServed = reply?.status === undefined && reply?.failure === undefined;
    if (isServed) count.inFlight += 1;
    count.maxInFlight = Math.max(count.maxInFlight, count.inFlight);
    this.inFlight += 1;
    const isTimeout = reply === undefined || reply.afterMs >= this.#timeoutMs;
    const durationMs = isTimeout ? this.#timeoutMs : Math.ceil(reply.afterMs);
    return new Promise((resolve) => {
      this.#clock.after(durationMs, () => {
        if (isServed) count.inFlight -= 1;
        this.inFlight -= 1;
        const outcome = toOutcome(isTimeout ? undefined : reply, durationMs);
        const status = outcome.response?.status;
        if (status === 429 || status === 503 || reply?.failure === 'reset') count.pushBacks += 1;
        resolve(outcome);
      });
    });
  }

  countOf(host: string): HostCount {
    const count = this.counts.get(host) ?? { requests: 0, pushBacks: 0, inFlight: 0, maxInFlight: 0 };
    this.counts.set(host, count);
    return count;
  }

  closeIdle(): void {}
  closeOneIdle(): void {}
  abort(): void {}
  close(): undefined {}
}

const LOOKUP_FAILED: Reply = { afterMs: 0, failure: 'dns' };

function toOutcome(reply: Reply | undefined, durationMs: number): AttemptOutcome {
  const rest = { isStale: false, durationMs };
  const { status = 200, retryAfterS } = reply ?? {};
  if (reply === undefined || reply.failure !== undefined) {
    const message = reply?.failure ?? 'timeout';
    const isUnprocessed = message === 'refused';
    const kind = isUnprocessed ? 'reset' : message;
    const isRetryable = kind !== 'protocol';
    return {
      ...rest,
      response: undefined,
      failed: { failure: { kind, message }, isRetryable, isUnprocessed },
      ttfbMs: undefined,
    };
  }
  const headers = retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) };
  const response = { status, statusText: '', headers, bytes: 0, isTruncated: false };
  return { ...rest, response, failed: undefined, ttfbMs: durationMs };
}

export interface SimulatedRun {
  /** Time in seconds until the last result. */
  readonly seconds: number;
  readonly ok: number;
  /** Failed URLs by kind, or by status. */
  readonly failed: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly pushBacks: number;
  readonly lookups: number;
  readonly host: (host: string) => HostCount;
  readonly results: readonly (Result & { readonly endedAt: number })[];
}

/**
 * Fetches a list from simulated hosts, with the pipeline, the scheduler, the limits and the fetcher of a real run. Only the
 * transport and the clock are simulated, so the result is the same each time.
 *
 * @param given options of the run
 */
export async function simulate(
  models: ReadonlyMap<string, HostModel>,
  urls: readonly string[],
  given: object = {},
  machine: SimulatedMachine = {},
): Promise<SimulatedRun> {
  const defaults = Object.fromEntries(Object.entries(runOptions).map(([key, entry]) => [key, entry.default]));
  // Each key of the table has its default or a value of its type.
  const values = { ...defaults, ...given } as Parameters<typeof deriveRunOptions>[0]['values'];
  const options = deriveRunOptions({ values, labels: new Map() }, '0');
  const clock = new SimulatedClock();
  const hosts = createHosts(options, options.concurrency);
  const scheduler = new Scheduler<RequestTask>({
    capacity: options.queueSize,
    workers: options.concurrency,
    clock,
    limiter: hosts,
  });
  const transport = new SimulatedTransport(clock, models, options.timeout, machine);
  const fetcher = createFetcher({
    ...{ options, hosts, scheduler, transport, clock },
    random: seededRandom(7),
    isStopping: () => false,
  });
  const requestDefaults = { method: 'GET', headers: {} };
  async function* jobs() {
    yield urls.map(
      (url, index) => new RequestTask({ index, source: 'list', line: index + 1, url }, requestDefaults),
    );
  }
  const pipeline = new Pipeline<RequestTask, Result>({
    jobs: jobs(),
    scheduler,
    concurrency: options.concurrency,
    keyOf: (task) => task.host,
    work: (task, settle) => fetcher.step(task, settle),
    crashed: crashedResult,
  });
  const results: (Result & { endedAt: number })[] = [];
  const collecting = async () => {
    for await (const result of pipeline.results()) results.push({ ...result, endedAt: clock.now() });
  };
  await clock.runUntil(collecting());
  const failed: Record<string, number> = {};
  for (const { ok, failure, status } of results) {
    if (ok) continue;
    const what = String(failure?.kind === 'status' ? status : failure?.kind);
    failed[what] = (failed[what] ?? 0) + 1;
  }
  const counts = [...transport.counts.values()];
  return {
    seconds: clock.now() / 1000,
    ok: results.filter(({ ok }) => ok).length,
    failed,
    requests: counts.reduce((sum, { requests }) => sum + requests, 0),
    pushBacks: counts.reduce((sum, { pushBacks }) => sum + pushBacks, 0),
    lookups: transport.lookups,
    host: (host) => transport.countOf(host),
    results,
  };
}

/** `count` URLs of one host. */
export function urlsOf(host: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `http://${host}/${index}`);
}
