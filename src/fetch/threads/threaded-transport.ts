import type { EventLoopUtilization } from 'node:perf_hooks';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { BodyError } from '../../bodies/body-sink.ts';
import { type LoadMeter, systemLoad } from '../../core/clock.ts';
import type { AttemptOutcome, AttemptRequest, HeldBody, OnOutcome } from '../../http/attempt.ts';
import type { Hop } from '../../http/hop.ts';
import type { AttemptError } from '../../http/network-errors.ts';
import type { Transport } from '../../http/transport.ts';
import { OutputError } from '../../model/errors.ts';
import type { KeptBody } from '../../model/result.ts';
import { hostOf, originOf } from '../../model/url.ts';
import { shareSockets, ThreadNeed } from '../process-resources.ts';
import type { TransportFactory } from '../run.ts';
import { createTransport, type NetworkParts, type TransportNeeds } from '../run-factories.ts';
import {
  type BodyEnd,
  type BodyFacts,
  emptyOutbox,
  type FromThread,
  packAttempt,
  packOptions,
  type ThreadSetup,
  type ToThread,
  unpackOutcomes,
  withBuffer,
} from './messages.ts';

/** Threads that are replaced in one run when they die. After that there are fewer. */
const MAX_REPLACED = 16;

/** Threads that `auto` starts, at most. */
const MAX_THREADS = 64;

/** Requests that the thread of a host may have in flight beyond the thread with the fewest. */
const MIN_SLACK = 8;

/** Origins that are remembered for their protocol. */
const MAX_HTTP1_ORIGINS = 10_000;

/** Time in ms between two looks at the load, with `auto`. */
const LOOK_MS = 500;

interface ThreadOptions {
  /** With `auto` this thread sends the requests until it is busy all the time and a core is idle; then threads do. */
  readonly threads: number | 'auto';
  /** The file that the threads run. */
  readonly worker: URL;
  /** Of each thread; those of Node if left out. */
  readonly resourceLimits?: ResourceLimits;
  /** Only with `auto`. */
  readonly load?: LoadMeter;
  readonly lookMs?: number;
}

/** Sends the requests of a run from worker threads. */
export function createThreads(options: ThreadOptions): TransportFactory {
  return (parts, needs) => new ThreadedTransport(parts, needs, options);
}

/**
 * A transport in several threads. It decides only which of them sends a request:
 * - that of the host, so that its connections, its TLS sessions and its addresses are used again;
 * - the one with the fewest requests in flight, if that of the host has many more: a host with many requests is sent to by all
 *   threads. With HTTP/2 this would cost the one connection to an origin, so its requests stay in its thread; with --http2,
 *   an https origin is spread once it has responded over HTTP/1.1;
 * - the one that saves the body of the same URL at the moment, since only within a thread do two downloads get different files.
 *
 * A thread that dies is replaced. What was in flight in it is lost, and the fetcher sends it again; what was lost several times
 * is sent one after the other, so that the request that is the cause takes no other with it.
 */
export class ThreadedTransport implements Transport {
  readonly #given: ThreadOptions;
  readonly #setup: ThreadSetup;
  readonly #parts: NetworkParts;
  readonly #needs: TransportNeeds;
  readonly #threads: AttemptThread[] = [];
  /** By URL, what saves its body at the moment. */
  readonly #saving: Map<string, Saving> | undefined;
  /** Sends the requests as long as there are no threads. */
  readonly #local: Transport | undefined;
  /** With --http2, https origins that speak HTTP/1.1. */
  readonly #http1Origins = new Set<string>();
  /** Ends with the last suspect that was sent. */
  #suspects: Promise<unknown> = Promise.resolve();
  readonly #seenWarnings = new Set<string>();
  #replaced = 0;
  #isClosed = false;
  #looking: NodeJS.Timeout | undefined;

  constructor(parts: NetworkParts, needs: TransportNeeds, given: ThreadOptions) {
    const { threads, load = systemLoad(), lookMs = LOOK_MS } = given;
    const most = threads === 'auto' ? Math.min(load.cores - 1, MAX_THREADS) : threads;
    this.#parts = parts;
    this.#needs = needs;
    this.#given = given;
    const { options, defaults, tls, proxies } = parts;
    this.#setup = {
      options: packOptions(options),
      // Only these: the object may hold values that cannot be sent.
      defaults: { headers: defaults.headers },
      tls,
      proxies,
      sockets: shareSockets(needs.sockets, Math.max(1, most)),
    };
    this.#saving = options.saveDir === undefined ? undefined : new Map();
    if (threads === 'auto') {
      this.#local = createTransport(parts, needs);
      if (most > 0) this.#addWhenNeeded(load, most, lookMs);
    } else for (let count = 0; count < threads; count += 1) this.#threads.push(this.#start());
  }

  get inFlight(): number {
    return this.#threads.reduce((sum, { inFlight }) => sum + inFlight, this.#local?.inFlight ?? 0);
  }

  get isCrowded(): boolean {
    return this.#local?.isCrowded === true || this.#threads.some(({ isCrowded }) => isCrowded);
  }

  attempt(request: AttemptRequest, onOutcome: OnOutcome): void {
    if (request.isSuspect !== true) this.#attempt(request, onOutcome);
    else {
      const attempt = () =>
        new Promise<AttemptOutcome>((resolve, reject) => {
          this.#attempt(request, (outcome, bug) => (outcome === undefined ? reject(bug) : resolve(outcome)));
        });
      const outcome = this.#suspects.then(attempt);
      this.#suspects = outcome.then(onOutcome, (bug: unknown) => onOutcome(undefined, bug));
    }
  }

  #attempt(request: AttemptRequest, onOutcome: OnOutcome): void {
    const { url } = request.hop;
    const known: OnOutcome = (outcome, bug) => onOutcome(outcome && this.#recordProtocol(url, outcome), bug);
    const report = this.#mayBeHttp2(url) ? known : onOutcome;
    if (this.#saving === undefined) this.#transportFor(url).attempt(request, report);
    else this.#attemptSaving(this.#saving, request, report);
  }

  closeIdle(): void {
    this.#local?.closeIdle();
    for (const thread of this.#threads) thread.closeIdle();
  }

  closeOneIdle(hop: Hop, outcome: AttemptOutcome): void {
    if (outcome.thread === undefined) this.#local?.closeOneIdle(hop, outcome);
    else for (const thread of this.#threads) if (thread.id === outcome.thread) thread.closeOneIdle(hop);
  }

  abort(reason: AttemptError): void {
    this.#local?.abort(reason);
    for (const thread of this.#threads) thread.abort(reason);
  }

  async close(reason: AttemptError): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#looking);
    await Promise.all([this.#local?.close(reason), ...this.#threads.map((thread) => thread.close(reason))]);
  }

  #addWhenNeeded(load: LoadMeter, most: number, lookMs: number): void {
    const need = new ThreadNeed();
    this.#looking = setInterval(() => {
      const own = load.busyShare();
      const busy = this.#threads.map((thread) => thread.busyShare());
      const isNeeded = need.update(busy.length === 0 ? own : Math.min(...busy), load.idleCores());
      if (isNeeded && this.#threads.length < most) {
        this.#threads.push(this.#start());
        this.#parts.log?.write({ kind: 'threads', count: this.#threads.length });
      }
      // Its connections are not used any more, once their requests are finished.
      if (this.#threads.length > 0) this.#local?.closeIdle();
    }, lookMs);
    this.#looking.unref();
  }

  /** Has the body of a URL saved by one thread at a time. */
  #attemptSaving(saving: Map<string, Saving>, request: AttemptRequest, onOutcome: OnOutcome): void {
    const { hop, job } = request;
    const known = saving.get(job.url);
    const isUsable =
      known !== undefined && (!(known.transport instanceof AttemptThread) || known.transport.isAlive);
    const current = isUsable ? known : { transport: this.#transportFor(hop.url), attempts: 0 };
    if (current !== known) saving.set(job.url, current);
    current.attempts += 1;
    const onEnd = () => {
      current.attempts -= 1;
      if (current.attempts === 0 && saving.get(job.url) === current) saving.delete(job.url);
    };
    current.transport.attempt(request, (outcome, bug) => {
      if (outcome?.body !== undefined) onOutcome({ ...outcome, body: withEnd(outcome.body, onEnd) });
      else {
        onEnd();
        onOutcome(outcome, bug);
      }
    });
  }

  #mayBeHttp2(url: string): boolean {
    return this.#parts.options.http2 && url.startsWith('https:');
  }

  /** Of a response over HTTP/2 it is known how many requests its connection carries, unless it carries only one. */
  #recordProtocol(url: string, outcome: AttemptOutcome): AttemptOutcome {
    const origins = this.#http1Origins;
    if (outcome.streams !== undefined) origins.delete(originOf(url));
    else if (outcome.response !== undefined) {
      if (origins.size >= MAX_HTTP1_ORIGINS) origins.clear();
      origins.add(originOf(url));
    }
    return outcome;
  }

  #transportFor(url: string): Transport {
    const threads = this.#threads;
    if (threads.length === 0 && this.#local !== undefined) return this.#local;
    const home = threads[threadForHost(hostOf(url), threads.length)];
    if (home === undefined) throw new Error('There is no thread'); // the last one is kept, also when it is dead
    if (threads.length === 1) return home;
    if (this.#mayBeHttp2(url) && !this.#http1Origins.has(originOf(url))) return home;
    let least = home;
    let total = 0;
    for (const thread of threads) {
      total += thread.inFlight;
      if (thread.inFlight < least.inFlight) least = thread;
    }
    const slack = Math.max(MIN_SLACK, total / (2 * threads.length));
    return home.inFlight - least.inFlight > slack ? least : home;
  }

  #start(): AttemptThread {
    return new AttemptThread(this.#given, this.#setup, {
      warn: (message) => this.#warnOnce(message),
      onUnwritable: (message) => this.#needs.onFatal(new OutputError(message)),
      onDeath: (thread, error) => this.#replace(thread, error),
    });
  }

  #replace(dead: AttemptThread, error: Error): void {
    if (this.#isClosed) return;
    const index = this.#threads.indexOf(dead);
    if (this.#replaced < MAX_REPLACED) {
      this.#replaced += 1;
      this.#threads[index] = this.#start();
      this.#parts.warn?.(`a thread has ended and is replaced; its requests are sent again: ${error.message}`);
    } else if (this.#threads.length > 1 || this.#local !== undefined) {
      this.#threads.splice(index, 1);
      this.#parts.warn?.(`a thread has ended, and others take its hosts: ${error.message}`);
    } else this.#needs.onFatal(new Error(`every thread has ended; last error: ${error.message}`));
  }

  /** Passes each message on once, though every thread may send it. */
  #warnOnce(message: string): void {
    if (this.#seenWarnings.has(message)) return;
    this.#seenWarnings.add(message);
    this.#parts.warn?.(message);
  }
}

/** What saves the body of a URL, and for how many attempts. */
interface Saving {
  readonly transport: Transport;
  attempts: number;
}

/** A body that calls `onEnd` when it has been completed or discarded. */
function withEnd(body: HeldBody, onEnd: () => void): HeldBody {
  let hasEnded = false;
  const endOnce = () => {
    if (!hasEnded) onEnd();
    hasEnded = true;
  };
  return {
    ...body,
    end: (isOk, isWhole) => body.end(isOk, isWhole).finally(endOnce),
    drop: () => body.drop().finally(endOnce),
  };
}

/** The thread, from 0, that a host belongs to: FNV-1a with mixed bits. */
export function threadForHost(host: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < host.length; at += 1) hash = Math.imul(hash ^ host.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % count;
}

/** Time in ms for a thread to end by itself before it is terminated. */
const END_MS = 1_000;

/** What a thread tells beside outcomes. */
interface ThreadEvents {
  readonly warn: (message: string) => void;
  /** No body can be saved any more. */
  readonly onUnwritable: (message: string) => void;
  /** The thread ended unexpectedly. Called before the outcomes of what was in flight in it. */
  readonly onDeath: (thread: AttemptThread, error: Error) => void;
}

/** The end of a body that was asked for. */
interface BodyWait {
  readonly resolve: (kept: KeptBody | undefined) => void;
  readonly reject: (error: BodyError) => void;
}

/** A transport in a worker thread. Requests and outcomes go in messages, at most one each way and turn of the loop. */
class AttemptThread implements Transport {
  /** Different for each thread of the process. */
  readonly id: number;
  readonly #worker: Worker;
  readonly #events: ThreadEvents;
  readonly #needsJobs: boolean;
  readonly #closed: Promise<void>;
  /** Attempts without an outcome. */
  readonly #attempts = new Map<number, OnOutcome>();
  readonly #bodies = new Map<number, BodyWait>();
  /** Bodies that are kept in the thread. */
  #held = 0;
  #loop: EventLoopUtilization | undefined;
  #lastId = 0;
  #outbox = emptyOutbox();
  #flushing: NodeJS.Immediate | undefined;
  #isCrowded = false;
  #isClosing = false;
  #fault: Error | undefined;
  #death: Error | undefined;

  constructor({ worker, resourceLimits = {} }: ThreadOptions, setup: ThreadSetup, events: ThreadEvents) {
    this.#events = events;
    this.#needsJobs = setup.options.plain.saveDir !== undefined;
    this.#worker = new Worker(worker, { workerData: setup, resourceLimits });
    this.id = this.#worker.threadId;
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('error', (error: unknown) => {
      this.#fault ??= error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on('messageerror', (error) => {
      this.#fault ??= error;
      void this.#worker.terminate();
    });
    this.#closed = new Promise((resolve) => {
      // Its last messages come before this event, but may come after the error.
      this.#worker.on('exit', (code) => {
        this.#end(this.#fault ?? new Error(`it has ended with ${code}`));
        resolve();
      });
    });
  }

  get isAlive(): boolean {
    return this.#death === undefined;
  }

  /** The share of the time since the last call, 0 to 1, in which its loop was busy. */
  busyShare(): number {
    const before = this.#loop;
    this.#loop = this.#worker.performance.eventLoopUtilization();
    return this.#worker.performance.eventLoopUtilization(this.#loop, before).utilization;
  }

  get inFlight(): number {
    return this.#attempts.size;
  }

  get isCrowded(): boolean {
    return this.#isCrowded;
  }

  attempt(request: AttemptRequest, onOutcome: OnOutcome): void {
    if (this.#death !== undefined) {
      onOutcome(lostOutcome(this.#death));
      return;
    }
    this.#lastId += 1;
    this.#attempts.set(this.#lastId, onOutcome);
    packAttempt(this.#outbox.attempts, this.#lastId, request, this.#needsJobs);
    this.#touch();
  }

  closeIdle(): void {
    this.#outbox.closesIdle = true;
    this.#touch();
  }

  closeOneIdle({ url, hasLeftOrigin = false }: Hop): void {
    this.#outbox.unneeded.push({ url, hasLeftOrigin });
    this.#touch();
  }

  abort({ kind, code, message }: AttemptError): void {
    this.#outbox.abort = { kind, code, message };
    this.#touch();
  }

  async close({ kind, code, message }: AttemptError): Promise<void> {
    if (this.#death !== undefined) return;
    this.#isClosing = true;
    this.#outbox.close = { kind, code, message };
    this.#touch();
    // Bodies that are kept may wait for a slow disk; everything else ends at once.
    const timer = setInterval(() => {
      if (this.#held === 0) void this.#worker.terminate();
    }, END_MS);
    // It may not even have started.
    if (this.#attempts.size === 0 && this.#held === 0) void this.#worker.terminate();
    await this.#closed;
    clearInterval(timer);
  }

  #receive({ outcomes, bodies, isCrowded, warnings, unwritable }: FromThread): void {
    this.#isCrowded = isCrowded;
    for (const message of warnings) this.#events.warn(message);
    if (unwritable !== undefined) this.#events.onUnwritable(unwritable);
    unpackOutcomes(outcomes, this.id, (id, outcome, body) => {
      const onOutcome = this.#attempts.get(id);
      this.#attempts.delete(id);
      onOutcome?.(body === undefined ? outcome : { ...outcome, body: this.#heldBody(id, body) });
    });
    for (const { id, kept, error } of bodies) {
      const wait = this.#bodies.get(id);
      this.#bodies.delete(id);
      this.#held -= 1;
      if (error === undefined) wait?.resolve(withBuffer(kept));
      else wait?.reject(new BodyError(error.kind, error.code, error.message));
    }
  }

  #heldBody(id: number, facts: BodyFacts): HeldBody {
    this.#held += 1;
    let isEnded = false;
    const end = (how: BodyEnd) => {
      isEnded = true;
      return this.#endBody(how);
    };
    return {
      ...facts,
      end: (isOk, isWhole) => end({ id, isOk, isWhole }),
      drop: async () => {
        // The thread discards a body that it cannot complete, and with the thread the body is gone, too.
        if (!isEnded) await end({ id }).catch(() => {});
      },
    };
  }

  #endBody(end: BodyEnd): Promise<KeptBody | undefined> {
    if (this.#death !== undefined) return Promise.reject(new BodyLostError(this.#death));
    return new Promise((resolve, reject) => {
      this.#bodies.set(end.id, { resolve, reject });
      this.#outbox.bodies.push(end);
      this.#touch();
    });
  }

  /** Makes sure that a message is sent at the end of this turn. */
  #touch(): void {
    this.#flushing ??= setImmediate(() => {
      this.#flushing = undefined;
      if (this.#death !== undefined) return;
      this.#worker.postMessage(this.#outbox satisfies ToThread);
      this.#outbox = emptyOutbox();
    });
  }

  #end(error: Error): void {
    this.#death = error;
    this.#isCrowded = false;
    if (!this.#isClosing) this.#events.onDeath(this, error);
    for (const { reject } of this.#bodies.values()) reject(new BodyLostError(error));
    this.#bodies.clear();
    this.#held = 0;
    const lost = [...this.#attempts.values()];
    this.#attempts.clear();
    for (const onOutcome of lost) onOutcome(lostOutcome(error));
  }
}

/** The body was kept by a thread that has ended. */
class BodyLostError extends BodyError {
  override readonly isLost = true;

  constructor(cause: Error) {
    super('internal', undefined, lostMessage(cause));
  }
}

function lostOutcome(cause: Error): AttemptOutcome {
  const failure = { kind: 'internal', message: lostMessage(cause) } as const;
  return {
    response: undefined,
    failed: { failure, isRetryable: false, isLost: true },
    isStale: false,
    ttfbMs: undefined,
    durationMs: 0,
  };
}

function lostMessage(cause: Error): string {
  return `the thread of its connection has ended: ${cause.message}`;
}
