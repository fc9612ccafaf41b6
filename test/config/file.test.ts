import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/config/option-sources.ts';
import { loadProgramOptions } from '../../src/config/program-options.ts';
import { UsageError } from '../../src/model/errors.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fanout-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

const readText = (path: string) => readFile(join(directory, path), 'utf8');

async function refusal(text: string): Promise<string> {
  await writeFile(join(directory, 'bad.json'), text);
  const error = await readConfigFile('bad.json', readText).catch((reason: unknown) => reason);
  if (error instanceof UsageError) return error.message;
  throw new Error(`taken: ${text}`);
}

describe('readConfigFile()', () => {
  it('does without a file that was not named', async () => {
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

  it('wants the file that was named', async () => {
    await expect(readConfigFile('no\n.json', readText)).rejects.toThrow(
      new UsageError('Cannot read the configuration file no\\u{a}.json: there is no such file'),
    );
  });

  it('does not pass over a file that cannot be read', async () => {
    const broken = () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' }));
    await expect(readConfigFile(undefined, broken)).rejects.toThrow(
      new UsageError('Cannot read the configuration file fanout.config.json: it cannot be read (EACCES)'),
    );
    await expect(readConfigFile('.', readText)).rejects.toThrow('EISDIR');
  });

  it('drops a byte-order mark', async () => {
    await writeFile(join(directory, 'bom.json'), '\ufeff{}');
    expect(await readConfigFile('bom.json', readText)).toEqual({ path: 'bom.json', values: {} });
  });

  it('tells the line and the column of a mistake', async () => {
    expect(await refusal('{\n  "retries": 1,\n}')).toBe(
      'Cannot read the configuration file bad.json: it must be JSON (see line 3, column 1)',
    );
    expect(await refusal('{\n  "retries": 1')).toMatch(/\(see line 2, column 15\)$/);
    expect(await refusal('')).toMatch(/\(see line 1, column 1\)$/);
  });

  it('quotes nothing of a file that is no JSON', async () => {
    for (const text of ['{"header": s3cret}', '{"header": "a: s3cret', 's3cret', '{"a": "s3cret" s3cret}']) {
      expect(await refusal(text)).toMatch(/^Cannot read the configuration file bad.json: it must be JSON/);
      expect(await refusal(text)).not.toContain('s3');
    }
  });

  it.each(['[]', 'null', '1', '"text"'])('refuses %s, which is no object', async (text) => {
    expect(await refusal(text)).toBe('Cannot read the configuration file bad.json: it must be a JSON object');
  });
});

describe('loadProgramOptions()', () => {
  const files: Readonly<Record<string, string>> = {
    'flag.json': '{"retries": 7}',
    'variable.json': '{"retries": 8}',
  };
  const sources = (flags: Record<string, unknown>, environment: Record<string, string>) => ({
    flags,
    environment,
    readText: async (path: string) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' });
      return text;
    },
  });

  it('reads the file of --config, or else of FANOUT_CONFIG', async () => {
    const both = sources({ config: 'flag.json' }, { FANOUT_CONFIG: 'variable.json' });
    expect((await loadProgramOptions(both, '1')).retries).toBe(7);
    const one = sources({}, { FANOUT_CONFIG: 'variable.json' });
    expect((await loadProgramOptions(one, '1')).retries).toBe(8);
    expect((await loadProgramOptions(sources({}, {}), '1')).retries).toBe(2);
  });

  it('refuses --config without a name', async () => {
    await expect(loadProgramOptions(sources({ config: '' }, {}), '1')).rejects.toThrow(
      new UsageError('Cannot use "" for --config: it must be the name of a file'),
    );
  });
});
