import type { FailureKind } from '../model/failure.ts';
import { printable } from '../model/printable.ts';
import { isFinalDnsCode } from './dns/dns-cache.ts';
import {
  KnownError,
  type NetworkFailure,
  PROXY_AUTHENTICATION,
  ResourceExhaustedError,
} from './network-errors.ts';

// What people know under another name, by Node's code for what OpenSSL found.
const HINTS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: ' (is this a plain HTTP port?)',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ' (is this a plain HTTP port?)',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ' (give one with --cert)',
};

// Newer versions of Node tell the user of a program how to run Node.
const NODE_ADVICE = /; if the root CA is installed locally.*$/;

/**
 * One printable line for people that says what an error is: never empty, and without the internals of OpenSSL, whose
 * own word for it stands in `reason`.
 */
export function explain(error: Error & { readonly code?: string | undefined }): string {
  const { code = '' } = error;
  if ('reason' in error && typeof error.reason === 'string' && code.startsWith('ERR_SSL_')) {
    return printable(`${error.reason}${HINTS[code] ?? ''}`);
  }
  return printable(error.message.replace(NODE_ADVICE, '') || partsOf(error) || code || error.name);
}

/** An AggregateError has no message of its own. */
function partsOf(error: Error): string {
  if (!(error instanceof AggregateError)) return '';
  const messages = error.errors.map((part) => (part instanceof Error ? explain(part) : String(part)));
  return [...new Set(messages)].join('; ');
}

/** How far the exchange came before the error. */
export interface Progress {
  readonly hasHead: boolean;
  /** Whether the connection has carried nothing but this exchange, as far as is known. */
  readonly isFresh: boolean;
}

/** An error of Node, of undici or of ours, with what they add to it. */
type ReportedError = Error & {
  readonly code?: string | undefined;
  /** Of undici's HTTPParserError: what the parser could not read. */
  readonly data?: string | undefined;
  /** Of undici's SocketError. */
  readonly socket?: { readonly bytesRead?: number } | undefined;
};

interface Rule {
  readonly kind: FailureKind;
  readonly isRetryable: boolean;
  readonly message?: string;
}

const CUT_OFF: Rule = {
  kind: 'reset',
  isRetryable: true,
  message: 'the connection ended before the body was complete',
};
const NO_ANSWER: Rule = {
  kind: 'reset',
  isRetryable: true,
  message: 'the server closed the connection without an answer',
};
// Among what undici reports this way is a head that broke off, for which another attempt may help.
const NO_FINAL_ANSWER: Rule = {
  kind: 'protocol',
  isRetryable: true,
  message: 'what the server sent is no whole answer, or one that was not asked for',
};
const BROKEN_HEAD: Rule = {
  kind: 'protocol',
  isRetryable: false,
  message: 'the headers of the answer are malformed',
};

// By the code of the library that reported the error. What is not named here is told apart by its phase (`ConnectError`)
// or is a bug (`internal`).
const RULES: Readonly<Record<string, Rule>> = {
  ECONNRESET: { kind: 'reset', isRetryable: true, message: 'connection reset by the server' },
  EPIPE: { kind: 'reset', isRetryable: true, message: 'connection closed by the server' },
  EPROTO: { kind: 'tls', isRetryable: true },
  ETIMEDOUT: { kind: 'timeout', isRetryable: true },
  // Of a connection that was made; before that it is a shortage.
  ENOBUFS: { kind: 'reset', isRetryable: true, message: 'connection lost for want of memory' },
  ENOMEM: { kind: 'reset', isRetryable: true, message: 'connection lost for want of memory' },
  EHOSTUNREACH: { kind: 'connect', isRetryable: true },
  ENETUNREACH: { kind: 'connect', isRetryable: true },
  ENETDOWN: { kind: 'connect', isRetryable: true },
  UND_ERR_HEADERS_OVERFLOW: { kind: 'protocol', isRetryable: false, message: 'headers over 64 KiB' },
  // undici asserts what its parser lets through, such as a status below 100.
  ERR_ASSERTION: { kind: 'protocol', isRetryable: false, message: 'the answer is not valid HTTP' },
};

// What OpenSSL and Node say of a certificate that does not hold; a broken handshake is another matter.
const CERTIFICATE_CODE =
  /CERT|SIGNATURE|ISSUER|HOSTNAME_MISMATCH|CRL|CHAIN|INVALID_PURPOSE|INVALID_CA|UNKNOWN_CA/;

/** Says what an error of an attempt means for its URL. Decides by class, code and progress, never by the message. */
export function classify(error: ReportedError, progress: Progress): NetworkFailure {
  if (error instanceof ResourceExhaustedError) {
    return { ...failed(error, { kind: error.kind, isRetryable: true }), isResourceExhausted: true };
  }
  if (error instanceof KnownError) {
    return failed(error, { kind: error.kind, isRetryable: isRetryablePhase(error.kind, error.code) });
  }
  return failed(error, ruleFor(error, progress) ?? { kind: 'internal', isRetryable: false });
}

function ruleFor(error: ReportedError, { hasHead, isFresh }: Progress): Rule | undefined {
  const { code = '' } = error;
  if (error.name === 'HTTPParserError') {
    // At the end of the stream there is nothing that the parser could not read.
    return hasHead && error.data === '' ? CUT_OFF : { kind: 'protocol', isRetryable: false };
  }
  // undici says this of every answer with a Content-Length that it cannot read to the end.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return hasHead ? CUT_OFF : BROKEN_HEAD;
  if (code === 'UND_ERR_SOCKET') {
    if (hasHead) return CUT_OFF;
    return isFresh && (error.socket?.bytesRead ?? 0) > 0 ? NO_FINAL_ANSWER : NO_ANSWER;
  }
  // An alert that comes after the handshake, such as one that asks for a client certificate.
  if (code.startsWith('ERR_SSL_')) return { kind: 'tls', isRetryable: isRetryablePhase('tls', code) };
  return RULES[code];
}

function isRetryablePhase(kind: FailureKind, code: string | undefined): boolean {
  switch (kind) {
    case 'dns':
      return !isFinalDnsCode(code);
    case 'tls':
      return code === undefined || !CERTIFICATE_CODE.test(code);
    case 'connect':
      return code !== PROXY_AUTHENTICATION;
    case 'timeout':
    case 'reset':
      return true;
    default:
      return false;
  }
}

function failed(error: ReportedError, { kind, isRetryable, message }: Rule): NetworkFailure {
  const code = error.code === undefined ? {} : { code: error.code };
  return { failure: { kind, ...code, message: message ?? explain(error) }, isRetryable };
}
