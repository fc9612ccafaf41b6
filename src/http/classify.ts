import type { Failure, FailureKind } from '../model/failure.ts';
import { printable } from '../model/printable.ts';
import { AttemptError } from './attempt-error.ts';
import { DialError } from './dial-error.ts';

/** A failure of the network, and whether another attempt may end better. */
export interface NetworkFailure {
  readonly failure: Failure;
  readonly isRetryable: boolean;
}

interface Rule {
  readonly kind: FailureKind;
  readonly isRetryable: boolean;
  readonly message?: string;
}

// By the code of the library that reported the error. What is not named here is told apart by its phase (`DialError`)
// or is a bug (`internal`).
const RULES: Readonly<Record<string, Rule>> = {
  UND_ERR_SOCKET: { kind: 'reset', isRetryable: true },
  ECONNRESET: { kind: 'reset', isRetryable: true, message: 'connection reset by the server' },
  EPIPE: { kind: 'reset', isRetryable: true, message: 'connection closed by the server' },
  ETIMEDOUT: { kind: 'timeout', isRetryable: true },
  EHOSTUNREACH: { kind: 'connect', isRetryable: true },
  ENETUNREACH: { kind: 'connect', isRetryable: true },
  ENETDOWN: { kind: 'connect', isRetryable: true },
  UND_ERR_HEADERS_OVERFLOW: { kind: 'protocol', isRetryable: false, message: 'headers over 64 KiB' },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { kind: 'protocol', isRetryable: true },
};

const FINAL_DNS_CODES: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

// What OpenSSL and Node say of a certificate that does not hold; a broken handshake is another matter.
const CERTIFICATE_CODE = /CERT|SIGNATURE|ISSUER|HOSTNAME_MISMATCH|CRL|CHAIN|INVALID_PURPOSE|INVALID_CA/;

/** Says what an error of an attempt means for its URL. Decides by class, code and name, never by the message. */
export function classify(error: Error & { readonly code?: string | undefined }): NetworkFailure {
  if (error instanceof DialError || error instanceof AttemptError) {
    return failed(error.kind, error, isRetryablePhase(error.kind, error.code));
  }
  if (error.name === 'HTTPParserError') return failed('protocol', error, isCutOff(error));
  const rule = error.code === undefined ? undefined : RULES[error.code];
  if (rule === undefined) return failed('internal', error, false);
  return failed(rule.kind, error, rule.isRetryable, rule.message);
}

function isRetryablePhase(kind: FailureKind, code: string | undefined): boolean {
  switch (kind) {
    case 'dns':
      return !FINAL_DNS_CODES.has(code);
    case 'tls':
      return code === undefined || !CERTIFICATE_CODE.test(code);
    case 'connect':
    case 'timeout':
    case 'reset':
      return true;
    default:
      return false;
  }
}

/** llhttp's name for a connection that ended in the middle of an answer: the body may be whole next time. */
function isCutOff(error: Error & { readonly code?: string | undefined }): boolean {
  return error.code === 'HPE_INVALID_EOF_STATE';
}

function failed(
  kind: FailureKind,
  error: Error & { readonly code?: string | undefined },
  isRetryable: boolean,
  message = error.message,
): NetworkFailure {
  const code = error.code === undefined ? {} : { code: error.code };
  return { failure: { kind, ...code, message: printable(message || kind) }, isRetryable };
}
