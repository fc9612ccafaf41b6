import { describe, expect, it } from 'vitest';
import {
  decodeResumeRecord,
  encodeResumeRecord,
  isSameVersion,
  parseContentRange,
  toResumeRecord,
} from '../../src/bodies/resume.ts';

const URL = 'https://example.com/a';
const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';

describe('toResumeRecord()', () => {
  it.each([
    [{ etag: '"one"' }, '"one"'],
    [{ etag: '""' }, '""'],
    [{ etag: '"a"', 'last-modified': MODIFIED }, '"a"'],
    [{ 'last-modified': MODIFIED, date: 'Thu, 01 Jan 2026 00:01:00 GMT' }, MODIFIED],
    [{ etag: '"one"', 'content-encoding': 'identity' }, '"one"'],
  ])('takes a strong validator: %j', (headers, validator) => {
    expect(toResumeRecord(URL, 200, headers)).toEqual({ url: URL, validator });
  });

  it.each([
    [{ 'content-length': '10' }, 10],
    [{ 'content-length': '0' }, 0],
    [{ 'content-length': '+1' }, undefined],
    [{ 'content-length': '1e3' }, undefined],
    [{ 'content-length': ['10', '10'] }, undefined],
    [{ 'content-length': '10', 'transfer-encoding': 'chunked' }, undefined],
  ])('takes the length of the whole from %j', (headers, totalBytes) => {
    expect(toResumeRecord(URL, 200, { etag: '"one"', ...headers })?.totalBytes).toBe(totalBytes);
  });

  it.each([
    [{}],
    [{ etag: 'W/"one"' }],
    [{ etag: 'W/"one"', 'last-modified': MODIFIED, date: 'Fri, 02 Jan 2026 00:00:00 GMT' }],
    [{ etag: 'one' }],
    [{ etag: '"o"ne"' }],
    [{ etag: ['"one"', '"two"'] }],
    [{ 'last-modified': MODIFIED }],
    [{ 'last-modified': MODIFIED, date: 'Thu, 01 Jan 2026 00:00:59 GMT' }],
    [{ 'last-modified': 'yesterday', date: MODIFIED }],
    [{ etag: '"one"', 'content-encoding': 'gzip' }],
  ])('refuses weak validators and encoded bodies: %j', (headers) => {
    expect(toResumeRecord(URL, 200, headers)).toBeUndefined();
  });

  it('refuses any status but 200', () => {
    expect(toResumeRecord(URL, 404, { etag: '"one"' })).toBeUndefined();
  });
});

describe('isSameVersion()', () => {
  it.each([
    ['"one"', { etag: '"one"' }, true],
    ['"one"', {}, false],
    ['"one"', { 'last-modified': MODIFIED }, false],
    [MODIFIED, {}, false],
    ['"one"', { etag: '"two"' }, false],
    ['"one"', { etag: 'W/"one"' }, false],
    [MODIFIED, { 'last-modified': MODIFIED, etag: '"any"' }, true],
    [MODIFIED, { 'last-modified': 'Thu, 01 Jan 2026 00:00:01 GMT' }, false],
  ])('%s against %j is %s', (validator, headers, is) => {
    expect(isSameVersion({ url: URL, validator }, headers)).toBe(is);
  });
});

describe('decodeResumeRecord()', () => {
  it('reads what encodeResumeRecord() wrote', () => {
    const record = { url: URL, validator: '"o\\u00e9"', totalBytes: 12, contentType: 'text/html' };
    expect(decodeResumeRecord(encodeResumeRecord(record))).toEqual(record);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '7',
    '{"v":1,"url":"x"}',
    '{"v":2,"url":"x","validator":"y"}',
    '{"v":1,"url":1,"validator":"y"}',
    '{"v":1,"url":"x","validator":"y","totalBytes":"12"}',
    '{"v":1,"url":"x","validator":"y","totalBytes":1.5}',
  ])('refuses %j', (text) => {
    expect(decodeResumeRecord(text)).toBeUndefined();
  });
});

describe('parseContentRange()', () => {
  it('reads first, last and total', () => {
    expect(parseContentRange('bytes 5-9/10')).toEqual({ first: 5, last: 9, total: 10 });
    expect(parseContentRange('Bytes 0-0/1')).toEqual({ first: 0, last: 0, total: 1 });
  });

  it.each([
    undefined,
    '',
    'bytes */10',
    'bytes 5-9/*',
    'bytes 9-5/10',
    'bytes 5-10/10',
    'bytes=5-9/10',
    'bytes 5-9/10 ',
    'items 5-9/10',
    ['bytes 5-9/10', 'bytes 5-9/10'],
  ])('refuses %j', (header) => {
    expect(parseContentRange(header)).toBeUndefined();
  });
});
