import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import {
  conditionalHeaders,
  isConditional,
  isUntouched,
  toKeptFile,
  validatorsOf,
} from '../../src/bodies/revalidation.ts';
import type { ResponseHeaders, Result } from '../../src/model/result.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';

const DATE = 'Sat, 01 Aug 2026 10:00:00 GMT';
const FILE = { path: 'a', bytes: 1, url: 'https://a.test/' };

test.each<[ResponseHeaders, object]>([
  [
    { etag: '"a"', 'last-modified': DATE },
    { etag: '"a"', lastModified: DATE },
  ],
  [{ etag: 'W/"\xe4"' }, { etag: 'W/"\xe4"' }],
  [{ etag: ['"a"', '"b"'], 'last-modified': '' }, {}],
  [{ etag: '"a\r\nx: y"' }, {}],
  [{ etag: '"a\0"', 'last-modified': 'x\u2028' }, {}],
  [{ etag: `"${'x'.repeat(2_000)}"` }, {}],
  [{}, {}],
])('validatorsOf(%j) is what can be sent again', (headers, expected) => {
  expect(validatorsOf(headers)).toEqual(expected);
});

test.each([
  [{ etag: '"a"' }, { 'if-none-match': '"a"' }],
  [{ etag: '"a-gzip"' }, { 'if-none-match': '"a-gzip", "a"' }],
  [{ etag: '"a;br"' }, { 'if-none-match': '"a;br", "a"' }],
  [{ etag: 'W/"a-gzip"' }, { 'if-none-match': 'W/"a-gzip", W/"a"' }],
  [{ etag: '"gzip"' }, { 'if-none-match': '"gzip"' }],
  [{ etag: '"-gzip"' }, { 'if-none-match': '"-gzip"' }],
  [
    { etag: 'a', lastModified: DATE },
    { 'if-none-match': 'a', 'if-modified-since': DATE },
  ],
  // A record that somebody has changed.
  [{ etag: 'a\r\nx: y', lastModified: 'b\nc' }, undefined],
  [{}, undefined],
])('conditionalHeaders() of %j', (validators, headers) => {
  expect(conditionalHeaders({ ...FILE, ...validators })).toEqual(headers);
});

test.each([
  [{ 'if-none-match': '*' }, true],
  [{ range: 'bytes=0-1' }, true],
  [{ 'if-modified-since': DATE }, true],
  [{ accept: '*/*' }, false],
])('isConditional(%j) is %s', (headers, expected) => {
  expect(isConditional(headers)).toBe(expected);
});

describe('toKeptFile()', () => {
  const body = { path: 'a', bytes: 1, sha256: 'ff', etag: '"a"' };
  const kept = { path: 'a', bytes: 1, sha256: 'ff', etag: '"a"', url: 'https://example.com/1' };

  it.each<[string, Result, object | undefined]>([
    ['an OK result', okResult({ body, contentType: 'text/css' }), { ...kept, contentType: 'text/css' }],
    [
      'one after a redirect',
      okResult({ body, finalUrl: 'https://b.test/' }),
      { ...kept, url: 'https://b.test/' },
    ],
    ['a failure', failedResult('status', { body }), undefined],
    ['a deleted page', failedResult('status', { body, file: 'deleted', contentType: 'text/html' }), kept],
    [
      'a failure elsewhere',
      failedResult('status', {
        body: { ...body, url: 'https://c.test/' },
        file: 'kept',
        finalUrl: 'https://b.test/',
      }),
      { ...kept, url: 'https://c.test/' },
    ],
    ['an inline body', okResult({ body: { bytes: 1, text: 'x' } }), undefined],
    ['no body', okResult(), undefined],
    ['a POST', okResult({ body, method: 'POST' }), undefined],
  ])('of %s', (_, result, expected) => {
    const found = toKeptFile(result);
    expect(found).toEqual(expected);
  });
});

describe('isUntouched()', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

  it('compares length and hashes, and takes neither a link nor a directory for the file', async () => {
    const dir = await tempDir();
    const path = join(dir, 'a');
    await writeFile(path, 'text');
    await symlink(path, join(dir, 'link'));
    await mkdir(join(dir, 'dir'));
    const file = { ...FILE, bytes: 4 };
    const found = await Promise.all([
      isUntouched(path, file),
      isUntouched(path, { ...file, sha256: sha256('text') }),
      isUntouched(path, file, sha256('text')),
      isUntouched(path, { ...file, bytes: 3 }),
      isUntouched(path, { ...file, sha256: sha256('TEXT') }),
      isUntouched(path, { ...file, sha256: sha256('text') }, sha256('TEXT')),
      isUntouched(join(dir, 'link'), file),
      isUntouched(join(dir, 'dir'), file),
      isUntouched(join(dir, 'none'), file),
    ]);
    expect(found).toEqual([true, true, true, false, false, false, false, false, false]);
  });
});
