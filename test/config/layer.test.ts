import { describe, expect, it } from 'vitest';
import { environmentLayer } from '../../src/config/option-sources.ts';
import { programOptions } from '../../src/config/program-options.ts';
import { refusal, resolve } from './resolve-given.ts';

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

describe('variables of the environment', () => {
  it('are those that start with FANOUT_ and hold something, and no others', () => {
    const environment = {
      FANOUT_CONCURRENCY: '8',
      FANOUT_QUEUE: '',
      CONCURRENCY: '9',
      FANOUT_RETRIES: undefined,
      XFANOUT_RATE: '1',
    };
    expect([...environmentLayer(programOptions, environment).given]).toEqual([['concurrency', '8']]);
  });

  it('hold one value a line where an option may be repeated', () => {
    const { given } = environmentLayer(programOptions, { FANOUT_HEADER: 'A: 1\r\n\n B: 2\n' });
    expect(given.get('header')).toEqual(['A: 1', ' B: 2']);
  });
});
