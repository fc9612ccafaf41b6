import { describe, expect, it } from 'vitest';
import { type FanoutOptions, resolveRunOptions } from '../../src/config/library-options.ts';
import { orderWindowSize, queueBytes } from '../../src/config/run-options.ts';
import { refusal, resolve } from './resolve-given.ts';

describe('deriveRunOptions()', () => {
  it('gives the queue 20,000 jobs, or 4 per worker if that is more', () => {
    expect(resolve({}).queueSize).toBe(20_000);
    expect(resolve({ flags: { concurrency: '5000' } }).queueSize).toBe(20_000);
    expect(resolve({ flags: { concurrency: '5001' } }).queueSize).toBe(20_004);
    expect(resolve({ flags: { concurrency: '1', queueSize: '4' } }).queueSize).toBe(4);
  });

  it('refuses a queue that is too small for the workers', () => {
    expect(refusal({ flags: { concurrency: '32' }, file: { queueSize: 127 } })).toBe(
      'invalid value 127 for "queueSize" in fanout.config.json: must be at least 128, 4 times the concurrency',
    );
  });

  it('takes POST when there is data, HEAD with --head, and otherwise GET', () => {
    expect(resolve({}).method).toBe('GET');
    expect(resolve({ flags: { data: '' } }).method).toBe('POST');
    expect(resolve({ flags: { jsonBody: '{}' } }).method).toBe('POST');
    expect(resolve({ flags: { data: 'x', method: 'put' } }).method).toBe('PUT');
    expect(resolve({ flags: { head: true } }).method).toBe('HEAD');
  });

  it('names the version in the user agent', () => {
    expect(resolve({}).userAgent).toBe('fanout/1.2.3');
    expect(resolve({ flags: { userAgent: '' } }).userAgent).toBe('');
  });

  it('limits the size of a body unless it is saved, or as given', () => {
    expect(resolve({}).maxSize).toBe(10_485_760);
    expect(resolve({ flags: { saveDir: 'out' } }).maxSize).toBe(Number.POSITIVE_INFINITY);
    expect(resolve({ flags: { saveDir: 'out' }, file: { maxSize: '1kb' } }).maxSize).toBe(1024);
    expect(resolve({ flags: { inlineBody: true, json: true } }).maxSize).toBe(10_485_760);
    expect(resolve({ flags: { inlineBody: '20mb', json: true } }).maxSize).toBe(20 * 1024 ** 2);
    expect(resolve({ flags: { inlineBody: '20mb', json: true, maxSize: '1kb' } }).maxSize).toBe(1024);
  });

  it.each([
    [{}, 10_485_760],
    [{ saveDir: 'out' }, 10_485_760],
    [{ saveDir: 'out', maxSize: '1kb' }, 1024],
    [{ saveDir: 'out', maxSize: 'none' }, Number.POSITIVE_INFINITY],
    [{ inlineBody: '20mb', json: true }, 20 * 1024 ** 2],
    [{ inlineBody: true, json: true, maxSize: 'none' }, Number.POSITIVE_INFINITY],
  ])('limits the size of a body that is not saved: %j', (flags, bytes) => {
    expect(resolve({ flags }).maxUnsavedSize).toBe(bytes);
  });
});

describe('options that need a body', () => {
  it.each([
    [{ head: true, contains: ['a'] }, '--contains with --head: a HEAD response has no body'],
    [{ head: true, notContains: ['a'] }, '--not-contains with --head: a HEAD response has no body'],
    [{ method: 'HEAD', matches: ['a'] }, '--matches with --method: a HEAD response has no body'],
    [{ maxSize: '0', contains: ['a'] }, '--contains with --max-size 0: no body is read'],
    [{ maxSize: '0', saveDir: 'out' }, '--save-dir with --max-size 0: no body is read'],
    [{ maxSize: '0', json: true, inlineBody: '1kb' }, '--inline-body with --max-size 0: no body is read'],
  ])('are refused without one: %j', (flags, message) => {
    expect(refusal({ flags })).toBe(`cannot use ${message}`);
  });

  it.each([
    { head: true, expectHeader: ['a: b'] },
    { maxSize: '0' },
    { maxSize: '1b', contains: ['a'] },
    { method: 'GET', matches: ['a'] },
  ])('are accepted with one, as are others without: %j', (flags) => {
    expect(() => resolve({ flags })).not.toThrow();
  });
});

describe('queueBytes()', () => {
  it.each([
    [{}, 32],
    [{ queueSize: '4', concurrency: '1' }, 32],
    [{ queueSize: '20001' }, 32 * (20_001 / 20_000)],
    [{ queueSize: '60000' }, 96],
  ])('grows with a queue that is longer than by default: %j', (flags, mebibytes) => {
    expect(queueBytes(resolve({ flags }))).toBe(mebibytes * 1024 ** 2);
  });
});

describe('orderWindowSize()', () => {
  it.each<[FanoutOptions, number]>([
    [{}, 20_032],
    [{ queueSize: 500, concurrency: 10 }, 510],
    [{ inlineBody: true }, 1032],
    [{ body: 'buffer' }, 1032],
    [{ body: 'stream' }, 20_032],
    [{ body: 'buffer', queueSize: 500, concurrency: 10 }, 510],
  ])('of %j holds fewer results if they have bodies', (options, size) => {
    expect(orderWindowSize(resolveRunOptions(options, '1'))).toBe(size);
  });
});

describe('options of saved bodies', () => {
  it('are refused without a directory', () => {
    const requirement = 'needs --save-dir';
    expect(refusal({ flags: { saveAll: true } })).toBe(`--save-all ${requirement}`);
    expect(refusal({ environment: { FANOUT_RESUME_PARTIAL: 'yes' } })).toBe(
      `FANOUT_RESUME_PARTIAL ${requirement}`,
    );
    expect(refusal({ file: { saveAs: '{index}' } })).toBe(`"saveAs" in fanout.config.json ${requirement}`);
    expect(resolve({ file: { saveAll: false, resumePartial: false } }).saveAll).toBe(false);
    expect(resolve({ flags: { saveAll: true }, file: { saveDir: 'out' } }).saveAll).toBe(true);
  });

  it('are ignored if a flag excludes the directory', () => {
    const file = { saveDir: 'out', saveAll: true, saveAs: '{index}', resumePartial: true };
    const { head, saveDir, saveAs } = resolve({ flags: { head: true }, file });
    expect([head, saveDir, saveAs]).toEqual([true, undefined, undefined]);
    const wrong = { flags: { saveAll: true }, file: { head: true } };
    expect(refusal(wrong)).toBe('--save-all needs --save-dir');
  });

  it('name files by host and path by default', () => {
    expect(resolve({ flags: { saveDir: 'out' } }).saveAs).toEqual([{ field: 'host' }, { field: 'path' }]);
    expect(resolve({ flags: { saveDir: 'out', saveAs: '{hash}' } }).saveAs).toEqual([{ field: 'hash' }]);
  });

  it('refuse to resume bodies whose names depend on the response', () => {
    const flags = { saveDir: 'out', resumePartial: true, saveAs: '{status}{path}' };
    expect(refusal({ flags })).toBe(
      'cannot use --resume-partial with {status} in --save-as: the file is named before there is a response',
    );
    expect(resolve({ flags: { ...flags, resumePartial: false } }).saveDir).toBe('out');
    expect(resolve({ flags: { ...flags, saveAs: '{path}' } }).resumePartial).toBe(true);
  });

  it('refuse HEAD, whose responses have no body', () => {
    expect(refusal({ flags: { head: true, saveDir: 'out' } })).toBe('cannot use --head with --save-dir');
    expect(refusal({ flags: { head: true, inlineBody: true } })).toMatch(/--head with --inline-body/);
    expect(resolve({ flags: { head: true, inlineBody: 'none' } }).head).toBe(true);
  });
});
