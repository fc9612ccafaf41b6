import { describe, expect, it } from 'vitest';
import type { Table } from '../../src/config/option.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { type Given, refusal, resolve } from './resolve-given.ts';

type Flag = readonly [key: string, value: unknown];
type Flags = Readonly<Record<string, unknown>>;

describe('resolveOptions()', () => {
  const file = { concurrency: 3, retries: 3, timeout: '3s' };
  const environment = { FANOUT_CONCURRENCY: '5', FANOUT_RETRIES: '5' };

  it('lets flags win over the environment, and the environment over the file', () => {
    const { concurrency, retries, timeout, maxRedirects } = resolve({
      flags: { concurrency: '7' },
      environment,
      file,
    });
    expect([concurrency, retries, timeout, maxRedirects]).toEqual([7, 5, 3000, 10]);
  });

  it('lets a repeated flag replace the list of the file', () => {
    const { header } = resolve({ flags: { header: ['a: 1'] }, file: { header: ['b: 2', 'c: 3'] } });
    expect(header).toEqual([{ name: 'a', value: '1' }]);
  });

  it('takes one header a line from the environment', () => {
    const { header } = resolve({ environment: { FANOUT_HEADER: 'a: 1\r\n\nb: 2\n' } });
    expect(header).toEqual([
      { name: 'a', value: '1' },
      { name: 'b', value: '2' },
    ]);
  });

  it('ignores an empty variable', () => {
    expect(resolve({ environment: { FANOUT_CONCURRENCY: '' }, file: { concurrency: 3 } }).concurrency).toBe(
      3,
    );
  });

  it('reads booleans that are on by default from their positive name', () => {
    expect(resolve({ environment: { FANOUT_DECOMPRESS: 'false' } }).decompress).toBe(false);
    expect(resolve({ file: { decompress: false } }).decompress).toBe(false);
    expect(
      resolve({ flags: { decompress: false }, environment: { FANOUT_DECOMPRESS: '1' } }).decompress,
    ).toBe(false);
  });

  it('lets a flag remove a limit of the file with none', () => {
    const { deadline, maxSize } = resolve({
      flags: { deadline: 'none', maxSize: 'none' },
      file: { deadline: '1h', maxSize: '1kb' },
    });
    expect([deadline, maxSize]).toEqual([undefined, Infinity]);
  });

  it('refuses a bad value also if a flag overrides it', () => {
    expect(refusal({ flags: { concurrency: '7' }, file: { concurrency: 'many' } })).toMatch(/"many"/);
  });

  it('gives a frozen result', () => {
    const options = resolve({ flags: { header: ['a: 1'] } });
    expect([options, options.header, options.header[0], options.retryOn].map(Object.isFrozen)).toEqual(
      Array(4).fill(true),
    );
    expect(Object.isFrozen(resolve({}).header)).toBe(true);
  });
});

describe('messages about values', () => {
  it.each<[Given, string]>([
    [{ flags: { concurrency: '0' } }, 'invalid value "0" for --concurrency: must be a positive integer'],
    [{ flags: { decompress: 'x' } }, 'invalid value "x" for --no-decompress: must be true or false'],
    [
      { environment: { FANOUT_MAX_SIZE: 'big' } },
      'invalid value "big" for FANOUT_MAX_SIZE: must be a size such as 64kb, 10mb or 1gb, or a number of bytes',
    ],
    [
      { file: { concurrency: 0 } },
      'invalid value 0 for "concurrency" in fanout.config.json: must be a positive integer',
    ],
    [
      { file: { retries: null } },
      'invalid value null for "retries" in fanout.config.json: must be an integer, 0 or more',
    ],
    [
      { file: { quiet: [1] } },
      'invalid value a list for "quiet" in fanout.config.json: must be true or false',
    ],
    [
      { file: { retries: true } },
      'invalid value true for "retries" in fanout.config.json: must be an integer, 0 or more',
    ],
    [
      { file: { retries: {} } },
      'invalid value an object for "retries" in fanout.config.json: must be an integer, 0 or more',
    ],
    [
      { flags: { matches: ['('] } },
      'invalid value "(" for --matches: must be a JavaScript regular expression (Unterminated group)',
    ],
    [{ flags: { contains: ['a', ''] } }, 'invalid value a list for --contains: must not be empty'],
  ])('name the value, its source and the requirement: %j', (given, message) => {
    expect(refusal(given)).toBe(message);
  });

  it('make what was typed printable', () => {
    expect(refusal({ flags: { format: '\u001b[31m\n' } })).toContain('"\\u{1b}[31m\\u{a}"');
  });

  it('show no secret', () => {
    expect(refusal({ flags: { header: ['Cookie: s3cret\u0001'] } })).toBe(
      'invalid value "Cookie: ***" for --header: header value must not contain control characters',
    );
    expect(refusal({ file: { data: ['s3cret'] } })).not.toContain('s3cret');
    expect(refusal({ file: { header: { cookie: 's3cret\u0001' } } })).not.toContain('s3cret');
  });
});

describe('conflicting options', () => {
  it.each<[Given, string]>([
    [{ flags: { head: true, method: 'POST' } }, 'cannot use --head with --method'],
    [{ flags: { ipv4: true, ipv6: true } }, 'cannot use --ipv4 with --ipv6'],
    [{ flags: { head: true, data: '' } }, 'cannot use --head with --data'],
    [{ flags: { json: true, format: 'csv' } }, 'cannot use --json with --format'],
    [
      { environment: { FANOUT_HEAD: '1', FANOUT_METHOD: 'GET' } },
      'cannot use FANOUT_HEAD with FANOUT_METHOD',
    ],
    [
      { file: { json: true, format: 'text' } },
      'cannot use "json" in fanout.config.json with "format" in fanout.config.json',
    ],
  ])('are refused in one source: %j', (given, message) => {
    expect(refusal(given)).toBe(message);
  });

  const EXCLUDING: readonly (readonly [first: Flag, second: Flag, agreed: readonly Flags[]])[] = [
    [['head', true], ['jsonBody', '1'], [{ head: false, jsonBody: '1' }]],
    [['head', true], ['saveDir', 'd'], [{ head: false, saveDir: 'd' }]],
    [['data', '1'], ['jsonBody', '1'], []],
    [['null', true], ['column', 'url'], [{ null: false, column: 'url' }]],
    [['null', true], ['sitemap', true], [{ null: true, sitemap: false }, { null: false, sitemap: true }]],
    [['column', 'url'], ['sitemap', true], [{ column: 'url', sitemap: false }]],
    [['null', true], ['extract', true], [{ null: true, extract: false }, { null: false, extract: true }]],
    [['column', 'url'], ['extract', true], [{ column: 'url', extract: false }]],
    [['sitemap', true], ['extract', true], [{ sitemap: true, extract: false }, { sitemap: false, extract: true }]],
    [['failFast', true], ['maxFailures', '2'], [{ failFast: false, maxFailures: '2' }]],
    [['json', true], ['template', '{url}'], [{ json: false, template: '{url}' }]],
    [['format', 'csv'], ['template', '{url}'], [{ format: 'text', template: '{url}' }]],
    [['proxy', 'p'], ['unixSocket', 's'], [{ proxy: '', unixSocket: 's' }]],
    [['denyPrivate', true], ['unixSocket', 's'], [{ denyPrivate: false, unixSocket: 's' }]],
    [['connectTo', '::a.test:'], ['unixSocket', 's'], [{ connectTo: [], unixSocket: 's' }]],
    [['resolve', '*:80:127.0.0.1'], ['unixSocket', 's'], [{ resolve: [], unixSocket: 's' }]],
    [['dnsServer', '127.0.0.1'], ['unixSocket', 's'], [{ dnsServer: [], unixSocket: 's' }]],
    [['ipv4', true], ['unixSocket', 's'], [{ ipv4: false, unixSocket: 's' }]],
    [['ipv6', true], ['unixSocket', 's'], [{ ipv6: false, unixSocket: 's' }]],
  ]; // biome-ignore format: a table

  it.each(EXCLUDING)('are %j and %j', (first, second, agreed) => {
    const flags = Object.fromEntries([first, second]);
    const names = [first, second].map(([key]) =>
      /--[\w-]+/.exec((programOptions as Table)[key]?.flags ?? ''),
    );
    expect(refusal({ flags })).toBe(`cannot use ${names[0]} with ${names[1]}`);
    for (const accepted of agreed) expect(() => resolve({ flags: accepted })).not.toThrow();
    for (const [won, lost] of [
      [first, second],
      [second, first],
    ] as const) {
      const resolved = Object.entries(
        resolve({ flags: Object.fromEntries([won]), file: Object.fromEntries([lost]) }),
      );
      const alone = Object.entries(resolve({ flags: Object.fromEntries([won]) }));
      expect(resolved.filter(([key]) => key === won[0] || key === lost[0])).toEqual(
        alone.filter(([key]) => key === won[0] || key === lost[0]),
      );
    }
  });

  it('are accepted if their values agree', () => {
    expect(resolve({ flags: { head: true, method: 'head' } }).method).toBe('HEAD');
    expect(resolve({ flags: { json: true, format: 'jsonl' } }).format).toBe('jsonl');
    expect(resolve({ file: { head: false, method: 'POST', data: 'x' } }).method).toBe('POST');
    expect(resolve({ file: { ipv4: false, ipv6: true } })).toMatchObject({ ipv4: false, ipv6: true });
    expect(resolve({ file: { ipv4: true, ipv6: false } })).toMatchObject({ ipv4: true, ipv6: false });
    expect(resolve({ file: { json: false, format: 'csv' } }).format).toBe('csv');
    expect(resolve({ file: { head: false, inlineBody: true, json: true } }).inlineBody).toBe(65_536);
    expect(resolve({ flags: { quiet: true, silent: true } })).toMatchObject({ quiet: true, silent: true });
  });

  it('follow the source that wins', () => {
    expect(resolve({ flags: { json: true }, file: { format: 'csv' } }).format).toBe('jsonl');
    expect(resolve({ flags: { format: 'csv' }, file: { json: true } }).format).toBe('csv');
    expect(resolve({ flags: { ipv4: true }, file: { ipv6: true } })).toMatchObject({
      ipv4: true,
      ipv6: false,
    });
    expect(resolve({ flags: { head: true }, file: { method: 'POST', data: 'x' } })).toMatchObject({
      head: true,
      method: 'HEAD',
      data: undefined,
    });
    expect(resolve({ flags: { data: 'x' }, environment: { FANOUT_HEAD: '1' } })).toMatchObject({
      head: false,
      method: 'POST',
      data: 'x',
    });
  });
});

describe('options that need another one', () => {
  it.each<[Given, string]>([
    [{ flags: { updateBaseline: true } }, '--update-baseline needs --baseline'],
    [{ flags: { keepFailed: true } }, '--keep-failed needs --journal'],
    [{ environment: { FANOUT_FLAKY_STATE: 's' } }, 'FANOUT_FLAKY_STATE needs --flaky-after'],
    [{ file: { flakyAfter: 2 } }, '"flakyAfter" in fanout.config.json needs --flaky-state'],
  ])('are refused without it: %j', (given, message) => {
    expect(refusal(given)).toBe(message);
  });

  it('are accepted if another source has it, or if they are false', () => {
    expect(resolve({ flags: { keepFailed: true }, file: { journal: 'j' } }).keepFailed).toBe(true);
    expect(resolve({ file: { keepFailed: false, updateBaseline: false } }).keepFailed).toBe(false);
  });
});
