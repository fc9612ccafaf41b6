import type { Failure, FailureKind } from '../model/failure.ts';
import { printable } from '../model/printable.ts';

/** A failure of the network, and whether another attempt may succeed. */
export interface NetworkFailure {
  readonly failure: Failure;
  readonly isRetryable: boolean;
  /** Whether the strict parser refused the response, so that a lenient one may read it. */
  readonly isUnparsable?: boolean;
  /** Whether the server certainly did not process the request, so that any method may be sent again. */
  readonly isUnprocessed?: boolean;
  /** Whether this machine lacked a resource, so that the failure says nothing about the URL and its host. */
  readonly isResourceExhausted?: boolean;
  /** Whether a fault of fanout itself ended the attempt, so that the failure says nothing about the URL and its host. */
  readonly isLost?: boolean;
}

/** An error whose kind is set where it is thrown, because its code does not determine it. */
export abstract class NetworkError extends Error {
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** fanout itself ended the attempt: a time limit, a stopped run, or a response that fanout refuses. */
export class AttemptError extends NetworkError {
  override readonly name = 'AttemptError';
}

/** A connection could not be made. The kind names the phase that failed: DNS, connect, proxy or TLS. */
export class ConnectError extends NetworkError {
  override readonly name = 'ConnectError';
}

/** An HTTP/2 stream ended before its response did. */
export class Http2Error extends NetworkError {
  override readonly name = 'Http2Error';
}

/** This machine has run out of descriptors, memory or ports. Nothing was sent; the host is not at fault. */
export class ResourceExhaustedError extends NetworkError {
  override readonly name = 'ResourceExhaustedError';

  constructor(code: string | undefined, message: string) {
    super('connect', code, message);
  }
}

const EXHAUSTED_CODES: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** Whether a system error code says that the machine has run out of descriptors or memory. */
export function isResourceExhausted(code: string | undefined): boolean {
  return EXHAUSTED_CODES.has(code);
}

/** The code of a proxy's 407, the only proxy failure that is not retried. */
export const PROXY_AUTHENTICATION_CODE = 'ERR_PROXY_AUTHENTICATION';

/** The code of a proxy that could not connect to an address of the host; another one may do better. */
export const PROXY_TARGET_CODE = 'ERR_PROXY_TARGET';

// Codes of c-ares and of getaddrinfo.
const DNS_REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such name',
  ENODATA: 'the name has no address',
  EBADNAME: 'not a valid DNS name',
  ESERVFAIL: 'the name server failed',
  EREFUSED: 'the name server refused the query',
  ECONNREFUSED: 'nothing listens at the address of the name server',
  ETIMEOUT: 'the name server did not respond in time',
  EBADRESP: 'the response of the name server is malformed',
  EFORMERR: 'the name server does not understand the query',
  ENOTIMP: 'the name server does not support the query',
  ECANCELLED: 'the run has ended',
  EAI_AGAIN: 'the resolver of the system failed for the moment',
  EAI_FAIL: 'the resolver of the system failed',
};

const NEGATIVE_DNS_CODES: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/** Whether a DNS code is a negative answer about the name, which another lookup would repeat, not a failed lookup. */
export function isNegativeDnsCode(code: string | undefined): boolean {
  return NEGATIVE_DNS_CODES.has(code);
}

/** The meaning of a DNS code in words. */
export function dnsReason(code: string | undefined): string {
  return DNS_REASONS[code ?? ''] ?? 'the lookup failed';
}

/** The error of a lookup. Its message has the code and `reason`, which defaults to the meaning of the code; the name is in the URL. */
export function dnsError(code: string | undefined, reason: string = dnsReason(code)): ConnectError {
  return new ConnectError('dns', code, code === undefined ? reason : `${reason} (${printable(code)})`);
}
