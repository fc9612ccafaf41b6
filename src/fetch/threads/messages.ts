import { retryOn, statusSet } from '../../config/parse/status-sets.ts';
import { type RunOptions, runOptions } from '../../config/run-options.ts';
import type { TlsMaterial } from '../../config/tls-files.ts';
import type { RequestDefaults } from '../../http/hop.ts';
import type { FailureKind } from '../../model/failure.ts';
import type { Job } from '../../model/job.ts';
import type { ProxySettings } from '../../model/proxy-server.ts';
import type { Result } from '../../model/result.ts';
import type { TaskState } from '../request-task.ts';

/** A job as it goes from thread to thread: its set of status codes, an object with methods, goes as text. */
export interface PackedJob {
  readonly job: Job;
  readonly status?: string;
}

export function packJob(job: Job): PackedJob {
  if (job.expect?.status === undefined) return { job };
  const { status, ...expect } = job.expect;
  return { job: { ...job, expect }, status: `${status}` };
}

export function unpackJob({ job, status }: PackedJob): Job {
  if (status === undefined || job.expect === undefined) return job;
  return { ...job, expect: { ...job.expect, status: statusSet.parse(status) } };
}

/** Options as they go from thread to thread: sets of status codes, objects with methods, go as text. */
interface PackedOptions {
  readonly plain: Omit<RunOptions, 'accept' | 'retryOn'>;
  readonly accept: string;
  readonly retryOn: string;
}

/** Packs the options of a run, and nothing else that an object of options may hold. */
export function packOptions(options: RunOptions): PackedOptions {
  const { accept, retryOn: retried } = options;
  const keys = [...Object.keys(runOptions), 'hashesBodies' satisfies keyof RunOptions];
  const own = keys.filter((key) => key !== 'accept' && key !== 'retryOn');
  const values = new Map<string, unknown>(Object.entries(options));
  // All keys of the type but the two, with their values.
  const plain = Object.fromEntries(
    own.map((key) => [key, values.get(key)]),
  ) as unknown as PackedOptions['plain'];
  return { plain, accept: `${statusSet.print(accept)}`, retryOn: `${retryOn.print(retried)}` };
}

export function unpackOptions({ plain, accept, retryOn: retried }: PackedOptions): RunOptions {
  return { ...plain, accept: statusSet.parse(accept), retryOn: retryOn.parse(retried) };
}

/** What a thread that fetches is started with. */
export interface ThreadSetup {
  /** Which of the threads it is, from 0, and how many there are. */
  readonly index: number;
  readonly count: number;
  /** With the part of the workers that this thread has. */
  readonly options: PackedOptions;
  readonly defaults: RequestDefaults;
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
  readonly fileLimit: number | undefined;
  /** The pace that all threads keep together, where there is one. */
  readonly pace: SharedArrayBuffer | undefined;
}

/** What the thread that reads tells one that fetches. */
export type ToThread =
  | { readonly kind: 'jobs'; readonly jobs: readonly PackedJob[] }
  | { readonly kind: 'adopt'; readonly job: PackedJob; readonly moved: TransferredTask }
  /** So many results have gone to the outputs. */
  | { readonly kind: 'taken'; readonly count: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'abort'; readonly reason: AbortReason }
  | { readonly kind: 'end' };

export interface AbortReason {
  readonly kind: FailureKind;
  readonly code: string | undefined;
  readonly message: string;
}

/** A job on its way to the thread that its next hop belongs to. */
export interface TransferredTask {
  readonly index: number;
  readonly lane: string;
  readonly state: TaskState;
  readonly at: number;
  /** Its result, if the run is stopped before that. */
  readonly otherwise: Result | undefined;
}

/** What a thread that fetches tells the one that reads: all that is new since it did last. */
export interface ThreadReport extends ThreadStatus {
  readonly results: readonly Result[];
  readonly moved: readonly TransferredTask[];
  readonly warnings: readonly string[];
  /** Why no body can be saved any more. */
  readonly unwritable: string | undefined;
  /** It is over: nothing comes any more. */
  readonly hasEnded: boolean;
}

/** How a thread stands. */
export interface ThreadStatus {
  readonly inFlight: number;
  readonly shortages: number;
  readonly known: number;
  readonly parked: number;
  /** Jobs that were thrown away, since the run was stopped: all so far. */
  readonly dropped: number;
}
