import { hostTable } from '../../config/host-settings.ts';
import { retryOn, statusSet } from '../../config/parse/status-sets.ts';
import { type RunOptions, runOptions } from '../../config/run-options.ts';
import type { TlsMaterial } from '../../config/tls-files.ts';
import type { AttemptOutcome, AttemptRequest, HeldBody, Inspection } from '../../http/attempt.ts';
import type { ConnectionUse } from '../../http/connection.ts';
import type { NetworkFailure } from '../../http/network-errors.ts';
import type { Peer } from '../../http/tls.ts';
import type { FailureKind } from '../../model/failure.ts';
import type { Job } from '../../model/job.ts';
import type { KeptBody, ResponseHeaders } from '../../model/result.ts';
import type { ProxySettings } from '../../model/url.ts';
import type { SocketBudget } from '../process-resources.ts';

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

/** What a thread is started with. */
export interface ThreadSetup {
  readonly options: PackedOptions;
  readonly defaults: { readonly headers: Readonly<Record<string, string>> };
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
  /** The share of this thread. */
  readonly sockets: SocketBudget;
}

/** A message to a thread: everything of one turn, while it is collected. */
export interface Outbox {
  /** Attempts to start, see `packAttempt()`. */
  attempts: unknown[];
  bodies: BodyEnd[];
  /** Origins of which an idle connection is closed. */
  unneeded: UnneededConnection[];
  closesIdle: boolean;
  abort: EndReason | undefined;
  close: EndReason | undefined;
}

export type ToThread = Readonly<Outbox>;

export function emptyOutbox(): Outbox {
  return { attempts: [], bodies: [], unneeded: [], closesIdle: false, abort: undefined, close: undefined };
}

/** A message from a thread: everything of one turn. */
export interface FromThread {
  /** See `packOutcome()`. */
  readonly outcomes: readonly unknown[];
  readonly bodies: readonly BodyEnded[];
  readonly isCrowded: boolean;
  readonly warnings: readonly string[];
  /** Why no body can be saved any more. */
  readonly unwritable: string | undefined;
}

/** What becomes of the body of an attempt: it is completed, or discarded if `isOk` is left out. */
export interface BodyEnd {
  readonly id: number;
  readonly isOk?: boolean;
  readonly isWhole?: boolean;
}

/** What was kept of a body, or why it cannot be kept. */
export interface BodyEnded {
  readonly id: number;
  readonly kept?: KeptBody | undefined;
  readonly error?: EndReason;
}

export interface UnneededConnection {
  readonly url: string;
  readonly hasLeftOrigin: boolean;
}

/** An error as data. */
export interface EndReason {
  readonly kind: FailureKind;
  readonly code: string | undefined;
  readonly message: string;
}

// Attempts and outcomes are written one after the other into one array: an array or an object of its own for each costs half
// as much again on both sides. Objects that several attempts share, such as the headers, are sent once per message.

const ATTEMPT_CELLS = 8;
const OUTCOME_CELLS = 10;

const LEFT_ORIGIN = 1;
const HEAD_REFUSED = 2;
const MAY_RESUME = 4;
const OF_DOCUMENT = 8;

const TRUNCATED = 1;
const LENIENT = 2;
const STALE = 4;
const UNWATCHED = 8;
const HAS_BODY = 16;
const RESUMED = 32;
const MUST_RESTART = 64;
const HAS_RESPONSE = 128;
const UNCHANGED = 256;

/** What few attempts have. */
interface AttemptExtra {
  readonly timeoutMs?: number | undefined;
  readonly body?: string | Uint8Array | undefined;
  readonly job?: PackedJob | undefined;
}

/** What few outcomes have. */
interface OutcomeExtra {
  readonly streams?: number | undefined;
  readonly inspected?: Inspection | undefined;
  readonly peer?: Peer | undefined;
}

/** Adds an attempt to a message. `needsJob` if the thread cannot do without the job, since it names the file of the body. */
export function packAttempt(cells: unknown[], id: number, request: AttemptRequest, needsJob: boolean): void {
  const { hop, elapsedMs, timeoutMs, use, job, isHeadRefused, mayResume } = request;
  const { url, method, headers, body, hasLeftOrigin } = hop;
  const flags =
    (hasLeftOrigin === true ? LEFT_ORIGIN : 0) |
    (isHeadRefused === true ? HEAD_REFUSED : 0) |
    (mayResume === true ? MAY_RESUME : 0) |
    (job.index < 0 ? OF_DOCUMENT : 0);
  const sendsJob = needsJob || job.expect !== undefined;
  const extra: AttemptExtra | undefined =
    sendsJob || body !== undefined || timeoutMs !== undefined
      ? { timeoutMs, body, job: sendsJob ? packJob(job) : undefined }
      : undefined;
  cells.push(id, url, method, headers, elapsedMs, use, flags, extra);
}

/** Stands for a job of which nothing matters to the thread. */
const ANY_JOB: Job = { index: 0, source: '', line: 0, url: '' };
const ANY_DOCUMENT: Job = { ...ANY_JOB, index: -1 };

/** Calls `start` with each attempt of a message. */
export function unpackAttempts(
  cells: readonly unknown[],
  start: (id: number, request: AttemptRequest) => void,
): void {
  for (let at = 0; at < cells.length; at += ATTEMPT_CELLS) {
    // Written by `packAttempt()`.
    const [id, url, method, headers, elapsedMs, use, flags, extra] = cells.slice(at, at + ATTEMPT_CELLS) as [
      number,
      string,
      string,
      Readonly<Record<string, string>>,
      number,
      ConnectionUse,
      number,
      AttemptExtra | undefined,
    ];
    const hasLeftOrigin = (flags & LEFT_ORIGIN) !== 0;
    const anyJob = (flags & OF_DOCUMENT) === 0 ? ANY_JOB : ANY_DOCUMENT;
    start(id, {
      hop: { url, method, headers, body: extra?.body, hasLeftOrigin },
      elapsedMs,
      timeoutMs: extra?.timeoutMs,
      use,
      job: extra?.job === undefined ? anyJob : unpackJob(extra.job),
      isHeadRefused: (flags & HEAD_REFUSED) !== 0,
      mayResume: (flags & MAY_RESUME) !== 0,
    });
  }
}

/** Adds an outcome to a message, with those headers of the response that matter. */
export function packOutcome(
  cells: unknown[],
  id: number,
  { response, failed, isStale, isUnwatched, streams, body, ttfbMs, durationMs }: AttemptOutcome,
  headers: ResponseHeaders | undefined,
): void {
  const flags =
    (response === undefined ? 0 : HAS_RESPONSE) |
    (response?.isTruncated === true ? TRUNCATED : 0) |
    (response?.isLenient === true ? LENIENT : 0) |
    (response?.isUnchanged === true ? UNCHANGED : 0) |
    (isStale ? STALE : 0) |
    (isUnwatched === true ? UNWATCHED : 0) |
    (body === undefined ? 0 : HAS_BODY) |
    (body?.isResumed === true ? RESUMED : 0) |
    (body?.mustRestart === true ? MUST_RESTART : 0);
  const { inspector, peer } = response ?? {};
  const inspected = inspector && toInspection(inspector);
  const isPlain = (streams ?? inspected ?? peer) === undefined;
  const extra: OutcomeExtra | undefined = isPlain ? undefined : { streams, inspected, peer };
  const { status, statusText, bytes } = response ?? {};
  cells.push(id, status, statusText, headers, bytes, flags, ttfbMs, durationMs, failed, extra);
}

/** As plain data. */
function toInspection({ start, textFault, sha256, title, anchors }: Inspection): Inspection {
  return { start, textFault, sha256, title, anchors };
}

/** What a body is, as the thread that keeps it says. */
export type BodyFacts = Pick<HeldBody, 'isResumed' | 'mustRestart'>;

/** Calls `take` with each outcome of a message. The body of an outcome is left out, and `body` says what it is. */
export function unpackOutcomes(
  cells: readonly unknown[],
  thread: number,
  take: (id: number, outcome: AttemptOutcome, body: BodyFacts | undefined) => void,
): void {
  for (let at = 0; at < cells.length; at += OUTCOME_CELLS) {
    // Written by `packOutcome()`; the cells of a response are set if there is one.
    const [id, status, statusText, headers, bytes, flags, ttfbMs, durationMs, failed, extra] = cells.slice(
      at,
      at + OUTCOME_CELLS,
    ) as [
      number,
      number,
      string,
      ResponseHeaders,
      number,
      number,
      number | undefined,
      number,
      NetworkFailure | undefined,
      OutcomeExtra | undefined,
    ];
    const response = {
      status,
      statusText,
      headers,
      bytes,
      isTruncated: (flags & TRUNCATED) !== 0,
      isLenient: (flags & LENIENT) !== 0,
      isUnchanged: (flags & UNCHANGED) !== 0,
      inspector: extra?.inspected,
      peer: extra?.peer,
    };
    const outcome = {
      response: (flags & HAS_RESPONSE) === 0 ? undefined : response,
      failed,
      isStale: (flags & STALE) !== 0,
      isUnwatched: (flags & UNWATCHED) !== 0,
      streams: extra?.streams,
      thread,
      ttfbMs,
      durationMs,
    };
    const isResumed = (flags & RESUMED) !== 0;
    const body = { isResumed, mustRestart: (flags & MUST_RESTART) !== 0 };
    take(id, outcome, (flags & HAS_BODY) === 0 ? undefined : body);
  }
}

/** A `Buffer` arrives as a `Uint8Array`. */
export function withBuffer(kept: KeptBody | undefined): KeptBody | undefined {
  if (kept?.buffer === undefined) return kept;
  const { buffer, byteOffset, byteLength } = kept.buffer;
  return { ...kept, buffer: Buffer.from(buffer, byteOffset, byteLength) };
}
