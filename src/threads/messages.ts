import type { TlsMaterial } from '../config/tls-material.ts';
import type { RequestDefaults } from '../http/hop.ts';
import type { TaskState } from '../http/task.ts';
import type { FailureKind } from '../model/failure.ts';
import type { ProxySettings } from '../model/proxy.ts';
import type { Result } from '../model/result.ts';
import type { PackedJob } from './packed-job.ts';
import type { PackedOptions } from './packed-options.ts';

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
  | { readonly kind: 'adopt'; readonly job: PackedJob; readonly moved: Moved }
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
export interface Moved {
  readonly index: number;
  readonly lane: string;
  readonly state: TaskState;
  readonly at: number;
  /** Its result, if the run is stopped before that. */
  readonly otherwise: Result | undefined;
}

/** What a thread that fetches tells the one that reads: all that is new since it did last. */
export interface Report extends ThreadStatus {
  readonly results: readonly Result[];
  readonly moved: readonly Moved[];
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
