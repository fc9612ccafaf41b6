import type { Hash } from 'node:crypto';
import type { BodyInspector } from '../bodies/body.ts';
import type { BodyCapture } from '../bodies/body-capture.ts';
import type { Job } from '../model/job.ts';
import type { KeptBody, ResponseHeaders } from '../model/result.ts';
import type { ConnectionUse } from './connection.ts';
import type { Hop } from './hop.ts';
import type { NetworkFailure } from './network-errors.ts';
import type { Peer } from './tls.ts';

/** One hop to send. Plain data, so that another thread can send it. */
export interface AttemptRequest {
  readonly hop: Hop;
  /** Time in ms that the attempt has used up already: the earlier hops, or a stale connection. */
  readonly elapsedMs: number;
  /** Time in ms for the attempt, all its hops together; that of the transport if left out. */
  readonly timeoutMs?: number | undefined;
  /** Which connection to use; any if left out. */
  readonly use?: ConnectionUse;
  /** The job that says what is done with the body. */
  readonly job: Job;
  /** Whether the job's server refused HEAD, so that the rest of a body that tells nothing may be missing. */
  readonly isHeadRefused?: boolean;
  /** Whether threads that sent it have ended several times, so that it may be the cause: others are not sent with it. */
  readonly isSuspect?: boolean;
  /** Whether only the rest of a body may be requested that an earlier attempt or run began to save. */
  readonly mayResume?: boolean;
}

/** What is done with the bodies of responses. */
export interface BodyRules {
  /** Made before the request is sent. `undefined` if its body is not kept. */
  captureFor(request: AttemptRequest): BodyCapture | Promise<BodyCapture> | undefined;
  /** Who looks at the body of a response with this head. `partialHash` has what is in a file already of a resumed body. */
  inspectorFor(
    request: AttemptRequest,
    status: number,
    headers: ResponseHeaders,
    partialHash?: Hash,
  ): BodyInspector | undefined;
  /** Whether the body of a response with this head matters for the verdict. `isKept` if there is a capture. */
  needsBody(request: AttemptRequest, status: number, headers: ResponseHeaders, isKept: boolean): boolean;
}

/** A body that is kept until its response has been judged. Either `end` or `drop` must be called. */
export interface HeldBody {
  /** Whether only the rest of the body was requested. */
  readonly isResumed: boolean;
  /** Whether the server did not send that rest, so that the whole must be requested. */
  readonly mustRestart: boolean;
  /** Completes the body. Rejects with a `BodyError` if it cannot be kept. */
  end(isOk: boolean, isWhole: boolean): Promise<KeptBody | undefined>;
  /** Discards it. Never rejects. */
  drop(): Promise<void>;
}

/** What the inspection of a body has found; some of it is known only at the end. */
export type Inspection = Pick<BodyInspector, 'start' | 'textFault' | 'sha256' | 'title' | 'anchors'>;

/** The response to one hop. Its body was read up to the limit of bytes. */
export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: ResponseHeaders;
  /** Decoded bytes that were read. */
  readonly bytes: number;
  readonly isTruncated: boolean;
  /** Whether the lenient parser has read it. */
  readonly isLenient?: boolean;
  /** What the inspection of its body has found. */
  readonly inspector?: Inspection | undefined;
  /** Whether it says that the body is the one that an earlier run has saved. */
  readonly isUnchanged?: boolean | undefined;
  /** The other end of its connection, if that is kept. */
  readonly peer?: Peer | undefined;
}

/**
 * What happened to one hop: a response, a failure, or both if it failed in the body.
 * `ttfbMs` and `durationMs` count from the start of the hop.
 */
export interface AttemptOutcome {
  readonly response: HttpResponse | undefined;
  readonly failed: NetworkFailure | undefined;
  /** A kept connection failed before any byte of a response: the server may have closed it just before the request. */
  readonly isStale: boolean;
  /** The body would end with a TLS connection that does not tell its end from a cut. Another one to this origin will. */
  readonly isUnwatched?: boolean;
  /** Requests that the one HTTP/2 connection to the origin may carry. */
  readonly streams?: number | undefined;
  /** The body, if something of it is kept, also that of a failure. */
  readonly body?: HeldBody | undefined;
  /** The thread with the connection, if it is another one. */
  readonly thread?: number | undefined;
  readonly ttfbMs: number | undefined;
  readonly durationMs: number;
}

/** Receives the outcome of an attempt, or else an error, which is a bug. It must not throw. */
export type OnOutcome = (outcome: AttemptOutcome | undefined, bug?: unknown) => void;
