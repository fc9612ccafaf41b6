import type { RunParts } from '../fetching.ts';
import type { Job } from '../model/job.ts';
import { Reading } from '../reading.ts';
import { claimedJobs } from '../tasks-of.ts';

/** Reads the jobs of a run, each to be sent at once, and waits while too many have no result that was taken. */
export class JobReader {
  readonly #limit: number;
  readonly #send: (job: Job) => void;
  readonly #reading: Reading<Job>;
  #untaken = 0;
  #room: (() => void) | undefined;

  constructor({ jobs, options, admit }: RunParts, send: (job: Job) => void) {
    this.#limit = options.queue + options.concurrency; // as many as one thread would hold
    this.#send = send;
    this.#reading = new Reading({ jobs: claimedJobs(jobs, options), admit, put: (job) => this.#put(job) });
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
