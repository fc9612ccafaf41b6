import { Channel } from './channel.ts';
import { runWorkers } from './pipeline.ts';

export interface WorkerPoolOptions<J, R> {
  /** Number of workers, a whole number above 0. */
  readonly concurrency: number;
  /** Jobs that may wait for a worker before `submit` waits, a whole number above 0. */
  readonly queueSize: number;
  /** The work on one job. The signal is aborted when the pool is; an error it throws becomes the result of the job. */
  readonly work: (job: J, signal: AbortSignal) => R | Promise<R>;
  /** Aborts the pool. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of one job. */
export type JobOutcome<J, R> =
  | { readonly ok: true; readonly job: J; readonly value: R }
  | { readonly ok: false; readonly job: J; readonly error: unknown };

/**
 * The worker-pool pattern for any work: a bounded job queue, N workers, and a result queue.
 *
 * - Every submitted job has one result. A worker that throws loses neither the job nor itself.
 * - Everything is bounded. Results that are not taken hold the workers back, and these hold `submit` back. So take the
 *   results while you submit, or use `drain` if they fit into memory and all jobs fit into the queue.
 * - The pool ends when it is closed and its results are taken, when the results are left early, or by its signal.
 *
 *     const pool = new WorkerPool({ concurrency: 4, queueSize: 100, work: (path: string) => readFile(path) });
 *     const submitAll = async () => {
 *       for (const path of paths) await pool.submit(path);
 *     };
 *     const submitting = submitAll().finally(() => pool.close());
 *     for await (const result of pool.results()) console.log(result.job, result.ok);
 *     await submitting;
 */
export class WorkerPool<J, R> {
  readonly #work: WorkerPoolOptions<J, R>['work'];
  readonly #jobs: Channel<{ readonly job: J }>;
  readonly #results: Channel<JobOutcome<J, R>>;
  readonly #aborting = new AbortController();
  readonly #working: Promise<void>;
  #isClosed = false;
  #isTaken = false;
  #stopListening = (): void => {};

  /** @throws TypeError or RangeError if an option is invalid */
  constructor({ concurrency, queueSize, work, signal }: WorkerPoolOptions<J, R>) {
    checkCount('concurrency', concurrency);
    checkCount('queueSize', queueSize);
    if (typeof work !== 'function') {
      throw new TypeError(`Cannot use "${typeof work}" for work: it must be a function`);
    }
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`Cannot use "${typeof signal}" for signal: it must be an AbortSignal`);
    }
    this.#work = work;
    this.#jobs = new Channel(queueSize);
    this.#results = new Channel(concurrency);
    const queue = { take: () => this.#jobs.receive() };
    this.#working = runWorkers(concurrency, queue, ({ job }) => this.#process(job)).finally(() => {
      this.#stopListening();
      this.#results.close();
    });
    if (signal !== undefined) this.#listenTo(signal);
  }

  /** Waits while the queue is full. Rejects after `close`, and with the reason after an abort. */
  async submit(job: J): Promise<void> {
    if (this.#isClosed && !this.#aborting.signal.aborted) {
      throw new Error('Cannot submit a job: the pool is closed');
    }
    await this.#jobs.send({ job });
  }

  /** Ends submitting. Jobs submitted before, also by a `submit` that still waits, are worked on. */
  close(): void {
    this.#isClosed = true;
    this.#jobs.close();
  }

  /**
   * The results, in the order in which jobs finish; may be called once.
   * - Ends when the pool is closed and the last worker is done.
   * - At most `concurrency` results wait to be taken; after that the workers wait, and then `submit` does. Nothing is
   *   lost, but a program that takes results only after it has submitted everything may wait forever.
   * - Leaving early aborts the pool: queued jobs are dropped, `submit` rejects, and the signal of the work is aborted.
   * - An abort also drops results that were not taken yet. Its reason is thrown once the busy workers have ended. After
   *   all work is done, an abort has no effect.
   *
   * @throws Error if it is called a second time
   */
  results(): AsyncGenerator<JobOutcome<J, R>, void, void> {
    if (this.#isTaken) throw new Error('Cannot take the results twice: each is given to one reader');
    this.#isTaken = true;
    return this.#takeResults();
  }

  /** Closes the pool and collects the results that were not taken yet. */
  async drain(): Promise<JobOutcome<J, R>[]> {
    this.close();
    const all: JobOutcome<J, R>[] = [];
    for await (const result of this.#takeResults()) all.push(result);
    return all;
  }

  async *#takeResults(): AsyncGenerator<JobOutcome<J, R>, void, void> {
    let hasEnded = false;
    try {
      for (
        let next = await this.#results.receive();
        next !== undefined;
        next = await this.#results.receive()
      ) {
        yield next;
      }
      hasEnded = true;
      await this.#working;
      this.#aborting.signal.throwIfAborted();
    } finally {
      if (!hasEnded) this.#abort(new Error('Nobody takes the results of the pool any more'));
    }
  }

  async #process(job: J): Promise<void> {
    // The pool may have been aborted after the job was handed to this worker.
    if (this.#aborting.signal.aborted) return;
    const result = await this.#workOn(job);
    if (this.#aborting.signal.aborted) return;
    // Rejects if the pool is aborted meanwhile; the result is dropped then.
    await this.#results.send(result)?.catch(() => {});
  }

  async #workOn(job: J): Promise<JobOutcome<J, R>> {
    try {
      return { ok: true, job, value: await this.#work(job, this.#aborting.signal) };
    } catch (error) {
      return { ok: false, job, error };
    }
  }

  #listenTo(signal: AbortSignal): void {
    const onAbort = () => this.#abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  }

  #abort(reason: unknown): void {
    this.#aborting.abort(reason);
    this.#jobs.abort(reason);
    this.#results.abort(reason);
  }
}

function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count > 0) return;
  throw new RangeError(`Cannot use "${count}" for ${name}: it must be a whole number above 0`);
}
