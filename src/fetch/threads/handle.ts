import { Worker } from 'node:worker_threads';
import type { Job } from '../../model/job.ts';
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

/** Jobs that go out together. */
const BATCH = 64;

/** How long a thread may take to let go of what it has, when the run has ended. */
const END_MS = 1_000;

export interface ThreadEvents {
  readonly report: (thread: Thread, report: ThreadReport) => void;
  /** It has died: nothing comes from it any more. */
  readonly died: (thread: Thread, error: Error) => void;
}

/** One thread that fetches, as the thread that reads has it. */
export class Thread {
  /** Jobs that were sent to it and have no result yet, by index. */
  readonly held = new Map<number, Job>();
  status: ThreadStatus = { inFlight: 0, shortages: 0, known: 0, parked: 0, dropped: 0 };
  readonly #worker: Worker;
  readonly #closed: Promise<void>;
  #pending: PackedJob[] = [];
  #flushing: NodeJS.Immediate | undefined;
  /** What it dies of. */
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
      // What it has said before its end comes before this, and may come after the error.
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

  /** Sends a job with those that come in the same turn. */
  put(job: Job): void {
    this.held.set(job.index, job);
    this.#pending.push(packJob(job));
    if (this.#pending.length >= BATCH) this.#flush();
    else this.#flushing ??= setImmediate(() => this.#flush());
  }

  /** Gives it a job that another thread has handed on. */
  adopt(job: Job, moved: TransferredTask): void {
    this.held.set(job.index, job);
    this.#post({ kind: 'adopt', job: packJob(job), moved });
  }

  /** So many of its results have gone to the outputs. */
  taken(count: number): void {
    this.#post({ kind: 'taken', count });
  }

  /** Starts nothing more. Jobs that it was not sent yet are dropped: it is told of them, too, so that it counts them. */
  stop(): void {
    this.#post({ kind: 'stop' });
    this.#flush();
  }

  abort(reason: AbortReason): void {
    this.#post({ kind: 'abort', reason });
  }

  /** Lets it go: what is under way is ended. */
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
