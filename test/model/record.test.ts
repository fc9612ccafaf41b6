import { describe, expect, test } from 'vitest';
import { decodeRecord, encodeRecord, encodeRecordCached, type ResultRecord } from '../../src/model/record.ts';
import type { Result } from '../../src/model/result.ts';
import { failedResult, okResult } from './a-result.ts';

test('encodeRecord() writes the keys in the order of the documentation, and leaves out those without a value', () => {
  expect(encodeRecord(okResult())).toBe(
    '{"v":1,"index":0,"source":"urls.txt","line":1,"url":"https://example.com/1","method":"GET","ok":true,' +
      '"status":200,"attempts":1,"redirects":[],"bytes":1234,"truncated":false,' +
      '"startedAt":"2026-01-01T00:00:00.000Z","durationMs":34,"totalMs":34}',
  );
});

test('encodeRecord() writes every key that has a value', () => {
  const record = JSON.parse(
    encodeRecord(
      failedResult('timeout', {
        id: 'mine',
        finalUrl: 'https://example.com/2',
        status: 200,
        redirects: [{ status: 301, url: 'https://example.com/1' }],
        contentType: 'text/html',
        ttfbMs: 30.25,
        worker: 'host-1',
        failure: { kind: 'timeout', code: 'ERR_TIMEOUT', message: 'too slow' },
      }),
    ),
  );
  expect(record).toMatchObject({
    id: 'mine',
    finalUrl: 'https://example.com/2',
    ok: false,
    redirects: [{ status: 301, url: 'https://example.com/1' }],
    contentType: 'text/html',
    ttfbMs: 30.3,
    worker: 'host-1',
    failure: { kind: 'timeout', code: 'ERR_TIMEOUT', message: 'too slow' },
  });
});

test('encodeRecord() rounds durations to tenths of a millisecond', () => {
  expect(JSON.parse(encodeRecord(okResult({ durationMs: 34.1234 }))).durationMs).toBe(34.1);
});

test('encodeRecord() is one line for any text that a server sends', () => {
  const line = encodeRecord(okResult({ contentType: 'a\r\nb\u0000"\ud800' }));
  expect(line).not.toMatch(/[\r\n\0]/);
  expect(JSON.parse(line).contentType).toBe('a\r\nb\u0000"\ud800');
});

test('encodeRecord() writes times as Date.toISOString() does, for seconds in any order', () => {
  for (const startedAt of [0, 999, 1000, 1_767_225_600_000.7, 1_767_225_599_999.9, 1_767_225_600_012, 1]) {
    const written = JSON.parse(encodeRecord(okResult({ startedAt }))).startedAt;
    expect(written).toBe(new Date(startedAt).toISOString());
  }
});

test('encodeRecord() escapes every character that JSON requires, in each key', () => {
  for (let code = 0; code < 300; code += 1) {
    const text = `a${String.fromCharCode(code)}z`;
    const keys = { source: text, id: text, url: text, finalUrl: text, method: text, contentType: text };
    expect(JSON.parse(encodeRecord(okResult(keys)))).toMatchObject(keys);
  }
});

test('encodeRecord() encodes the current state of a result that has changed', () => {
  const result = okResult();
  encodeRecord(result);
  expect(JSON.parse(encodeRecord(Object.assign(result, { id: 'new' }))).id).toBe('new');
});

test('encodeRecordCached() is the record of each result, also if they alternate', () => {
  const [a, b] = [okResult({ index: 1 }), okResult({ index: 2 })];
  expect([a, b, b, a].map(encodeRecordCached)).toEqual([a, b, b, a].map(encodeRecord));
});

test('encodeRecordCached() encodes a result once', () => {
  let reads = 0;
  const result = okResult();
  Object.defineProperty(result, 'url', {
    get: () => {
      reads += 1;
      return 'http://a.test/';
    },
  });
  expect(encodeRecordCached(result)).toBe(encodeRecordCached(result));
  expect(reads).toBe(1);
});

test('a parsed record has the type of the library: it narrows by "ok"', () => {
  const record: ResultRecord = JSON.parse(encodeRecord(failedResult('dns')));
  expect(record.ok ? undefined : record.failure.kind).toBe('dns');
  expect([record.v, record.startedAt]).toEqual([1, '2026-01-01T00:00:00.000Z']);
});

test('encodeRecord() leaves out the stack of a bug', () => {
  const failure = { kind: 'internal', message: 'a bug', stack: 'Error: a bug\n    at x.ts:1:1' } as const;
  expect(JSON.parse(encodeRecord(failedResult('internal', { failure }))).failure).toEqual({
    kind: 'internal',
    message: 'a bug',
  });
});

describe('decodeRecord()', () => {
  const results: readonly Result[] = [
    okResult(),
    okResult({
      id: 'mine',
      finalUrl: 'https://example.com/2',
      redirects: [{ status: 301, url: 'https://example.com/1' }],
      contentType: 'text/html',
      ttfbMs: 30.2,
      body: { path: 'a/b.html', bytes: 3, sha256: 'ab' },
      warning: { kind: 'blocked', message: 'go away' },
      baseline: 'fixed',
      worker: 'host-1',
    }),
    failedResult('dns', { baseline: 'known', badRuns: 2, failure: { kind: 'dns', code: 'X', message: 'y' } }),
  ];

  test.each(results)('decodes what encodeRecord() wrote: %o', (result) => {
    expect(decodeRecord(encodeRecord(result))).toMatchObject(result);
  });

  test('ignores unknown keys', () => {
    const line = encodeRecord(okResult()).replace('{', '{"later":1,');
    expect(decodeRecord(line)).toMatchObject(okResult());
  });

  test.each([
    ['{"v":1', 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    ['null', 'it is not a JSON object'],
    [encodeRecord(okResult()).replace('"v":1', '"v":2'), 'its "v" is not 1'],
    [encodeRecord(okResult()).replace('"ok":true', '"ok":false'), 'it failed without a "failure"'],
    [encodeRecord(failedResult('dns')).replace('"dns"', '"bad luck"'), 'its "failure" is missing or wrong'],
    [encodeRecord(okResult()).replace('{', '{"worker":7,'), 'its "worker" is missing or wrong'],
  ])('reports what is wrong with %s', (line, broken) => {
    expect(decodeRecord(line)).toEqual({ broken });
  });

  test.each([
    'index',
    'source',
    'line',
    'url',
    'method',
    'ok',
    'attempts',
    'redirects',
    'bytes',
    'startedAt',
  ])('reports that "%s" is missing or wrong', (key) => {
    const fields: Record<string, unknown> = JSON.parse(encodeRecord(okResult()));
    const broken = { broken: `its "${key}" is missing or wrong` };
    expect(decodeRecord(JSON.stringify({ ...fields, [key]: undefined }))).toEqual(broken);
    expect(decodeRecord(JSON.stringify({ ...fields, [key]: { a: 1 } }))).toEqual(broken);
  });
});
