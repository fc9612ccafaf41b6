import { Channel } from './channel.ts';

export interface WorkerPoolOptions<J, R> {
  /** Number of workers, a positive integer. */
  readonly concurrency: number;
  /** Number of jobs that may wait for a worker before `submit` waits, a positive integer. Default: 4 per worker. */
  readonly queueSize?: number | undefined;
  /** The work on one job. The signal is aborted when its result is no longer wanted. An error it throws belongs to this job only. */
  readonly work: (job: J, signal: AbortSignal) => R | Promise<R>;
  /** Aborts the pool. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of one job. */
export type JobOutcome<J, R> =
  | { readonly ok: true; readonly job: J; readonly value: R }
  | { readonly ok: false; readonly job: J; readonly error: unknown };

/** Emits `beforeExit` when the process has nothing left to do: `process`. */
export interface IdleEvents {
  on(event: 'beforeExit', listener: () => void): unknown;
  off(event: 'beforeExit', listener: () => void): unknown;
}

/** A job in the queue, and the receiver of its result. */
interface QueuedJob<J, R> {
  readonly job: J;
  /** Aborted when the result is no longer wanted. */
  readonly signal: AbortSignal;
  /** Returns a promise if the worker must wait until there is room for the result. */
  readonly deliver: (outcome: JobOutcome<J, R>) => Promise<void> | undefined;
}

/**
 * The worker-pool pattern for any work: a bounded queue of jobs, N workers, and results.
 *
 * - `map` works on a list and gives the results as they finish; `run` works on one job and resolves to its result.
 * - `submit` and `results` are the two ends of the queue, for jobs that come and results that go at different places.
 * - Every job has one result. A job that throws costs neither the other jobs nor its worker.
 * - Everything is bounded: a slow reader of results slows down the workers, and these slow down the source of the jobs.
 *
 *     const pool = new WorkerPool({ concurrency: 4, work: (path: string) => readFile(path) });
 *     for await (const result of pool.map(paths)) console.log(result.job, result.ok);
 *     const bytes = await pool.run('package.json');
 */
export class WorkerPool<J, R> {
  readonly #concurrency: number;
  readonly #work: WorkerPoolOptions<J, R>['work'];
  readonly #jobs: Channel<QueuedJob<J, R>>;
  readonly #results: Channel<JobOutcome<J, R>>;
  readonly #aborting = new AbortController();
  readonly #working: Promise<void>;
  /** Ends the calls of `map` and `run` that are not finished. */
  readonly #aborts = new Set<(reason: unknown) => void>();
  readonly #events: IdleEvents | undefined;
  readonly #onIdle = (): void => this.#checkDeadlock();
  #waitingSubmits = 0;
  #isClosed = false;
  #isTaken = false;
  #stopListening = (): void => {};

  /**
   * @param events for an error instead of a silent end of the process when `submit` waits and the results are not read
   * @throws TypeError or RangeError if an option is invalid
   */
  constructor(
    { concurrency, queueSize = 4 * concurrency, work, signal }: WorkerPoolOptions<J, R>,
    events?: IdleEvents,
  ) {
    checkCount('concurrency', concurrency);
    checkCount('queueSize', queueSize);
    if (typeof work !== 'function') {
      throw new TypeError(`invalid type "${typeof work}" for work: must be a function`);
    }
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`invalid type "${typeof signal}" for signal: must be an AbortSignal`);
    }
    this.#concurrency = concurrency;
    this.#work = work;
    this.#events = events;
    this.#jobs = new Channel(queueSize);
    this.#results = new Channel(concurrency);
    const queue = { take: () => this.#jobs.receive() };
    this.#working = runWorkers(concurrency, queue, (queued) => this.#process(queued)).finally(() => {
      this.#stopListening();
      this.#results.close();
    });
    if (signal !== undefined) this.#listenTo(signal);
  }

  /**
   * Works on every job of a list, which may be endless, and gives the results in the order in which they finish.
   * - The list is read only as far as workers are free and results are taken: at most two jobs per worker ahead.
   * - The error of a job is a result with `ok: false`. An error of the list is thrown after the results of its jobs.
   * - Leaving the loop early closes the list, drops its waiting jobs, and aborts the signal of those in progress.
   * - May be called any number of times, also beside `run` and `submit`. It does not close the pool.
   *
   * @throws the reason of the abort if the pool is aborted
   */
  async *map(jobs: Iterable<J> | AsyncIterable<J>): AsyncGenerator<JobOutcome<J, R>, void, void> {
    const mapping = new AbortController();
    // One token per job that is queued, in progress or not taken yet. So there is always room for a result, no worker
    // ever waits for the reader of this loop, and the loop may call `run` and `map` itself.
    const tokens = new Channel<object>(2 * this.#concurrency);
    const results = new Channel<JobOutcome<J, R>>(2 * this.#concurrency);
    const abort = (reason: unknown) => {
      mapping.abort(reason);
      tokens.abort(reason);
      results.abort(reason);
    };
    let missing = 1; // the end of the list, and jobs without a result
    const finishOne = () => {
      missing -= 1;
      if (missing === 0) results.close();
    };
    const deliver = (outcome: JobOutcome<J, R>) => {
      const sent = results.send(outcome);
      finishOne();
      return sent;
    };
    let failure: { readonly error: unknown } | undefined;
    const iterator = iteratorOf(jobs);
    const feed = async () => {
      for (;;) {
        await tokens.send({});
        const next = await iterator.next();
        if (next.done === true || mapping.signal.aborted) return;
        missing += 1;
        await this.#enqueue({ job: next.value, signal: mapping.signal, deliver })?.catch((error) => {
          finishOne();
          throw error;
        });
      }
    };
    if (this.#aborting.signal.aborted) abort(this.#aborting.signal.reason);
    this.#aborts.add(abort);
    let isListRead = false;
    const feeding = feed().then(
      () => {
        isListRead = true;
        finishOne();
      },
      (error: unknown) => {
        failure = { error };
        finishOne();
      },
    );
    try {
      for (let next = await results.receive(); next !== undefined; next = await results.receive()) {
        tokens.receive();
        yield next;
      }
      mapping.signal.throwIfAborted();
      await feeding;
      if (failure !== undefined) throw failure.error;
    } finally {
      this.#aborts.delete(abort);
      abort(new Error('the loop over map() was left'));
      if (!isListRead) closeIterator(iterator);
    }
  }

  /**
   * Works on one job, and resolves to the value that `work` returns. Rejects with the error that `work` throws, with the
   * reason after an abort, and after `close`.
   */
  async run(job: J): Promise<R> {
    const { signal } = this.#aborting;
    signal.throwIfAborted();
    const { promise, resolve, reject } = withResolvers<R>();
    promise.catch(() => {}); // an abort rejects the promise of the queue too
    this.#aborts.add(reject);
    const deliver = (outcome: JobOutcome<J, R>) => {
      if (outcome.ok) resolve(outcome.value);
      else reject(outcome.error);
      return undefined;
    };
    try {
      await this.#enqueue({ job, signal, deliver });
      return await promise;
    } finally {
      this.#aborts.delete(reject);
    }
  }

  /**
   * Adds a job whose result `results` gives. Waits while the queue is full, so read the results at the same time. Rejects
   * after `close`, and with the reason after an abort.
   */
  async submit(job: J): Promise<void> {
    const deliver = (outcome: JobOutcome<J, R>) => this.#results.send(outcome);
    const waiting = this.#enqueue({ job, signal: this.#aborting.signal, deliver });
    if (waiting === undefined) return;
    if (this.#waitingSubmits === 0) this.#events?.on('beforeExit', this.#onIdle);
    this.#waitingSubmits += 1;
    try {
      await waiting;
    } finally {
      this.#waitingSubmits -= 1;
      if (this.#waitingSubmits === 0) this.#events?.off('beforeExit', this.#onIdle);
    }
  }

  /** Ends the queue, so that `results` ends. Jobs that were added before are still worked on. */
  close(): void {
    this.#isClosed = true;
    this.#jobs.close();
  }

  /**
   * The results of submitted jobs, in the order in which they finish; may be called once.
   * - Ends when the pool is closed and the last worker is done.
   * - At most `concurrency` results wait to be read; after that the workers wait, and then `submit` does.
   * - Leaving early aborts the pool: queued jobs are dropped, `submit` rejects, and the signal of the work is aborted.
   * - An abort also drops results that were not read yet. Its reason is thrown once the workers in progress have ended.
   *   After all work is done, an abort has no effect.
   *
   * @throws Error if it is called a second time
   */
  results(): AsyncGenerator<JobOutcome<J, R>, void, void> {
    if (this.#isTaken) throw new Error('results() was called twice: each result is given to one reader only');
    this.#isTaken = true;
    return this.#takeResults();
  }

  /** Closes the pool, and collects the results that were not read yet in memory. */
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
      if (!hasEnded) this.#abort(new Error('the loop over results() was left'));
    }
  }

  /** Returns undefined if there was room, or a promise that waits for it. */
  #enqueue(queued: QueuedJob<J, R>): Promise<void> | undefined {
    if (this.#isClosed && !this.#aborting.signal.aborted) {
      return Promise.reject(new Error('cannot add a job: the pool is closed'));
    }
    return this.#jobs.send(queued);
  }

  async #process({ job, signal, deliver }: QueuedJob<J, R>): Promise<void> {
    // The result may have become unwanted while the job waited.
    if (signal.aborted) return;
    const outcome = await this.#workOn(job, signal);
    if (signal.aborted) return;
    // Rejects if the pool is aborted meanwhile; the result is dropped then.
    await deliver(outcome)?.catch(() => {});
  }

  async #workOn(job: J, signal: AbortSignal): Promise<JobOutcome<J, R>> {
    try {
      return { ok: true, job, value: await this.#work(job, signal) };
    } catch (error) {
      return { ok: false, job, error };
    }
  }

  /** Called when the process has nothing left to do while a `submit` waits. */
  #checkDeadlock(): void {
    if (this.#results.size < this.#concurrency) return; // it waits for the work
    this.#abort(
      new Error(
        'deadlock: submit() waits for room, but the results are not read:' +
          ' read results() while you submit, or use map() or run()',
      ),
    );
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
    for (const abort of this.#aborts) abort(reason);
  }
}

/**
 * The workers: `concurrency` loops over one queue, each of which takes a job, works on it, and takes the next one.
 * Resolves when the queue has ended and every worker is done. Rejects if `work` does.
 *
 * @param queue its `take` gives `undefined` at the end
 */
export async function runWorkers<J extends object>(
  concurrency: number,
  queue: { take(): J | undefined | Promise<J | undefined> },
  work: (job: J) => Promise<void>,
): Promise<void> {
  const worker = async () => {
    for (let job = await queue.take(); job !== undefined; job = await queue.take()) await work(job);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function iteratorOf<J>(jobs: Iterable<J> | AsyncIterable<J>): Iterator<J> | AsyncIterator<J> {
  if (Symbol.asyncIterator in Object(jobs)) return (jobs as AsyncIterable<J>)[Symbol.asyncIterator]();
  if (Symbol.iterator in Object(jobs)) return (jobs as Iterable<J>)[Symbol.iterator]();
  throw new TypeError(`invalid type "${typeof jobs}" for the jobs of map(): must be iterable`);
}

/** Not awaited: a list that waits for its next job would never end. */
function closeIterator(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  void (async () => iterator.return?.())().catch(() => {});
}

/** `Promise.withResolvers()`, which Node 20 does not have. */
function withResolvers<R>(): {
  readonly promise: Promise<R>;
  readonly resolve: (value: R) => void;
  readonly reject: (reason: unknown) => void;
} {
  let resolve!: (value: R) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<R>((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  return { promise, resolve, reject };
}

function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count > 0) return;
  throw new RangeError(`invalid value "${count}" for ${name}: must be a positive integer`);
}
