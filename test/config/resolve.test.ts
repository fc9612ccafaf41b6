import { describe, expect, it } from 'vitest';
import { type ProgramOptions, resolveProgramOptions } from '../../src/config/program-options.ts';
import { UsageError } from '../../src/model/errors.ts';

interface Given {
  readonly flags?: Record<string, unknown>;
  readonly environment?: Record<string, string>;
  readonly file?: Record<string, unknown>;
}

function resolve({ flags = {}, environment = {}, file }: Given): ProgramOptions {
  const named = file === undefined ? undefined : { path: 'fanout.config.json', values: file };
  return resolveProgramOptions({ flags, environment, file: named }, '1.2.3');
}

function refusal(given: Given): string {
  try {
    resolve(given);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`taken: ${JSON.stringify(given)}`);
}

describe('the layers', () => {
  const file = { concurrency: 3, retries: 3, timeout: 3 };
  const environment = { FANOUT_CONCURRENCY: '5', FANOUT_RETRIES: '5' };

  it('lets flags win over the environment, and the environment over the file', () => {
    const { concurrency, retries, timeout, maxRedirects } = resolve({
      flags: { concurrency: '7' },
      environment,
      file,
    });
    expect([concurrency, retries, timeout, maxRedirects]).toEqual([7, 5, 3, 10]);
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

  it('takes an empty variable for one that is not set', () => {
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

  it('lets a flag lift a limit of the file with none', () => {
    const { deadline, maxSize } = resolve({
      flags: { deadline: 'none', maxSize: 'none' },
      file: { deadline: '1h', maxSize: '1kb' },
    });
    expect([deadline, maxSize]).toEqual([undefined, Infinity]);
  });

  it('refuses a bad value also where a flag hides it', () => {
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
    [{ flags: { concurrency: '0' } }, 'Cannot use "0" for --concurrency: it must be a whole number above 0'],
    [{ flags: { decompress: 'x' } }, 'Cannot use "x" for --no-decompress: it must be true or false'],
    [
      { environment: { FANOUT_MAX_SIZE: 'big' } },
      'Cannot use "big" for FANOUT_MAX_SIZE: it must be a size in bytes, or one such as 64kb, 10mb or 1gb',
    ],
    [
      { file: { concurrency: 0 } },
      'Cannot use 0 for "concurrency" in fanout.config.json: it must be a whole number above 0',
    ],
    [
      { file: { retries: null } },
      'Cannot use null for "retries" in fanout.config.json: it must be a whole number, 0 or more',
    ],
    [
      { file: { quiet: [1] } },
      'Cannot use a list for "quiet" in fanout.config.json: it must be true or false',
    ],
  ])('tell the value, its place and the wish: %j', (given, message) => {
    expect(refusal(given)).toBe(message);
  });

  it('make what was typed printable', () => {
    expect(refusal({ flags: { format: '\u001b[31m\n' } })).toContain('"\\u{1b}[31m\\u{a}"');
  });

  it('show no secret', () => {
    expect(refusal({ flags: { header: ['Cookie: s3cret\u0001'] } })).toBe(
      'Cannot use "Cookie: ***" for --header: the value of a header must be without control characters',
    );
    expect(refusal({ file: { data: ['s3cret'] } })).not.toContain('s3cret');
    expect(refusal({ file: { header: { cookie: 's3cret\u0001' } } })).not.toContain('s3cret');
  });
});

describe('unknown options', () => {
  it.each([
    ['concurency', ', did you mean "concurrency"?'],
    ['max-size', ', did you mean "maxSize"?'],
    ['headers', ', did you mean "header"?'],
    ['noDecompress', ', did you mean "decompress"?'],
    ['timeoutMs', ', did you mean "timeout"?'],
    ['somethingElse', ''],
    ['__proto__', ''],
    ['toString', ''],
    ['a\nb', ''],
  ])('are refused in a file: %j', (key, advice) => {
    const shown = key === 'a\nb' ? 'a\\u{a}b' : key;
    expect(refusal({ file: JSON.parse(`{${JSON.stringify(key)}: 1}`) })).toBe(
      `Cannot use "${shown}" in fanout.config.json: there is no such option${advice}`,
    );
  });

  it('are refused in the environment when they are nearly known', () => {
    expect(refusal({ environment: { FANOUT_CONCURENCY: '3' } })).toBe(
      'Cannot use FANOUT_CONCURENCY: there is no such option, did you mean FANOUT_CONCURRENCY?',
    );
    expect(refusal({ environment: { FANOUT_NO_DECOMPRESS: '1' } })).toMatch(/did you mean FANOUT_DECOMPRESS/);
  });

  it('are left alone in the environment otherwise', () => {
    const environment = {
      FANOUT_HOME: '/x',
      FANOUT_VERSION: '9',
      FANOUT_: 'x',
      PATH: '/bin',
      concurrency: '1',
    };
    expect(resolve({ environment })).toEqual(resolve({}));
  });

  it.each(['config', 'printConfig'])('%s has no place in a file', (key) => {
    expect(refusal({ file: { [key]: 'x' } })).toBe(
      `Cannot use "${key}" in fanout.config.json: it is for the command line alone`,
    );
  });
});

describe('options that exclude each other', () => {
  it.each<[Given, string]>([
    [{ flags: { head: true, method: 'POST' } }, 'Cannot use --head with --method: give one of the two'],
    [{ flags: { head: true, data: '' } }, 'Cannot use --head with --data: give one of the two'],
    [{ flags: { json: true, format: 'csv' } }, 'Cannot use --json with --format: give one of the two'],
    [
      { environment: { FANOUT_HEAD: '1', FANOUT_METHOD: 'GET' } },
      'Cannot use FANOUT_HEAD with FANOUT_METHOD: give one of the two',
    ],
    [
      { file: { json: true, format: 'text' } },
      'Cannot use "json" in fanout.config.json with "format" in fanout.config.json: give one of the two',
    ],
  ])('are refused in one place: %j', (given, message) => {
    expect(refusal(given)).toBe(message);
  });

  it('are taken when they agree', () => {
    expect(resolve({ flags: { head: true, method: 'head' } }).method).toBe('HEAD');
    expect(resolve({ flags: { json: true, format: 'jsonl' } }).format).toBe('jsonl');
    expect(resolve({ file: { head: false, method: 'POST', data: 'x' } }).method).toBe('POST');
    expect(resolve({ flags: { quiet: true, silent: true } })).toMatchObject({ quiet: true, silent: true });
  });

  it('follow the layer that wins', () => {
    expect(resolve({ flags: { json: true }, file: { format: 'csv' } }).format).toBe('jsonl');
    expect(resolve({ flags: { format: 'csv' }, file: { json: true } }).format).toBe('csv');
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

describe('values that depend on others', () => {
  it('makes the queue hold 1000 jobs, or 4 for each worker', () => {
    expect(resolve({}).queue).toBe(1000);
    expect(resolve({ flags: { concurrency: '250' } }).queue).toBe(1000);
    expect(resolve({ flags: { concurrency: '251' } }).queue).toBe(1004);
    expect(resolve({ flags: { concurrency: '1', queue: '4' } }).queue).toBe(4);
  });

  it('refuses a queue that is too small for the workers', () => {
    expect(refusal({ flags: { concurrency: '32' }, file: { queue: 127 } })).toBe(
      'Cannot use 127 for "queue" in fanout.config.json: it must be at least 4 times the concurrency, 128',
    );
  });

  it('takes POST when there is data, HEAD with --head, and otherwise GET', () => {
    expect(resolve({}).method).toBe('GET');
    expect(resolve({ flags: { data: '' } }).method).toBe('POST');
    expect(resolve({ flags: { data: 'x', method: 'put' } }).method).toBe('PUT');
    expect(resolve({ flags: { head: true } }).method).toBe('HEAD');
  });

  it('names the version in the user agent', () => {
    expect(resolve({}).userAgent).toBe('fanout/1.2.3');
    expect(resolve({ flags: { userAgent: '' } }).userAgent).toBe('');
  });
});

describe('environment variables in values', () => {
  const environment = { TOKEN: 's3cret', EMPTY: '' };

  it('are put into headers of every layer', () => {
    const expected = [{ name: 'a', value: 's3cret $ s3cretx' }];
    const line = `a: $TOKEN $$ \${TOKEN}x`;
    expect(resolve({ flags: { header: [line] }, environment }).header).toEqual(expected);
    expect(resolve({ environment: { ...environment, FANOUT_HEADER: line } }).header).toEqual(expected);
    expect(resolve({ file: { header: { a: `$TOKEN $$ \${TOKEN}x` } }, environment }).header).toEqual(
      expected,
    );
  });

  it('are put into all text of a file, and into no other flag', () => {
    expect(resolve({ file: { data: '$TOKEN' }, environment }).data).toBe('s3cret');
    expect(resolve({ flags: { data: '$TOKEN' }, environment }).data).toBe('$TOKEN');
  });

  it('must be set, and may be empty', () => {
    expect(resolve({ flags: { header: ['a: $EMPTY'] }, environment }).header[0]?.value).toBe('');
    expect(refusal({ flags: { header: ['a: $NOPE'] }, environment })).toBe(
      'Cannot use "a: ***" for --header: it needs the environment variable NOPE, which is not set',
    );
  });

  it('never show up in a message', () => {
    expect(refusal({ file: { format: '$TOKEN' }, environment })).toMatch(
      /^Cannot use "\$TOKEN" for "format"/,
    );
    expect(refusal({ flags: { header: ['a: $TOKEN'] }, environment: { TOKEN: 's3\ncret' } })).not.toMatch(
      /s3|cret"/,
    );
  });
});
