import { hostTable } from '../../config/host-settings.ts';
import { retryOn, statusSet } from '../../config/parse/status-sets.ts';
import { type RunOptions, runOptions } from '../../config/run-options.ts';
import type { TlsMaterial } from '../../config/tls-files.ts';
import type { RequestDefaults } from '../../http/hop.ts';
import type { FailureKind } from '../../model/failure.ts';
import type { Job } from '../../model/job.ts';
import type { Result } from '../../model/result.ts';
import type { RunEvent, RunLog } from '../../model/run-event.ts';
import type { ProxySettings } from '../../model/url.ts';
import type { TaskState } from '../request-task.ts';

/** A job in a message: its set of status codes, an object with methods, is sent as text. */
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

/** Options in a message: sets of status codes, objects with methods, are sent as text. */
interface PackedOptions {
  readonly plain: Omit<RunOptions, 'accept' | 'retryOn' | 'hosts'>;
  readonly accept: string;
  readonly hosts: unknown;
  readonly retryOn: string;
}

/** Packs the options of a run, without anything else that the object may hold. */
export function packOptions(options: RunOptions): PackedOptions {
  const { accept, retryOn: retried, hosts } = options;
  const derived = ['maxUnsavedSize', 'hashesBodies', 'keeps', 'keepsBuffers'] satisfies (keyof RunOptions)[];
  const keys = [...Object.keys(runOptions), ...derived];
  const own = keys.filter((key) => key !== 'accept' && key !== 'retryOn' && key !== 'hosts');
  const values = new Map<string, unknown>(Object.entries(options));
  // All keys of the type but the three, with their values.
  const plain = Object.fromEntries(
    own.map((key) => [key, values.get(key)]),
  ) as unknown as PackedOptions['plain'];
  return {
    plain,
    accept: `${statusSet.print(accept)}`,
    retryOn: `${retryOn.print(retried)}`,
    hosts: hostTable.print(hosts),
  };
}

export function unpackOptions({ plain, accept, retryOn: retried, hosts }: PackedOptions): RunOptions {
  return {
    ...plain,
    accept: statusSet.parse(accept),
    retryOn: retryOn.parse(retried),
    hosts: hostTable.parse(hosts),
  };
}

/** What a fetching thread is started with. */
export interface ThreadSetup {
  /** Index of the thread, from 0, and the number of threads. */
  readonly index: number;
  readonly count: number;
  /** `concurrency` is the share of this thread. */
  readonly options: PackedOptions;
  readonly defaults: RequestDefaults;
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
  readonly fileLimit: number | undefined;
  /** Memory of the total rate limit that all threads share, if there is one. */
  readonly pace: SharedArrayBuffer | undefined;
  /** Which events are wanted. */
  readonly log: Pick<RunLog, 'hasRequests'> | undefined;
}

/** The thread, from 0, that a host belongs to for the whole run: FNV-1a with mixed bits. */
export function threadForHost(host: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < host.length; at += 1) hash = Math.imul(hash ^ host.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % count;
}

/** Messages from the coordinator to a thread. */
export type ToThread =
  | { readonly kind: 'jobs'; readonly jobs: readonly PackedJob[] }
  /** A document that the list comes from: its result comes among the documents. */
  | { readonly kind: 'document'; readonly job: PackedJob }
  | { readonly kind: 'transfer'; readonly job: PackedJob; readonly transferred: TransferredTask }
  /** The outputs have taken `count` results. */
  | { readonly kind: 'taken'; readonly count: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'abort'; readonly reason: AbortReason }
  | { readonly kind: 'end' };

export interface AbortReason {
  readonly kind: FailureKind;
  readonly code: string | undefined;
  readonly message: string;
}

/** A task in transfer to the thread of its next hop. */
export interface TransferredTask {
  /** Index of its job. */
  readonly index: number;
  readonly host: string;
  readonly state: TaskState;
  /** When it is due, in ms since the epoch. */
  readonly at: number;
}

/** Message from a thread: everything since its last report. */
export interface ThreadReport extends ThreadStatus {
  readonly results: readonly Result[];
  readonly documents: readonly Result[];
  readonly transferred: readonly TransferredTask[];
  readonly warnings: readonly string[];
  readonly events: readonly RunEvent[];
  /** Why no body can be saved any more. */
  readonly unwritable: string | undefined;
  /** The last report. */
  readonly hasEnded: boolean;
}

export interface ThreadStatus {
  readonly inFlight: number;
  /** Requests that had to wait because the machine ran out of descriptors, memory or ports. */
  readonly exhausted: number;
  readonly hosts: number;
  readonly pausedHosts: number;
  /** Jobs that were dropped because the run stopped, in total. */
  readonly dropped: number;
}
