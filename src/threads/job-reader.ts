import type { RunParts } from '../fetching.ts';
import type { Job } from '../model/job.ts';
import { claimedJobs } from '../tasks-of.ts';

/** Reads the jobs of a run, each to be sent at once, and waits while too many have no result that was taken. */
export class JobReader {
  readonly #admit: RunParts['admit'];
  readonly #limit: number;
  readonly #send: (job: Job) => void;
  readonly #source: AsyncGenerator<Iterable<Job>>;
  #untaken = 0;
  #room: (() => void) | undefined;
  #isStopping = false;
  /** Whether there is a job that was read and not sent. */
  #isOneOutside = false;
  #hasEnded = false;
  #error: unknown;

  constructor(parts: RunParts, send: (job: Job) => void) {
    this.#admit = parts.admit;
    this.#limit = parts.options.queue + parts.options.concurrency; // as many as one thread would hold
    this.#send = send;
    this.#source = claimedJobs(parts.jobs, parts.options);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What ended the reading before its end. */
  get error(): unknown {
    return this.#error;
  }

  /** Jobs that were read and will not be sent, because of a stop. */
  get notSent(): number {
    return this.#isStopping && this.#isOneOutside ? 1 : 0;
  }

  /** Reads until the source ends or there is a stop. Never rejects. */
  async read(): Promise<void> {
    try {
      for (let next = await this.#source.next(); next.done !== true; next = await this.#source.next()) {
        if (this.#isStopping) return;
        for (const job of next.value) {
          const entered = this.#enter(job);
          if (entered !== undefined) await entered;
          if (this.#isStopping) return;
        }
      }
    } catch (error) {
      if (!this.#isStopping) this.#error = error;
    } finally {
      this.#hasEnded = true;
    }
  }

  /** A result was taken. */
  taken(): void {
    this.#untaken -= 1;
    if (this.#room === undefined || this.#untaken >= this.#limit) return;
    this.#room();
    this.#room = undefined;
  }

  stop(): void {
    this.#isStopping = true;
    this.#room?.();
    this.#source.return(undefined).catch(() => {}); // an error while letting go of an input no longer matters
  }

  #enter(job: Job): Promise<void> | undefined {
    this.#isOneOutside = true;
    const admitted = this.#admit?.(job);
    return admitted === undefined ? this.#put(job) : admitted.then(() => this.#put(job));
  }

  #put(job: Job): Promise<void> | undefined {
    if (this.#isStopping) return undefined;
    this.#isOneOutside = false;
    this.#untaken += 1;
    this.#send(job);
    if (this.#untaken < this.#limit) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }
}
