import { expect, test } from 'vitest';
import { classifyError, describeError, type ExchangeProgress } from '../../src/http/classify-error.ts';
import { ConnectError } from '../../src/http/network-errors.ts';

const AT_START: ExchangeProgress = { hasHead: false, isFresh: true };
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
])('%s on a connection is %s', (code, kind, isRetryable) => {
  expect(classifyError(coded(code, 'words'), AT_START)).toMatchObject({
    failure: { kind, code },
    isRetryable,
  });
});

test('a bug is internal and keeps its message', () => {
  const { failure, isRetryable } = classifyError(new TypeError('x is not a function'), AT_START);
  expect([failure, isRetryable]).toEqual([{ kind: 'internal', message: 'x is not a function' }, false]);
});

test.each([
  [{ hasHead: false, isFresh: true }, 0, 'reset'],
  [{ hasHead: false, isFresh: true }, 17, 'protocol'],
  [{ hasHead: false, isFresh: false }, 17, 'reset'], // the bytes may be those of the answers before
  [{ hasHead: true, isFresh: true }, 17, 'reset'],
])('a socket that ends at %o after %i bytes is %s', (progress, bytesRead, kind) => {
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
])('a handshake that fails with %s: may be tried again: %s', (code, isRetryable) => {
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
])('explain() of error %# is one line that is never empty', (error, line) => {
  expect(describeError(error)).toBe(line);
});
