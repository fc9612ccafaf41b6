import { Worker } from 'node:worker_threads';
import type { Job } from '../../model/job.ts';
import { Documents } from '../run-factories.ts';
import {
  type AbortReason,
  type PackedJob,
  packJob,
  type ThreadReport,
  type ThreadSetup,
  type ThreadStatus,
  type ToThread,
  type TransferredTask,
} from './messages.ts';

/** Jobs in one message. */
const BATCH = 64;

/** Time in ms for a thread to end by itself before it is terminated. */
const END_MS = 1_000;

export interface ThreadEvents {
  readonly report: (thread: Thread, report: ThreadReport) => void;
  /** The thread ended unexpectedly: nothing comes from it any more. */
  readonly died: (thread: Thread, error: Error) => void;
}

/** A fetching thread as its coordinator sees it. */
export class Thread {
  /** Jobs without a result that were sent to it, by index. */
  readonly held = new Map<number, Job>();
  /** The same for documents. */
  readonly documents = new Map<number, Job>();
  status: ThreadStatus = { inFlight: 0, exhausted: 0, hosts: 0, pausedHosts: 0, dropped: 0 };
  readonly #worker: Worker;
  readonly #closed: Promise<void>;
  #pending: PackedJob[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #fault: Error | undefined;
  #state: 'alive' | 'ended' | 'dead' = 'alive';

  constructor(url: URL, setup: ThreadSetup, { report, died }: ThreadEvents) {
    this.#worker = new Worker(url, { workerData: setup });
    this.#closed = new Promise((resolve) => {
      this.#worker.on('message', (message: ThreadReport) => {
        if (message.hasEnded) this.#state = 'ended';
        this.status = message;
        report(this, message);
        if (message.hasEnded) resolve();
      });
      this.#worker.on('error', (error) => (this.#fault ??= asError(error)));
      this.#worker.on('messageerror', (error) => {
        this.#fault ??= error;
        this.#worker.terminate();
      });
      // Its last messages come before this event, but may come after the error.
      this.#worker.on('exit', (code) => {
        resolve();
        if (this.#state !== 'alive') return;
        this.#state = 'dead';
        died(this, this.#fault ?? new Error(`it has ended with ${code}`));
      });
    });
  }

  get isAlive(): boolean {
    return this.#state === 'alive';
  }

  /** Sends a job, together with others of the same turn. */
  put(job: Job): void {
    this.held.set(job.index, job);
    this.#pending.push(packJob(job));
    if (this.#pending.length >= BATCH) this.#flush();
    else this.#flushing ??= setImmediate(() => this.#flush());
  }

  /** Has it fetch a document that the list comes from. */
  fetchDocument(job: Job): void {
    this.documents.set(job.index, job);
    this.#post({ kind: 'document', job: packJob(job) });
  }

  /** Returns a job or document that it transfers, and does not hold any more. */
  release(index: number): Job | undefined {
    const held = this.held.has(index) ? this.held : this.documents;
    const job = held.get(index);
    held.delete(index);
    return job;
  }

  /** Sends a job or document that another thread has transferred. */
  transfer(job: Job, transferred: TransferredTask): void {
    const held = Documents.isListed(job) ? this.held : this.documents;
    held.set(job.index, job);
    this.#post({ kind: 'transfer', job: packJob(job), transferred });
  }

  /** The outputs have taken `count` of its results. */
  taken(count: number): void {
    this.#post({ kind: 'taken', count });
  }

  /** Stops the thread. Jobs that were not sent yet are sent after the stop, so that it counts them as dropped. */
  stop(): void {
    this.#post({ kind: 'stop' });
    this.#flush();
  }

  abort(reason: AbortReason): void {
    this.#post({ kind: 'abort', reason });
  }

  /** Ends the thread and what it has in flight. */
  async end(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, END_MS);
    });
    this.#post({ kind: 'end' });
    await Promise.race([this.#closed, late]);
    clearTimeout(timer);
    if (this.#state === 'alive') this.#state = 'ended';
    await this.#worker.terminate();
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#pending.length === 0) return;
    const jobs = this.#pending;
    this.#pending = [];
    this.#post({ kind: 'jobs', jobs });
  }

  #post(message: ToThread): void {
    if (this.#state === 'alive') this.#worker.postMessage(message);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
