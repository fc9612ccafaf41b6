import { describe, expect, it } from 'vitest';
import { decodeRecord, encodeRecord } from '../../src/model/record.ts';
import type { Result } from '../../src/model/result.ts';
import { failedResult, okResult } from './a-result.ts';

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
      baseline: 'mended',
      worker: 'host-1',
    }),
    failedResult('dns', { baseline: 'known', badRuns: 2, failure: { kind: 'dns', code: 'X', message: 'y' } }),
  ];

  it.each(results)('gives the result that was encoded: %o', (result) => {
    expect(decodeRecord(encodeRecord(result))).toMatchObject(result);
  });

  it('passes over keys that it does not know', () => {
    const line = encodeRecord(okResult()).replace('{', '{"later":1,');
    expect(decodeRecord(line)).toMatchObject(okResult());
  });

  it.each([
    ['{"v":1', 'it is not JSON'],
    ['[]', 'it is no JSON object'],
    ['null', 'it is no JSON object'],
    [encodeRecord(okResult()).replace('"v":1', '"v":2'), 'its "v" is not 1'],
    [encodeRecord(okResult()).replace('"ok":true', '"ok":false'), 'it failed without a "failure"'],
    [encodeRecord(failedResult('dns')).replace('"dns"', '"bad luck"'), 'its "failure" is missing or wrong'],
    [encodeRecord(okResult()).replace('{', '{"worker":7,'), 'its "worker" is missing or wrong'],
  ])('says what is wrong with %s', (line, broken) => {
    expect(decodeRecord(line)).toEqual({ broken });
  });

  it.each(['index', 'source', 'line', 'url', 'method', 'ok', 'attempts', 'redirects', 'bytes', 'startedAt'])(
    'says that "%s" is missing or wrong',
    (key) => {
      const fields: Record<string, unknown> = JSON.parse(encodeRecord(okResult()));
      const broken = { broken: `its "${key}" is missing or wrong` };
      expect(decodeRecord(JSON.stringify({ ...fields, [key]: undefined }))).toEqual(broken);
      expect(decodeRecord(JSON.stringify({ ...fields, [key]: { a: 1 } }))).toEqual(broken);
    },
  );
});
