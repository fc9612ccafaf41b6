import type { FailureKind } from '../model/failure.ts';
import { printable } from '../model/printable.ts';
import {
  Http2Error,
  isNegativeDnsCode,
  NetworkError,
  type NetworkFailure,
  PROXY_AUTHENTICATION_CODE,
  ResourceExhaustedError,
} from './network-errors.ts';

/** How much of the exchange had happened before the error. */
export interface ExchangeProgress {
  readonly hasHead: boolean;
  /** Whether the connection is known to have carried only this exchange. */
  readonly isFresh: boolean;
  /** Whether the server had ended the connection before. */
  readonly hasEnded: boolean;
  /** Whether there is a client certificate that was not shown, since a redirect had led to another origin. */
  readonly isCertificateWithheld?: boolean;
}

/** An error of Node, undici or fanout, with the properties that they add. */
type ReportedError = Error & {
  readonly code?: string | undefined;
  /** Of undici's SocketError. */
  readonly socket?: { readonly bytesRead?: number } | undefined;
};

/** What an error means for its URL. Decides by class, code and progress, never by the message. */
export function classifyError(error: ReportedError, progress: ExchangeProgress): NetworkFailure {
  const failed = classify(error, progress);
  const { kind, code = '', message } = failed.failure;
  if (progress.isCertificateWithheld !== true || kind !== 'tls' || !CERTIFICATE_WANTED.test(code))
    return failed;
  const reason = message.replace(GIVE_CERTIFICATE, '');
  return { ...failed, failure: { ...failed.failure, message: `${reason}${CERTIFICATE_WITHHELD}` } };
}

function classify(error: ReportedError, progress: ExchangeProgress): NetworkFailure {
  if (error instanceof ResourceExhaustedError) {
    return { ...toFailure(error, { kind: error.kind, isRetryable: true }), isResourceExhausted: true };
  }
  if (error instanceof NetworkError) {
    const failure = toFailure(error, {
      kind: error.kind,
      isRetryable: isRetryableKind(error.kind, error.code),
    });
    return error.code === REFUSED_STREAM ? { ...failure, isUnprocessed: true } : failure;
  }
  const rule = ruleFor(error, progress);
  if (rule === undefined) {
    const failed = toFailure(error, { kind: 'internal', isRetryable: false });
    const { stack } = error;
    return stack === undefined ? failed : { ...failed, failure: { ...failed.failure, stack } };
  }
  const failure = toFailure(error, rule);
  return rule.kind === 'protocol' ? { ...failure, isUnparsable: true } : failure;
}

interface Rule {
  readonly kind: FailureKind;
  readonly isRetryable: boolean;
  /** The message of the failure; the description of the error if left out. */
  readonly message?: string;
}

const BODY_CUT_OFF: Rule = {
  kind: 'reset',
  isRetryable: true,
  message: 'the connection ended before the body was complete',
};
const NO_RESPONSE: Rule = {
  kind: 'reset',
  isRetryable: true,
  message: 'the server closed the connection without a response',
};
// Retryable, because undici reports a head that was cut off in the same way.
const NO_FINAL_RESPONSE: Rule = {
  kind: 'protocol',
  isRetryable: true,
  message: 'the server sent part of a response, or one that was not asked for',
};
const MALFORMED_HEAD: Rule = {
  kind: 'protocol',
  isRetryable: false,
  message: 'the headers of the response are malformed',
};

const NOT_HTTP = 'the response does not start with a status line of HTTP/1';
const NUL_IN_HEAD = 'there is a NUL in the headers';

// By the code of the library that reported the error. Any other code is a bug (`internal`), unless the error is a
// `NetworkError`, which has its kind.
const RULES: Readonly<Record<string, Rule>> = {
  ECONNRESET: { kind: 'reset', isRetryable: true, message: 'connection reset by the server' },
  EPIPE: { kind: 'reset', isRetryable: true, message: 'connection closed by the server' },
  EPROTO: { kind: 'tls', isRetryable: true },
  ETIMEDOUT: { kind: 'timeout', isRetryable: true },
  // Of an open connection. Of a connect they are a `ResourceExhaustedError`.
  ENOBUFS: { kind: 'reset', isRetryable: true, message: 'connection lost for want of memory' },
  ENOMEM: { kind: 'reset', isRetryable: true, message: 'connection lost for want of memory' },
  EHOSTUNREACH: { kind: 'connect', isRetryable: true },
  ENETUNREACH: { kind: 'connect', isRetryable: true },
  ENETDOWN: { kind: 'connect', isRetryable: true },
  UND_ERR_HEADERS_OVERFLOW: { kind: 'protocol', isRetryable: false, message: 'headers over 64 KiB' },
  ERR_TRANSFER_ENCODING: {
    kind: 'protocol',
    isRetryable: false,
    message: 'the Transfer-Encoding is malformed',
  },
  ERR_OTHER_PROTOCOL: { kind: 'protocol', isRetryable: false, message: NOT_HTTP },
  ERR_NUL: { kind: 'protocol', isRetryable: false, message: NUL_IN_HEAD },
  // An assertion of undici about what its parser accepts, such as a status below 100.
  ERR_ASSERTION: { kind: 'protocol', isRetryable: false, message: 'the response is not valid HTTP' },
};

function ruleFor(error: ReportedError, { hasHead, isFresh, hasEnded }: ExchangeProgress): Rule | undefined {
  const { code = '' } = error;
  if (error.name === 'HTTPParserError') {
    // The parser failed because the stream ended. It fails on bytes before it reads on to the end.
    return hasHead && hasEnded ? BODY_CUT_OFF : { kind: 'protocol', isRetryable: false };
  }
  // undici reports this for every response with a Content-Length that it cannot read to the end.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return hasHead ? BODY_CUT_OFF : MALFORMED_HEAD;
  if (code === 'UND_ERR_SOCKET') {
    if (hasHead) return BODY_CUT_OFF;
    return isFresh && (error.socket?.bytesRead ?? 0) > 0 ? NO_FINAL_RESPONSE : NO_RESPONSE;
  }
  // An alert after the handshake, such as one that asks for a client certificate.
  if (code.startsWith('ERR_SSL_')) return { kind: 'tls', isRetryable: isRetryableKind('tls', code) };
  return RULES[code];
}

// Codes of OpenSSL and Node for a certificate that was rejected, as opposed to a handshake that failed.
const CERTIFICATE_CODE =
  /CERT|SIGNATURE|ISSUER|HOSTNAME_MISMATCH|CRL|CHAIN|INVALID_PURPOSE|INVALID_CA|UNKNOWN_CA/;

/** Whether a TLS failure is about the certificate: another attempt, or another address, will not change it. */
export function isCertificateError(code: string | undefined): boolean {
  return code !== undefined && CERTIFICATE_CODE.test(code);
}

function isRetryableKind(kind: FailureKind, code: string | undefined): boolean {
  switch (kind) {
    case 'dns':
      return !isNegativeDnsCode(code);
    case 'tls':
      return !isCertificateError(code);
    case 'connect':
      return code !== PROXY_AUTHENTICATION_CODE;
    case 'timeout':
    case 'reset':
      return true;
    default:
      return false;
  }
}

function toFailure(error: ReportedError, { kind, isRetryable, message }: Rule): NetworkFailure {
  const code = error.code === undefined ? {} : { code: error.code };
  return { failure: { kind, ...code, message: message ?? describeError(error) }, isRetryable };
}

/** RFC 9113, 8.7: the stream was refused before any processing. */
const REFUSED_STREAM = 'NGHTTP2_REFUSED_STREAM';

const MISSING_ISSUER =
  'the server may leave out its intermediate certificate: give the missing certificate with --cacert';

const GIVE_CERTIFICATE = ' (give one with --cert)';
const CERTIFICATE_WITHHELD =
  ' (--cert is sent only to the origin of the URL, not after a redirect to another)';

// Of a server that requires a client certificate, with TLS 1.3 and 1.2.
const CERTIFICATE_WANTED = /ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/;

// Added to what OpenSSL says, by Node's code for it.
const HINTS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: ' (is this a plain HTTP port?)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ` (${MISSING_ISSUER})`,
  UNABLE_TO_GET_ISSUER_CERT: ` (${MISSING_ISSUER})`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ` (${MISSING_ISSUER})`,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ' (is this a plain HTTP port?)',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: GIVE_CERTIFICATE,
};

// Newer versions of Node append advice on the options of Node, which are not fanout's.
const NODE_ADVICE = /; if the root CA is installed locally.*$/;

/** Describes an error in one printable line, never empty. Of an OpenSSL error only its `reason`, not the internals. */
export function describeError(error: Error & { readonly code?: string | undefined }): string {
  const { code = '' } = error;
  if ('reason' in error && typeof error.reason === 'string' && code.startsWith('ERR_SSL_')) {
    return printable(`${error.reason}${HINTS[code] ?? ''}`);
  }
  const message = error.message.replace(NODE_ADVICE, '') || describeParts(error) || code || error.name;
  // A `NetworkError` was described when it was made.
  return printable(error instanceof NetworkError ? message : `${message}${HINTS[code] ?? ''}`);
}

/** An AggregateError has no message of its own. */
function describeParts(error: Error): string {
  if (!(error instanceof AggregateError)) return '';
  const messages = error.errors.map((part) => (part instanceof Error ? describeError(part) : String(part)));
  return [...new Set(messages)].join('; ');
}

export const INVALID_HTTP2 = 'the response is not valid HTTP/2';

// The error codes of HTTP/2 (RFC 9113, 7), by their number.
const ERROR_CODES: readonly string[] = (
  'NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR ' +
  'REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED'
).split(' ');

/**
 * The error of an HTTP/2 stream that ended early, from Node's error and the code of RST_STREAM. A cut-off stream may be retried; a
 * violation of HTTP/2 would happen again.
 */
export function toHttp2Error(
  error: (Error & { readonly code?: string }) | undefined,
  resetCode: number,
  hasHead: boolean,
): Error {
  const { code = '' } = error ?? {};
  if (hasHead && (code === 'EPIPE' || code === 'ECONNRESET')) {
    return new Http2Error('reset', code, `the stream ended before the body was complete (${code})`);
  }
  if (error !== undefined && !code.startsWith('ERR_HTTP2_')) return error;
  // nghttp2 could not parse the response.
  if (error !== undefined && code === 'ERR_HTTP2_ERROR') {
    return new Http2Error('protocol', code, `${INVALID_HTTP2} (${describeError(error)})`);
  }
  const name = ERROR_CODES[resetCode] ?? `code ${resetCode}`;
  const reported = `NGHTTP2_${name}`;
  if (hasHead) {
    return new Http2Error('reset', reported, `the stream ended before the body was complete (${name})`);
  }
  return name === 'PROTOCOL_ERROR'
    ? new Http2Error('protocol', reported, 'the response breaks the rules of HTTP/2')
    : new Http2Error('reset', reported, `the server ended the stream without a response (${name})`);
}
