import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type FanoutOptions,
  type LibraryRunOptions,
  resolveRunOptions,
} from '../../src/config/library-options.ts';
import type { RunOptions, runOptions } from '../../src/config/run-options.ts';
import { UsageError } from '../../src/model/errors.ts';

// What a caller without types can do.
function refusal(options: object): string {
  try {
    resolveRunOptions(options, '1');
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('taken');
}

describe('resolveRunOptions()', () => {
  it('gives the defaults of the program', () => {
    const { accept, retryOn, header, ...rest } = resolveRunOptions({}, '1.2.3');
    expect([`${accept}`, `${retryOn.statuses}`, retryOn.network, header]).toEqual([
      '200-299',
      '408,425,429,500,502-504',
      true,
      [],
    ]);
    expect(rest).toEqual({
      unique: false,
      include: [],
      exclude: [],
      excludeFile: undefined,
      netrc: undefined,
      defaultScheme: undefined,
      method: 'GET',
      head: false,
      data: undefined,
      jsonBody: undefined,
      userAgent: 'fanout/1.2.3',
      hashesBodies: true,
      maxRedirects: 10,
      decompress: true,
      headerFor: [],
      user: undefined,
      denyPrivate: false,
      saveDir: undefined,
      skipExisting: false,
      saveAll: false,
      saveAs: undefined,
      resumePartial: false,
      inlineBody: undefined,
      resolve: [],
      dnsServer: [],
      ipv4: false,
      ipv6: false,
      concurrency: 32,
      perHost: undefined,
      rate: undefined,
      hostRate: undefined,
      breaker: 5,
      queueSize: 20_000,
      giveUpAfter: 30_000,
      timeout: 30_000,
      connectTimeout: 10_000,
      retries: 2,
      retryAllMethods: false,
      maxRetryAfter: 60_000,
      deadline: undefined,
      maxSize: 10_485_760,
      maxUnsavedSize: 10_485_760,
      proxy: undefined,
      http2: false,
      strict: false,
      insecure: false,
      cacert: undefined,
      cert: undefined,
      connectTo: [],
      unixSocket: undefined,
      hosts: new Map(),
      extract: false,
      baseUrl: undefined,
      rootDir: undefined,
      remap: [],
      key: undefined,
      contains: [],
      matches: [],
      notContains: [],
      checkFragments: false,
      expectHeader: [],
      expectTime: undefined,
      redirects: 'ok',
      permanentRedirects: 'ok',
      blocked: 'fail',
      maxFailures: undefined,
      journal: undefined,
      baseline: undefined,
      keepsStreams: false,
      journalAge: undefined,
      keepFailed: false,
      ordered: false,
      threads: 1,
      keeps: [],
      expectCertDays: undefined,
      refresh: undefined,
      keepsBuffers: false,
    });
  });

  it('takes numbers as ms and bytes, and text with units', () => {
    const options = resolveRunOptions(
      { timeout: '5ms', connectTimeout: '5s', maxSize: 5, accept: [404, '2xx'] },
      '1',
    );
    expect([options.timeout, options.connectTimeout, options.maxSize, `${options.accept}`]).toEqual([
      5,
      5000,
      5,
      '200-299,404',
    ]);
  });

  it('treats undefined as not given', () => {
    expect(resolveRunOptions({ concurrency: undefined, head: undefined }, '1').concurrency).toBe(32);
  });

  it('gives a frozen result', () => {
    expect(Object.isFrozen(resolveRunOptions({}, '1'))).toBe(true);
  });

  it('puts no environment variable into a value', () => {
    expect(resolveRunOptions({ headers: { a: '$HOME $$' } }, '1').header).toEqual([
      { name: 'a', value: '$HOME $$' },
    ]);
  });

  it('takes headers as an object, and by no other name', () => {
    expect(resolveRunOptions({ headers: { A: '1' } }, '1').header).toEqual([{ name: 'a', value: '1' }]);
    expect(refusal({ header: { a: '1' } })).toMatch(/did you mean headers\?$/);
  });

  it.each([
    [{ failFast: true }, 1],
    [{ failFast: 3 }, 3],
    [{ maxFailures: 3 }, 3],
    [{ failFast: false }, undefined],
    [{ failFast: false, maxFailures: 2 }, 2],
  ])('stops after the number of failures of %j', (options, maxFailures) => {
    expect(resolveRunOptions(options, '1').maxFailures).toBe(maxFailures);
  });

  it('refuses failFast with maxFailures', () => {
    expect(refusal({ failFast: true, maxFailures: 3 })).toContain('option failFast with option maxFailures');
    expect(refusal({ failFast: 0 })).toContain('0 for option failFast');
  });

  it('refuses unknown keys and names a likely one', () => {
    expect(refusal({ concurency: 3 })).toBe('unknown option concurency; did you mean concurrency?');
    expect(refusal({ format: 'csv' })).toMatch(/^unknown option format$/);
  });

  it('refuses bad values, including those that its types exclude', () => {
    expect(refusal({ concurrency: 0 })).toBe(
      'invalid value 0 for option concurrency: must be a positive integer',
    );
    expect(refusal({ retries: Number.NaN })).toMatch(/^invalid value NaN for option retries/);
    expect(refusal({ retries: () => 1 })).toMatch(/^invalid value a function for option retries/);
    expect(refusal({ retries: 1n })).toMatch(/^invalid value a bigint for option retries/);
    expect(refusal({ head: true, data: 'x' })).toBe('cannot use option head with option data');
  });

  it.each<[FanoutOptions, readonly string[]]>([
    [{ record: 'headers' }, ['headers']],
    [{ record: ['input'] }, ['input']],
    [{ record: ['headers', 'tls', 'title'] }, ['headers', 'tls', 'title']],
  ])('keeps what %j requests', (options, keeps) => {
    expect(resolveRunOptions(options, '1').keeps).toEqual(keeps);
  });

  it.each<[FanoutOptions, Partial<LibraryRunOptions>]>([
    [{}, { keepsBuffers: false, keepsStreams: false, maxSize: 10_485_760 }],
    [{ body: 'buffer' }, { keepsBuffers: true, keepsStreams: false, maxSize: 10_485_760 }],
    [
      { body: 'buffer', saveDir: 'd' },
      { keepsBuffers: true, saveDir: 'd' },
    ],
    [
      { body: 'buffer', maxSize: 0 },
      { keepsBuffers: true, maxSize: 0 },
    ],
    [{ body: 'stream' }, { keepsStreams: true, keepsBuffers: false, maxSize: Number.POSITIVE_INFINITY }],
    [
      { body: 'stream', maxSize: '1kb' },
      { keepsStreams: true, maxSize: 1024 },
    ],
    [{ head: true }, { method: 'HEAD' }],
    [{ inlineBody: true }, { inlineBody: 65_536 }],
    [{ saveDir: 'd' }, { saveDir: 'd', keepsStreams: false }],
    [{ maxSize: 0 }, { maxSize: 0 }],
  ])('reads what is done with bodies from %j', (options, expected) => {
    expect(resolveRunOptions(options, '1')).toMatchObject(expected);
  });

  it.each([
    [{ record: ['cookies'] }, /for option record: must be/],
    [{ body: 'text' }, /^invalid value "text" for option body: must be one of buffer, stream$/],
    [{ body: 'stream', inlineBody: true }, /^cannot use option body with option inlineBody$/],
    [{ body: 'stream', head: true }, /^cannot use option body with option head$/],
    [{ body: 'stream', saveDir: 'd' }, /^cannot use option body with option saveDir$/],
    [{ body: 'stream', maxSize: 0 }, /^cannot use option body with option maxSize 0$/],
    [{ body: 'buffer', inlineBody: true }, /^cannot use option body with option inlineBody$/],
    [{ body: 'buffer', head: true }, /^cannot use option body with option head$/],
    [{ excludeFile: 'x' }, /^unknown option excludeFile$/],
    [{ exclude: '(?=a)' }, /^invalid value "\(\?=a\)" for option exclude: must have no look-around/],
    [{ saveAll: true }, /^option saveAll needs option saveDir$/],
    [{ keepFailed: true }, /^option keepFailed needs option journal$/],
    [{ journalAge: '1h' }, /^option journalAge needs option journal$/],
    [{ baseUrl: 'https://a.test/' }, /^option baseUrl needs option extract$/],
    [{ rootDir: 'x', extract: false }, /^option rootDir needs option extract$/],
    [{ extract: true, baseUrl: 'x' }, /for option baseUrl: must start with http/],
    [{ threads: 0 }, /0 for option threads: must be/],
    [{ threads: 'all' }, /"all" for option threads: must be an integer from 1 to 64, or auto/],
  ])('refuses %j', (options, message) => {
    expect(refusal(options)).toMatch(message);
  });

  it('has an input type for each option of the table', () => {
    expectTypeOf<keyof FanoutOptions>().toEqualTypeOf<
      | Exclude<keyof typeof runOptions, 'header' | 'excludeFile'>
      | (
          | 'extract'
          | 'baseUrl'
          | 'rootDir'
          | 'headers'
          | 'body'
          | 'record'
          | 'ordered'
          | 'journal'
          | 'journalAge'
          | 'keepFailed'
          | 'threads'
          | 'baseline'
          | 'refresh'
        )
    >();
    // Derived values are not options.
    expectTypeOf<keyof RunOptions>().toEqualTypeOf<
      | Exclude<keyof typeof runOptions, 'failFast'>
      | 'hashesBodies'
      | 'keeps'
      | 'keepsBuffers'
      | 'maxUnsavedSize'
    >();
    expectTypeOf<RunOptions['defaultScheme']>().toEqualTypeOf<'http' | 'https' | undefined>();
    expectTypeOf<RunOptions['queueSize']>().toEqualTypeOf<number>();
  });
});
