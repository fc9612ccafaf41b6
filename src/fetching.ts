import type { AttemptError } from './http/attempt-error.ts';
import type { RequestDefaults } from './http/hop.ts';
import type { OutputError } from './model/errors.ts';
import type { Job } from './model/job.ts';
import type { Result } from './model/result.ts';
import type { NetworkParts } from './open-network.ts';

export interface RunParts extends NetworkParts {
  readonly defaults: RequestDefaults;
  readonly jobs: AsyncIterable<Iterable<Job>>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called once, when the run is stopped before its end: nothing more is read. */
  readonly onStop?: () => void;
  /** Waited for between the last result and the end of the results, when all counts are final. */
  readonly settle?: () => Promise<void>;
  /** The result that an earlier run has given for a job and its request; asked once for each job, in their order. */
  readonly recall?: (job: Job, method: string, body: string | Uint8Array | undefined) => Result | undefined;
  /** Adds to each result what earlier runs say of its URL, once for each. */
  readonly judge?: (result: Result) => Result;
  /** Whether somebody still waits for the result of a job; one for which nobody does is fetched no further. In one thread alone. */
  readonly isWanted?: (job: Job) => boolean;
  /** Holds a job back before it enters the queue. */
  readonly admit?: (job: Job) => Promise<void> | undefined;
  /** What fetches the jobs; this thread by itself if left out. */
  readonly fetching?: FetchingMaker;
}

/** Makes what fetches the jobs of a run. Throws an `OutputError` when no body can be saved. */
export type FetchingMaker = (parts: RunParts, hooks: FetchingHooks) => Fetching;

/** What fetches the jobs of a run, and gives their results. */
export interface Fetching {
  readonly inFlight: number;
  readonly shortages: number;
  readonly notFetched: number;
  hosts(): HostCounts;
  /** Runs it all; to be iterated once. Leaving early ends it. */
  results(): AsyncGenerator<Result, void, void>;
  /** Drops what waits and is wanted no more, where `isWanted` is asked. */
  weed?(): void;
  /** Reads and starts nothing more. */
  stop(): void;
  /** Ends what is under way. */
  abort(reason: AttemptError): void;
}

/** What a run has to say to that. */
export interface FetchingHooks {
  /** Given each result as soon as it is there; what it returns is the result. */
  readonly finish: (result: Result) => Result;
  /** Waited for between the last result and the end of the results. */
  readonly settle: () => Promise<void>;
  /** Called when all is over. */
  readonly end: () => void;
  /** Called when no body can be saved any more. */
  readonly unwritable: (error: OutputError) => void;
}

/** Hosts that are remembered, and those of them that get nothing for now. */
export interface HostCounts {
  readonly known: number;
  readonly parked: number;
}
