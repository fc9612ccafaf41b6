import { Channel } from '../../core/channel.ts';
import { Producer } from '../../core/pipeline.ts';
import { sharedRateMemory } from '../../hosts/rate-limiter.ts';
import { firstMethod } from '../../http/hop.ts';
import type { AttemptError } from '../../http/network-errors.ts';
import { OutputError } from '../../model/errors.ts';
import type { Failure } from '../../model/failure.ts';
import type { Job } from '../../model/job.ts';
import type { Result } from '../../model/result.ts';
import { hostOf } from '../../model/url.ts';
import {
  type BackendEvents,
  type BackendFactory,
  type FetchBackend,
  type HostCounts,
  type RunParts,
  rejectNameConflicts,
} from '../run.ts';
import { checkSaveDirectory, RESERVE, socketsOf } from '../run-context.ts';
import { unsentResult } from '../task-result.ts';
import { Thread } from './handle.ts';
import { packOptions, type ThreadReport, type ThreadSetup, type ThreadStatus } from './messages.ts';

/** Tells each message once: what holds for the whole run every thread finds out for itself. */
function once(tell: (message: string) => void): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (told.has(message)) return;
    told.add(message);
    tell(message);
  };
}

/** Which of `count` threads a lane belongs to, from 0: the same for the whole run. FNV-1a, with its bits mixed at the end. */
export function threadForHost(lane: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < lane.length; at += 1) hash = Math.imul(hash ^ lane.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % count;
}

/** Divides workers, queue and descriptors among `wanted` threads, or fewer, so that each has a worker. */
function setupsOf(parts: RunParts, wanted: number): ThreadSetup[] {
  const { options, defaults, tls, proxies, fileLimit } = parts;
  const { workers } = socketsOf(parts);
  const count = Math.min(wanted, workers);
  const pace = options.rate === undefined ? undefined : sharedRateMemory();
  const files = fileLimit === undefined ? undefined : RESERVE + Math.floor((fileLimit - RESERVE) / count);
  return Array.from({ length: count }, (_, index) => {
    const concurrency = Math.floor(workers / count) + (index < workers % count ? 1 : 0);
    return {
      index,
      count,
      options: packOptions({ ...options, concurrency }),
      // What else the template of a request may hold stays here.
      defaults: {
        method: defaults.method,
        headers: defaults.headers,
        body: defaults.body,
        hostHeaders: defaults.hostHeaders,
      },
      tls,
      proxies,
      fileLimit: files,
      pace,
    };
  });
}

/** Reads the jobs of a run, each to be sent at once, and waits while too many have no result that was taken. */
class JobReader {
  readonly #limit: number;
  readonly #send: (job: Job) => void;
  readonly #reading: Producer<Job>;
  #untaken = 0;
  #room: (() => void) | undefined;

  constructor({ jobs, options, admit }: RunParts, send: (job: Job) => void) {
    this.#limit = options.queue + options.concurrency; // as many as one thread would hold
    this.#send = send;
    this.#reading = new Producer({
      jobs: rejectNameConflicts(jobs, options),
      admit,
      put: (job) => this.#put(job),
    });
  }

  get hasEnded(): boolean {
    return this.#reading.hasEnded;
  }

  /** What ended the reading before its end. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#reading.failure;
  }

  /** Jobs that were read and will not be sent, because of a stop. */
  get notSent(): number {
    return this.#reading.notPut;
  }

  /** Reads until the source ends or there is a stop. Never rejects. */
  read(): Promise<void> {
    return this.#reading.run();
  }

  /** A result was taken. */
  taken(): void {
    this.#untaken -= 1;
    if (this.#room === undefined || this.#untaken >= this.#limit) return;
    this.#room();
    this.#room = undefined;
  }

  stop(): void {
    this.#reading.stop();
    this.#room?.();
  }

  #put(job: Job): Promise<void> | undefined {
    this.#untaken += 1;
    this.#send(job);
    if (this.#untaken < this.#limit) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }
}

/** Results that came together, and the thread they came from. */
interface Batch {
  readonly results: readonly Result[];
  readonly thread?: Thread;
}

/** Fetches in so many threads. `worker` is the file that they run. */
export function createThreadBackend(threads: number, worker: URL): BackendFactory {
  return (parts, hooks) => new ThreadBackend(parts, hooks, { threads, worker });
}

/**
 * Fetches in several threads: this one reads the jobs, sends each to the thread that its host belongs to, and gives the results.
 * - Jobs and results on their way are bounded as with one thread: no more than queue and workers hold.
 * - A job that a thread hands on goes to the thread that its next hop belongs to, and never waits for room there.
 * - What a thread held that has died fails; its hosts go to the next one. When none is left the results end in an error.
 */
export class ThreadBackend implements FetchBackend {
  readonly #parts: RunParts;
  readonly #hooks: BackendEvents;
  readonly #threads: readonly Thread[];
  readonly #reader: JobReader;
  readonly #batches = new Channel<Batch>(Number.MAX_SAFE_INTEGER); // bounded by the reader
  readonly #warn: (message: string) => void;
  /** Jobs that the threads have, and those of dead threads that were not fetched. */
  #inThreads = 0;
  #lost = 0;
  #isStopping = false;
  #isGiving = false;
  #error: unknown;

  constructor(
    parts: RunParts,
    hooks: BackendEvents,
    how: { readonly threads: number; readonly worker: URL },
  ) {
    this.#parts = parts;
    this.#hooks = hooks;
    checkSaveDirectory(parts.options);
    this.#warn = once((message) => parts.warn?.(message));
    this.#reader = new JobReader(parts, (job) => this.#send(job));
    const events = {
      report: (thread: Thread, report: ThreadReport) => this.#receive(thread, report),
      died: (thread: Thread, error: Error) => this.#bury(thread, error),
    };
    this.#threads = setupsOf(parts, how.threads).map((setup) => new Thread(how.worker, setup, events));
  }

  get inFlight(): number {
    return this.#sum(({ inFlight }) => inFlight);
  }

  get shortages(): number {
    return this.#sum(({ shortages }) => shortages);
  }

  get notFetched(): number {
    return this.#sum(({ dropped }) => dropped) + this.#lost + this.#reader.notSent;
  }

  hosts(): HostCounts {
    return { known: this.#sum(({ known }) => known), parked: this.#sum(({ parked }) => parked) };
  }

  async *results(): AsyncGenerator<Result, void, void> {
    const reading = this.#reader.read().finally(() => this.#look());
    reading.catch(() => {}); // awaited below
    try {
      for (
        let batch = await this.#batches.receive();
        batch !== undefined;
        batch = await this.#batches.receive()
      ) {
        for (const result of batch.results) {
          yield result;
          this.#reader.taken();
        }
        batch.thread?.taken(batch.results.length);
      }
      // A stopped run waits neither for an input that may never give another line nor for an admission.
      if (!this.#isStopping) await reading;
      await this.#hooks.settle();
      if (this.#error !== undefined) throw this.#error;
    } finally {
      this.stop();
      this.#batches.abort(new Error('Nobody takes the results any more'));
      await Promise.all(this.#threads.map((thread) => thread.end()));
      this.#hooks.end();
    }
  }

  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const thread of this.#threads) thread.stop();
    this.#reader.stop();
    this.#look();
  }

  abort({ kind, code, message }: AttemptError): void {
    for (const thread of this.#threads) thread.abort({ kind, code, message });
  }

  /** Gives a job to its thread, or its result to the outputs, if that is known. */
  #send(job: Job): void {
    const { recall, defaults } = this.#parts;
    const known = recall?.(job, firstMethod(job, defaults), job.body ?? defaults.body);
    if (known !== undefined) {
      this.#give([known]);
      return;
    }
    this.#inThreads += 1;
    this.#ownerOf(job.invalid === undefined ? hostOf(job.url) : '')?.put(job);
  }

  #receive(thread: Thread, report: ThreadReport): void {
    for (const message of report.warnings) this.#warn(message);
    for (const result of report.results) thread.held.delete(result.index);
    this.#inThreads -= report.results.length;
    if (report.results.length > 0) this.#give(report.results, thread);
    for (const moved of report.moved) {
      const job = thread.held.get(moved.index);
      thread.held.delete(moved.index);
      if (job !== undefined) this.#ownerOf(moved.lane)?.adopt(job, moved);
    }
    if (report.unwritable !== undefined) this.#hooks.unwritable(new OutputError(report.unwritable));
    this.#look();
  }

  #give(results: readonly Result[], thread?: Thread): void {
    this.#isGiving = true; // one of them may stop the run, which must not end before they are given
    const finished = results.map((result) => this.#hooks.finish(result));
    this.#isGiving = false;
    // Refused when nobody takes results any more.
    this.#batches.send({ results: finished, ...(thread && { thread }) })?.catch(() => {});
    if (this.#isStopping) this.#look();
  }

  /** The thread of a lane, or the next that is alive. */
  #ownerOf(lane: string): Thread | undefined {
    const first = threadForHost(lane, this.#threads.length);
    const thread = this.#threads[first];
    if (thread?.isAlive) return thread;
    return [...this.#threads.slice(first), ...this.#threads].find(({ isAlive }) => isAlive);
  }

  /** What a dead thread held fails. After a stop nobody knows what of it was under way: it counts as not fetched. */
  #bury(thread: Thread, error: Error): void {
    const jobs = [...thread.held.values()];
    thread.held.clear();
    const message = `the thread of its host has ended: ${error.message}`;
    const fresh = jobs.length - thread.status.dropped;
    this.#inThreads -= fresh;
    if (this.#isStopping) this.#lost += fresh;
    else {
      const { clock, defaults } = this.#parts;
      const lost: Failure = { kind: 'internal', message };
      this.#give(jobs.map((job) => unsentResult(job, firstMethod(job, defaults), lost, clock.now())));
    }
    if (this.#threads.some(({ isAlive }) => isAlive)) {
      this.#warn(`a thread has ended, and another takes its hosts: ${error.message}`);
      this.#look();
      return;
    }
    this.#error ??= new Error(`Cannot go on: every thread has ended, the last with: ${error.message}`);
    this.stop();
  }

  /** Ends the results when nothing can come any more. */
  #look(): void {
    this.#error ??= this.#reader.failure?.error;
    const dropped = this.#isStopping ? this.#sum((status) => status.dropped) : 0;
    if (this.#isGiving) return;
    const isRead = this.#isStopping || this.#reader.hasEnded;
    if (isRead && this.#inThreads - dropped <= 0) this.#batches.close();
  }

  #sum(count: (status: ThreadStatus) => number): number {
    return this.#threads.reduce((sum, { status }) => sum + count(status), 0);
  }
}
