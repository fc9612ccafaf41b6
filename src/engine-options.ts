import type { Lanes } from './queue/lanes.ts';

/**
 * What became of a taken job: a result, or the same work again, in the lane it now belongs to, at `at` or later.
 * `otherwise` is the result if the run is stopped before that. A job that was handed to another engine is gone from this one.
 */
export type Outcome<J, R> = { readonly result: R } | { readonly isHanded: true } | Repetition<J, R>;

/** The same work again. */
export interface Repetition<J, R> {
  readonly again: J;
  readonly at: number;
  readonly otherwise?: R;
  /** The work could not be begun: a stop before that leaves the job as it was when it was taken. */
  readonly isUntried?: boolean;
}

export interface EngineOptions<J extends object, R extends object> {
  /** Batches of jobs. The next batch is asked for, and a batch is walked on, only when the queue has room. */
  readonly jobs: AsyncIterable<Iterable<J>>;
  readonly lanes: Lanes<J>;
  readonly concurrency: number;
  readonly laneOf: (job: J) => string;
  readonly work: (job: J) => Promise<Outcome<J, R>>;
  /** The result of a job whose `work` threw: a bug, which costs that job alone. */
  readonly crashed: (job: J, error: unknown) => R;
  /** Waited for before a job enters the queue, to hold the reader back. */
  readonly admit?: ((job: J) => Promise<void> | undefined) | undefined;
  /** Asked before each piece of work on a job; one that nobody wants any more is dropped, and has no result. */
  readonly isWanted?: ((job: J) => boolean) | undefined;
  /** The result of a job that needs no work, such as one from an earlier run; it never enters the lanes. */
  readonly known?: ((job: J) => R | undefined) | undefined;
  /** Given each result as soon as it is there, before it waits for its turn to be taken; what it returns is the result. */
  readonly finish?: ((result: R) => R) | undefined;
  /** Waited for after the last result, before the results end. */
  readonly settle?: () => Promise<void>;
  /** Called when all is over, also after an error or a consumer that left early. */
  readonly onEnd?: () => void;
}
