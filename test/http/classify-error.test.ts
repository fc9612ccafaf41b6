import { describe, expect, test } from 'vitest';
import { classifyError, describeError, type ExchangeProgress } from '../../src/http/classify-error.ts';
import { ConnectError, ResourceExhaustedError } from '../../src/http/network-errors.ts';

const AT_START: ExchangeProgress = { hasHead: false, isFresh: true, hasEnded: false };

const coded = (code: string, message: string, more = {}) =>
  Object.assign(new Error(message), { code, ...more });

test.each([
  ['EHOSTUNREACH', 'connect', true],
  ['ENETUNREACH', 'connect', true],
  ['ETIMEDOUT', 'timeout', true],
  ['EPIPE', 'reset', true],
  ['EPROTO', 'tls', true],
  ['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'tls', true],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls', false],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls', false],
  ['ERR_ASSERTION', 'protocol', false],
  ['EBADF', 'internal', false],
])('classifyError() calls %s %s', (code, kind, isRetryable) => {
  expect(classifyError(coded(code, 'words'), AT_START)).toMatchObject({
    failure: { kind, code },
    isRetryable,
  });
});

test('classifyError() calls a bug internal, with its message and stack', () => {
  const error = new TypeError('x is not a function');
  const { failure, isRetryable } = classifyError(error, AT_START);
  const expected = { kind: 'internal', message: 'x is not a function', stack: error.stack };
  expect([failure, isRetryable]).toEqual([expected, false]);
});

test.each([
  [AT_START, 0, 'reset'],
  [AT_START, 17, 'protocol'],
  [{ ...AT_START, isFresh: false }, 17, 'reset'], // the bytes may be those of earlier responses
  [{ ...AT_START, hasHead: true }, 17, 'reset'],
])('classifyError() calls a socket that ended at %o after %i bytes %s', (progress, bytesRead, kind) => {
  const error = coded('UND_ERR_SOCKET', 'other side closed', { socket: { bytesRead } });
  expect(classifyError(error, progress)).toMatchObject({ failure: { kind }, isRetryable: true });
});

test.each([
  ['CERT_HAS_EXPIRED', false],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', false],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', false],
  ['SELF_SIGNED_CERT_IN_CHAIN', false],
  ['HOSTNAME_MISMATCH', false],
  ['ERR_TLS_CERT_ALTNAME_INVALID', false],
  ['ECONNRESET', true],
  [undefined, true],
])('classifyError() of a handshake that failed with %s: retryable %s', (code, isRetryable) => {
  expect(classifyError(new ConnectError('tls', code, 'words'), AT_START).isRetryable).toBe(isRetryable);
});

test.each([
  [
    coded('ERR_SSL_WRONG_VERSION_NUMBER', '80BC:error:0A00010B:SSL routines:ssl3_get_record:../x.c:350:\n', {
      reason: 'wrong version number',
    }),
    'wrong version number (is this a plain HTTP port?)',
  ],
  [new AggregateError([new Error('one'), new Error('two'), new Error('one')]), 'one; two'],
  [new AggregateError([new AggregateError([coded('ECONNREFUSED', '')])]), 'ECONNREFUSED'],
  [new AggregateError([]), 'AggregateError'],
  [coded('EODD', ''), 'EODD'],
  [new Error(''), 'Error'],
  [new Error('two\nlines\u001b[31m'), 'two\\u{a}lines\\u{1b}[31m'],
])('describeError() of error %# is one line, never empty', (error, line) => {
  expect(describeError(error)).toBe(line);
});

describe('a lack of resources', () => {
  test('is marked, unlike the failure of a host', () => {
    const progress = AT_START;
    const { isResourceExhausted, failure } = classifyError(
      new ResourceExhaustedError('EMFILE', 'words'),
      progress,
    );
    expect([isResourceExhausted, failure]).toEqual([
      true,
      { kind: 'connect', code: 'EMFILE', message: 'words' },
    ]);
    expect(
      classifyError(new ConnectError('connect', 'ECONNREFUSED', 'words'), progress).isResourceExhausted,
    ).toBe(undefined);
  });

  test.each(['ENOBUFS', 'ENOMEM'])('%s of an open connection is a reset', (code) => {
    const error = Object.assign(new Error('words'), { code });
    expect(classifyError(error, AT_START)).toMatchObject({
      failure: { kind: 'reset', code },
      isRetryable: true,
    });
  });
});
