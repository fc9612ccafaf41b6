import { describe, expect, it } from 'vitest';
import { toConfigFile } from '../../src/config/option-sources.ts';
import {
  type ProgramOptions,
  programOptions,
  resolveProgramOptions,
} from '../../src/config/program-options.ts';

function resolve(flags: Record<string, unknown>): ProgramOptions {
  return resolveProgramOptions(programOptions, { flags, environment: {} }, '1.2.3');
}

function printed(flags: Record<string, unknown>, mask: boolean): Record<string, unknown> {
  return JSON.parse(toConfigFile(programOptions, resolve(flags), { mask }));
}

const MANY = {
  method: 'purge',
  header: ['Authorization: Bearer s3cret', 'X-Price: $5', `X-Var: $$HOME \${ $\${A} $$$$`],
  headerFor: ['a.test X-Key: $$HOME', '[::1]:81 Cookie: a=$'],
  user: 'me:pa$$$$word$',
  data: `$HOME $$ \${HOME}`,
  userAgent: 'me $$',
  decompress: false,
  concurrency: '300',
  timeout: '1.5s',
  deadline: '90m',
  maxSize: 'none',
  accept: '304,2xx',
  retryOn: 'network',
  maxFailures: '3',
  defaultScheme: 'https',
  format: 'csv',
  output: 'a $b',
  progress: false,
  failed: 'f.txt',
};

describe('toConfigFile()', () => {
  it('writes values as people write them, under keys in camel case', () => {
    expect(printed({}, true)).toMatchObject({
      timeout: '30s',
      maxSize: '10mb',
      accept: '200-299',
      concurrency: 32,
      decompress: true,
      userAgent: 'fanout/1.2.3',
    });
  });

  it('masks headers that may contain a secret, and shows those that are known not to', () => {
    const names = [
      'Authorization',
      'Cookie',
      'Proxy-Authorization',
      'X-Auth-Token',
      'My-Secret',
      'X-API-Key',
      'PASSWORD',
      'X-Session',
      'Referer',
    ];
    const text = toConfigFile(
      programOptions,
      resolve({ header: [...names.map((name) => `${name}: s3cret`), 'Accept: text/html'] }),
      { mask: true },
    );
    expect(text).not.toContain('s3cret');
    expect(JSON.parse(text).header).toEqual([
      ...names.map((name) => `${name.toLowerCase()}: ***`),
      'accept: text/html',
    ]);
  });

  it('masks credentials, and every header for one host only', () => {
    const flags = { user: 's3cret:s3cret', headerFor: ['a.test:81 X-Key: s3cret', '[::1] Accept: s3cret'] };
    expect(printed(flags, true)).toMatchObject({
      user: '***:***',
      headerFor: ['a.test:81 x-key: ***', '[::1] accept: ***'],
    });
  });

  it('shows only the length of data in bytes, and the name of a file', () => {
    expect(printed({ data: 's3crét' }, true).data).toBe('*** (7 bytes)');
    expect(printed({ data: '@body.json' }, true).data).toBe('@body.json');
  });

  it.each([[{}], [MANY], [{ head: true }], [{ json: true }], [{ data: '' }]])(
    'gives a file that results in the same options: %j',
    (flags) => {
      const before = resolve(flags);
      const file = { path: 'saved.json', values: printed(flags, false) };
      const after = resolveProgramOptions(programOptions, { flags: {}, environment: {}, file }, 'other');
      expect(toConfigFile(programOptions, after, { mask: false })).toBe(
        toConfigFile(programOptions, before, { mask: false }),
      );
      expect([after.header, after.headerFor, after.user, after.data, after.output, after.userAgent]).toEqual([
        before.header,
        before.headerFor,
        before.user,
        before.data,
        before.output,
        before.userAgent,
      ]);
    },
  );

  it('gives a file that can be read, even with masked values', () => {
    const file = { path: 'saved.json', values: printed(MANY, true) };
    expect(resolveProgramOptions(programOptions, { flags: {}, environment: {}, file }, '1').concurrency).toBe(
      300,
    );
  });

  it('leaves out options for the command line only', () => {
    const keys = Object.keys(printed({ config: 'x', printConfig: true, json: true }, true));
    expect(keys.filter((key) => ['config', 'printConfig', 'json'].includes(key))).toEqual([]);
  });
});
