import { queueBytes } from '../../config/run-options.ts';
import { Channel, forEach } from '../../core/channel.ts';
import { Producer } from '../../core/pipeline.ts';
import { createSharedRateMemory } from '../../hosts/rate-limiter.ts';
import { firstHop, firstMethod } from '../../http/hop.ts';
import type { AttemptError } from '../../http/network-errors.ts';
import { OutputError } from '../../model/errors.ts';
import type { Failure } from '../../model/failure.ts';
import { type Job, jobBytes } from '../../model/job.ts';
import type { Result } from '../../model/result.ts';
import { hostOf } from '../../model/url.ts';
import { rejectInvalidJobs } from '../job-checks.ts';
import type { Backend, BackendEvents, BackendFactory, HostCounts, RunParts } from '../run.ts';
import { checkSaveDirectory, type DocumentRequest, Documents, socketBudget } from '../run-factories.ts';
import { RESERVED_DESCRIPTORS } from '../socket-budget.ts';
import { unsentResult } from '../task-result.ts';
import { Thread } from './handle.ts';
import {
  packOptions,
  type ThreadReport,
  type ThreadSetup,
  type ThreadStatus,
  threadForHost,
} from './messages.ts';

/** Results of one message, and the thread they came from. */
interface Batch {
  readonly results: readonly Result[];
  readonly thread?: Thread;
}

/** Fetches in worker threads. `worker` is the file that they run. */
export function createThreadBackend(threads: number, worker: URL): BackendFactory {
  return (parts, events) => new ThreadBackend(parts, events, { threads, worker });
}

/**
 * Fetches in several threads: this thread reads the jobs, sends each to the thread of its host, and gives out the results.
 * - Jobs and results in flight are bounded as in one thread, by the queue size and the number of workers.
 * - A transferred task goes to the thread of its next hop and never waits for room there.
 * - The jobs of a thread that dies fail, and its hosts go to the next thread. If none is left, the results end in an error.
 */
export class ThreadBackend implements Backend {
  readonly #parts: RunParts;
  readonly #events: BackendEvents;
  readonly #threads: readonly Thread[];
  readonly #reader: JobReader;
  readonly #batches = new Channel<Batch>(Number.MAX_SAFE_INTEGER); // bounded by the reader
  readonly #warn: (message: string) => void;
  readonly #documents: Documents;
  /** Jobs in threads that may still have a result. */
  #inThreads = 0;
  #isStopping = false;
  #isGiving = false;
  #error: unknown;

  constructor(
    parts: RunParts,
    events: BackendEvents,
    how: { readonly threads: number; readonly worker: URL },
  ) {
    this.#parts = parts;
    this.#events = events;
    checkSaveDirectory(parts.options);
    this.#warn = eachOnce((message) => parts.warn?.(message));
    this.#documents = new Documents(parts.clock.now);
    this.#reader = new JobReader(parts, (job) => this.#send(job));
    const threadEvents = {
      report: (thread: Thread, report: ThreadReport) => this.#receive(thread, report),
      died: (thread: Thread, error: Error) => this.#replaceDead(thread, error),
    };
    this.#threads = createSetups(parts, how.threads).map(
      (setup) => new Thread(how.worker, setup, threadEvents),
    );
  }

  get inFlight(): number {
    return this.#sum(({ inFlight }) => inFlight);
  }

  get exhausted(): number {
    return this.#sum(({ exhausted }) => exhausted);
  }

  get dropped(): readonly Job[] {
    const held = this.#reader.notSent;
    return [...this.#threads.flatMap((thread) => [...thread.held.values()]), ...(held ? [held] : [])];
  }

  hosts(): HostCounts {
    return { known: this.#sum(({ hosts }) => hosts), paused: this.#sum(({ pausedHosts }) => pausedHosts) };
  }

  run(use: (result: Result) => Promise<void> | undefined): Promise<void> {
    return forEach(this.results(), use);
  }

  async *results(): AsyncGenerator<Result, void, void> {
    const reading = this.#reader.read().finally(() => this.#endIfDone());
    reading.catch(() => {}); // awaited below
    try {
      for (
        let batch = await this.#batches.receive();
        batch !== undefined;
        batch = await this.#batches.receive()
      ) {
        for (const result of batch.results) {
          yield result;
          this.#reader.resultTaken(result);
        }
        batch.thread?.taken(batch.results.length);
      }
      // A stopped run waits neither for an input that may never give another line nor for an admission.
      if (!this.#isStopping) await reading;
      yield* this.#events.lastResults();
      if (this.#error !== undefined) throw this.#error;
    } finally {
      this.stop();
      this.#batches.abort(new Error('The results are no longer read'));
      await Promise.all(this.#threads.map((thread) => thread.end()));
      this.#events.onEnd();
    }
  }

  fetchDocument(request: DocumentRequest): Promise<Result> {
    return this.#documents.fetch(request, (job) => this.#threadFor(hostOf(job.url))?.fetchDocument(job));
  }

  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#documents.stop();
    for (const thread of this.#threads) thread.stop();
    this.#reader.stop();
    this.#endIfDone();
  }

  abort({ kind, code, message }: AttemptError): void {
    for (const thread of this.#threads) thread.abort({ kind, code, message });
  }

  /** Sends a job to its thread, or its earlier result to the outputs. */
  #send(job: Job): void {
    const { recall, defaults } = this.#parts;
    const earlier = recall?.(job, firstHop(job, defaults));
    if (earlier !== undefined) {
      this.#give([earlier]);
      return;
    }
    this.#inThreads += 1;
    this.#threadFor(job.invalid === undefined ? hostOf(job.url) : '')?.put(job);
  }

  #receive(thread: Thread, report: ThreadReport): void {
    for (const message of report.warnings) this.#warn(message);
    for (const event of report.events) this.#parts.log?.write(event);
    for (const result of report.documents) {
      thread.documents.delete(result.index);
      this.#documents.give(result);
    }
    for (const result of report.results) thread.held.delete(result.index);
    this.#inThreads -= report.results.length;
    if (report.results.length > 0) this.#give(report.results, thread);
    for (const transferred of report.transferred) {
      const job = thread.release(transferred.index);
      if (job !== undefined) this.#threadFor(transferred.host)?.transfer(job, transferred);
    }
    if (report.unwritable !== undefined) this.#events.onUnwritable(new OutputError(report.unwritable));
    this.#endIfDone();
  }

  #give(results: readonly Result[], thread?: Thread): void {
    this.#isGiving = true; // a result may stop the run, which must not end before all of them are given
    const finished = results.map((result) => this.#events.finish(result));
    this.#isGiving = false;
    // Rejects if the consumer has left.
    this.#batches.send({ results: finished, ...(thread && { thread }) })?.catch(() => {});
    if (this.#isStopping) this.#endIfDone();
  }

  /** The thread of a host, or the next one that is alive. */
  #threadFor(host: string): Thread | undefined {
    const first = threadForHost(host, this.#threads.length);
    const thread = this.#threads[first];
    if (thread?.isAlive) return thread;
    return [...this.#threads.slice(first), ...this.#threads].find(({ isAlive }) => isAlive);
  }

  /** Fails the jobs of a dead thread. After a stop they are dropped, since it is unknown which were in flight. */
  #replaceDead(thread: Thread, error: Error): void {
    const jobs = [...thread.held.values()];
    const message = `the thread of its host has ended: ${error.message}`;
    this.#inThreads -= jobs.length - thread.status.dropped;
    const { clock, defaults } = this.#parts;
    const lost: Failure = { kind: 'internal', message };
    for (const job of thread.documents.values())
      this.#documents.give(unsentResult(job, 'GET', lost, clock.now()));
    if (!this.#isStopping) {
      thread.held.clear();
      this.#give(jobs.map((job) => unsentResult(job, firstMethod(job, defaults), lost, clock.now())));
    }
    if (this.#threads.some(({ isAlive }) => isAlive)) {
      this.#warn(`a thread has ended, and another takes its hosts: ${error.message}`);
      this.#endIfDone();
      return;
    }
    this.#error ??= new Error(`every thread has ended; last error: ${error.message}`);
    this.stop();
  }

  /** Ends the results if no more can come. */
  #endIfDone(): void {
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

/** Divides workers and descriptors among `wanted` threads, or fewer, so that each has a worker. */
function createSetups(parts: RunParts, wanted: number): ThreadSetup[] {
  const { options, defaults, tls, proxies, fileLimit, log } = parts;
  const { workers } = socketBudget(parts);
  const count = Math.min(wanted, workers);
  const pace = options.rate === undefined ? undefined : createSharedRateMemory();
  const files =
    fileLimit === undefined
      ? undefined
      : RESERVED_DESCRIPTORS + Math.floor((fileLimit - RESERVED_DESCRIPTORS) / count);
  return Array.from({ length: count }, (_, index) => {
    const concurrency = Math.floor(workers / count) + (index < workers % count ? 1 : 0);
    return {
      index,
      count,
      options: packOptions({ ...options, concurrency }),
      // Only these: the object may hold values that cannot be sent.
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
      log: log && { hasRequests: log.hasRequests },
    };
  });
}

/** As many of these as a queue holds take less memory than it may. */
const SMALL_JOB_BYTES = 1_600;

/** Reads jobs and sends each at once. Waits while too many jobs have no result that was taken. */
class JobReader {
  readonly #limit: number;
  readonly #maxBytes: number;
  readonly #send: (job: Job) => void;
  readonly #producer: Producer<Job>;
  #pending = 0;
  /** Sizes of the pending jobs that are not small, by index, and their sum. */
  readonly #large = new Map<number, number>();
  #largeBytes = 0;
  #resume: (() => void) | undefined;

  constructor({ jobs, options, admit }: RunParts, send: (job: Job) => void) {
    this.#limit = options.queueSize + options.concurrency; // as many as a run in one thread holds
    this.#maxBytes = queueBytes(options);
    this.#send = send;
    this.#producer = new Producer({
      jobs: rejectInvalidJobs(jobs, options),
      admit,
      put: (job) => this.#put(job),
    });
  }

  get hasEnded(): boolean {
    return this.#producer.hasEnded;
  }

  /** The error that ended reading early. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#producer.failure;
  }

  /** The job that was read and is not sent, since reading was stopped. */
  get notSent(): Job | undefined {
    return this.#producer.notPut;
  }

  /** Reads until the source ends or `stop()` is called. Never rejects. */
  read(): Promise<void> {
    return this.#producer.run();
  }

  /** The outputs have taken a result. */
  resultTaken({ index }: Result): void {
    this.#pending -= 1;
    this.#largeBytes -= this.#large.get(index) ?? 0;
    this.#large.delete(index);
    if (this.#resume === undefined || this.#isFull) return;
    this.#resume();
    this.#resume = undefined;
  }

  stop(): void {
    this.#producer.stop();
    this.#resume?.();
  }

  get #isFull(): boolean {
    return this.#pending >= this.#limit || this.#largeBytes >= this.#maxBytes;
  }

  #put(job: Job): Promise<void> | undefined {
    this.#pending += 1;
    const bytes = jobBytes(job);
    if (bytes > SMALL_JOB_BYTES) {
      this.#large.set(job.index, bytes);
      this.#largeBytes += bytes;
    }
    this.#send(job);
    if (!this.#isFull) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}

/** Passes each message on once, though every thread may send it. */
function eachOnce(warn: (message: string) => void): (message: string) => void {
  const seen = new Set<string>();
  return (message) => {
    if (seen.has(message)) return;
    seen.add(message);
    warn(message);
  };
}
