import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidValueError } from '../../src/config/option.ts';
import {
  escapeVariables,
  expandVariables,
  optionsFromEnvironment,
  readConfigFile,
} from '../../src/config/option-sources.ts';
import { programOptions, resolveProgramOptions } from '../../src/config/program-options.ts';
import { UsageError } from '../../src/model/errors.ts';
import { refusal, resolve } from './resolve-given.ts';

describe('unknown options', () => {
  it.each([
    ['concurency', '; did you mean "concurrency"?'],
    ['max-size', '; did you mean "maxSize"?'],
    ['headers', '; did you mean "header"?'],
    ['noDecompress', '; did you mean "decompress"?'],
    ['timeoutMs', '; did you mean "timeout"?'],
    ['queue', '; did you mean "queueSize"?'],
    ['somethingElse', ''],
    ['__proto__', ''],
    ['toString', ''],
    ['a\nb', ''],
  ])('are refused in a file: %j', (key, advice) => {
    const shown = key === 'a\nb' ? 'a\\u{a}b' : key;
    expect(refusal({ file: JSON.parse(`{${JSON.stringify(key)}: 1}`) })).toBe(
      `unknown key "${shown}" in fanout.config.json${advice}`,
    );
  });

  it.each([
    ['FANOUT_CONCURENCY', '; did you mean FANOUT_CONCURRENCY?'],
    ['FANOUT_NO_DECOMPRESS', '; did you mean FANOUT_DECOMPRESS?'],
    ['FANOUT_QUEUE', '; did you mean FANOUT_QUEUE_SIZE?'],
    ['FANOUT_MAX_RETRY', '; did you mean FANOUT_MAX_RETRY_AFTER?'],
    ['FANOUT_', ''],
    ['FANOUT_SOMETHING_ELSE', ''],
  ])('are refused in the environment: %s', (name, advice) => {
    expect(refusal({ environment: { [name]: '1' } })).toBe(`unknown environment variable ${name}${advice}`);
  });

  it('may be in a file if the key is $schema, which editors read', () => {
    expect(resolve({ file: { $schema: './fanout.config.schema.json', retries: 7 } }).retries).toBe(7);
  });

  it('may be in the environment if they are empty, or do not begin with FANOUT_', () => {
    const environment = { FANOUT_SOMETHING: '', XFANOUT_RETRIES: '1', PATH: '/bin', concurrency: '1' };
    expect(resolve({ environment })).toEqual(resolve({}));
  });

  it('may be in the environment without a value', () => {
    const sources = { flags: {}, environment: { FANOUT_SOMETHING: undefined } };
    expect(resolveProgramOptions(programOptions, sources, '1.2.3')).toEqual(resolve({}));
  });

  it('are refused in the environment if they are for the file only', () => {
    expect(refusal({ environment: { FANOUT_HOSTS: '{}' } })).toBe(
      'cannot use the environment variable FANOUT_HOSTS: "hosts" is a key of the configuration file only',
    );
    const { values } = optionsFromEnvironment(programOptions, { FANOUT_HOSTS: '{}' });
    expect([...values]).toEqual([]);
  });

  it.each(['config', 'printConfig', 'reconcile'])(
    'are refused in a file, as is %s, which is for the command line',
    (key) => {
      expect(refusal({ file: { [key]: 'x' } })).toBe(
        `cannot use "${key}" in fanout.config.json: it is for the command line only`,
      );
    },
  );
});

describe('environment variables in values', () => {
  const environment = { TOKEN: 's3cret', EMPTY: '' };

  it('are expanded in the headers of every source', () => {
    const expected = [{ name: 'a', value: 's3cret $ s3cretx' }];
    const line = `a: $TOKEN $$ \${TOKEN}x`;
    expect(resolve({ flags: { header: [line] }, environment }).header).toEqual(expected);
    expect(resolve({ environment: { ...environment, FANOUT_HEADER: line } }).header).toEqual(expected);
    expect(resolve({ file: { header: { a: `$TOKEN $$ \${TOKEN}x` } }, environment }).header).toEqual(
      expected,
    );
  });

  it('are expanded in all text of a file, and in no other flag', () => {
    expect(resolve({ file: { data: '$TOKEN' }, environment }).data).toBe('s3cret');
    expect(resolve({ flags: { data: '$TOKEN' }, environment }).data).toBe('$TOKEN');
  });

  it('must be set, and may be empty', () => {
    expect(resolve({ flags: { header: ['a: $EMPTY'] }, environment }).header[0]?.value).toBe('');
    expect(refusal({ flags: { header: ['a: $NOPE'] }, environment })).toBe(
      'invalid value "a: ***" for --header: needs the environment variable NOPE, which is not set',
    );
  });

  it('never appear in a message', () => {
    expect(refusal({ file: { format: '$TOKEN' }, environment })).toMatch(
      /^invalid value "\$TOKEN" for "format"/,
    );
    expect(refusal({ flags: { header: ['a: $TOKEN'] }, environment: { TOKEN: 's3\ncret' } })).not.toMatch(
      /s3|cret"/,
    );
  });
});

describe('optionsFromEnvironment()', () => {
  it('takes the variables that start with FANOUT_ and are not empty, and no others', () => {
    const environment = {
      FANOUT_CONCURRENCY: '8',
      FANOUT_QUEUE_SIZE: '',
      CONCURRENCY: '9',
      FANOUT_RETRIES: undefined,
      XFANOUT_RATE: '1',
    };
    expect([...optionsFromEnvironment(programOptions, environment).values]).toEqual([['concurrency', '8']]);
  });

  it('splits the value of a repeatable option into lines', () => {
    const { values } = optionsFromEnvironment(programOptions, { FANOUT_HEADER: 'A: 1\r\n\n B: 2\n \t\n' });
    expect(values.get('header')).toEqual(['A: 1', ' B: 2']);
  });
});

const VARIABLES = { A: '1', A_2: '2', LOOP: '$A', REPLACER: '$& $1' };

describe('expandVariables()', () => {
  it.each([
    ['$A', '1'],
    [`x\${A}x`, 'x1x'],
    ['$A_2', '2'],
    [`\${A}_2`, '1_2'],
    ['$$A', '$A'],
    ['$$$A', '$1'],
    [`$5 $ \${} \${a b} $-`, `$5 $ \${} \${a b} $-`],
    ['$LOOP', '$A'],
    ['$REPLACER', '$& $1'],
  ])('reads %s as %s', (text, expanded) => {
    expect(expandVariables(text, VARIABLES)).toBe(expanded);
  });

  it('goes into lists and objects, and leaves other values and keys', () => {
    expect(expandVariables({ $A: ['$A', 1, null, { b: '$A' }] }, VARIABLES)).toEqual({
      $A: ['1', 1, null, { b: '1' }],
    });
  });

  it.each(['$B', 'a $B', '$B c', `a \${B} c`, '$A $B'])('refuses %s if B is not set', (text) => {
    expect(() => expandVariables(text, VARIABLES)).toThrow(
      new InvalidValueError('needs the environment variable B, which is not set'),
    );
  });

  it('refuses the name of an inherited property', () => {
    expect(() => expandVariables('$toString', VARIABLES)).toThrow(InvalidValueError);
  });

  it.each(['s3cret$B', '$B-s3cret', `\${B}s3cret`, `s3$A\${B}cret`, '$B$A'])(
    'does not show a name that may be a part of a password: %s',
    (text) => {
      expect(() => expandVariables(text, VARIABLES)).toThrow(
        new InvalidValueError(
          'needs the environment variable that is named after its $, which is not set (write $$ for a $)',
        ),
      );
    },
  );
});

describe('escapeVariables()', () => {
  it.each(['$A', '$$A', '$', '$$', '$5', '$$5', `\${A}`, `\${`, '$$$', 'plain', '$ $_ $é'])(
    'writes %s so that it is read back',
    (text) => {
      expect(expandVariables(escapeVariables(text), VARIABLES)).toBe(text);
    },
  );
});

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fanout-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

const readText = (path: string) => readFile(join(directory, path), 'utf8');

async function configRefusal(text: string): Promise<string> {
  await writeFile(join(directory, 'bad.json'), text);
  const error = await readConfigFile('bad.json', readText).catch((reason: unknown) => reason);
  if (error instanceof UsageError) return error.message;
  throw new Error(`taken: ${text}`);
}

describe('readConfigFile()', () => {
  it('accepts that the default file is missing', async () => {
    expect(await readConfigFile(undefined, readText)).toBeUndefined();
  });

  it('finds fanout.config.json', async () => {
    await writeFile(join(directory, 'fanout.config.json'), '{"retries": 1}');
    expect(await readConfigFile(undefined, readText)).toEqual({
      path: 'fanout.config.json',
      values: { retries: 1 },
    });
    await rm(join(directory, 'fanout.config.json'));
  });

  it('refuses a named file that is missing', async () => {
    await expect(readConfigFile('no\n.json', readText)).rejects.toThrow(
      new UsageError('cannot read the configuration file no\\u{a}.json: no such file'),
    );
  });

  it('refuses a file that cannot be read', async () => {
    const broken = () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' }));
    await expect(readConfigFile(undefined, broken)).rejects.toThrow(
      new UsageError('cannot read the configuration file fanout.config.json: EACCES'),
    );
    await expect(readConfigFile('.', readText)).rejects.toThrow('EISDIR');
  });

  it('drops a byte-order mark at its start, and no other', async () => {
    for (const [bom, values] of [
      ['\ufeff', {}],
      ['', { userAgent: '\ufeff' }],
    ] as const) {
      await writeFile(join(directory, 'bom.json'), bom + JSON.stringify(values));
      expect(await readConfigFile('bom.json', readText)).toEqual({ path: 'bom.json', values });
    }
  });

  it('says whether the user has named the file', async () => {
    const read: [string, boolean][] = [];
    const remember = async (path: string, isNamed: boolean) => {
      read.push([path, isNamed]);
      return '{}';
    };
    await readConfigFile('mine.json', remember);
    await readConfigFile(undefined, remember);
    expect(read).toEqual([
      ['mine.json', true],
      ['fanout.config.json', false],
    ]);
  });

  it('names the line and the column of a mistake', async () => {
    expect(await configRefusal('{\n  "retries": 1,\n}')).toBe(
      'cannot read the configuration file bad.json: must be JSON (see line 3, column 1)',
    );
    expect(await configRefusal('{\n  "retries": 1')).toMatch(/\(see line 2, column 15\)$/);
    expect(await configRefusal('')).toMatch(/\(see line 1, column 1\)$/);
  });

  it('quotes nothing of a file that is not JSON', async () => {
    for (const text of ['{"header": s3cret}', '{"header": "a: s3cret', 's3cret', '{"a": "s3cret" s3cret}']) {
      expect(await configRefusal(text)).toMatch(/^cannot read the configuration file bad.json: must be JSON/);
      expect(await configRefusal(text)).not.toContain('s3');
    }
  });

  it('names no place if the message of Node has none, and never a wrong one', async () => {
    expect(await configRefusal('{"a":\n s3cret}')).toMatch(/must be JSON(?: \(see line 2, column 2\))?$/);
  });

  it.each(['[]', 'null', '1', '"text"'])('refuses %s, which is not an object', async (text) => {
    expect(await configRefusal(text)).toBe(
      'cannot read the configuration file bad.json: must be a JSON object',
    );
  });
});
