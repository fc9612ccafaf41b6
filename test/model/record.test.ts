import { expect, test } from 'vitest';
import { encodeRecord } from '../../src/model/record.ts';
import { failedResult, okResult } from './a-result.ts';

test('encodeRecord() writes the keys in the order of the documentation, and leaves out those without a value', () => {
  expect(encodeRecord(okResult())).toBe(
    '{"v":1,"index":0,"source":"urls.txt","line":1,"url":"https://example.com/1","method":"GET","ok":true,' +
      '"status":200,"attempts":1,"redirects":[],"bytes":1234,"truncated":false,' +
      '"startedAt":"2026-01-01T00:00:00.000Z","durationMs":34}',
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

test('encodeRecord() is one line whatever a server sent', () => {
  const line = encodeRecord(okResult({ contentType: 'a\r\nb\u0000"\ud800' }));
  expect(line).not.toMatch(/[\r\n\0]/);
  expect(JSON.parse(line).contentType).toBe('a\r\nb\u0000"\ud800');
});

test('encodeRecord() writes times of any second as Date does, one after the other', () => {
  for (const startedAt of [0, 999, 1000, 1_767_225_600_000.7, 1_767_225_599_999.9, 1_767_225_600_012, 1]) {
    const written = JSON.parse(encodeRecord(okResult({ startedAt }))).startedAt;
    expect(written).toBe(new Date(startedAt).toISOString());
  }
});

test('encodeRecord() escapes whatever character JSON cannot hold as it is, in each key', () => {
  for (let code = 0; code < 300; code += 1) {
    const text = `a${String.fromCharCode(code)}z`;
    const keys = { source: text, id: text, url: text, finalUrl: text, method: text, contentType: text };
    expect(JSON.parse(encodeRecord(okResult(keys)))).toMatchObject(keys);
  }
});

test('encodeRecord() tells a result that has changed since as it is now', () => {
  const result = okResult();
  encodeRecord(result);
  expect(JSON.parse(encodeRecord(Object.assign(result, { id: 'new' }))).id).toBe('new');
});
