import { describe, expect, it } from 'vitest';
import { clusterOptions } from '../../src/config/cluster-options.ts';
import { diffOptions, workOptions } from '../../src/config/command-options.ts';
import type { Table } from '../../src/config/option.ts';
import { outputOptions } from '../../src/config/output-options.ts';
import {
  fetchOptions,
  hasPrivateRecords,
  loadProgramOptions,
  programOptions,
  resolveCommandOptions,
  resolveProgramOptions,
  withExcludeFile,
} from '../../src/config/program-options.ts';
import { runOptions } from '../../src/config/run-options.ts';
import { UsageError } from '../../src/model/errors.ts';
import { refusal, resolve } from './resolve-given.ts';

const table: Table = programOptions;

describe('programOptions', () => {
  it('has no key twice', () => {
    const parts = [runOptions, { threads: programOptions.threads }, clusterOptions, outputOptions];
    expect(Object.keys(programOptions)).toHaveLength(parts.flatMap((part) => Object.keys(part)).length);
  });

  it.each(Object.entries(table))('has its long flag in camel case as key: %s', (key, { flags }) => {
    const [, name = ''] = /--(?:no-)?([\w-]+)/.exec(flags) ?? [];
    expect(name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())).toBe(key);
  });

  it('has each short flag once', () => {
    const short = Object.values(table).flatMap(({ flags }) => /^-\w/.exec(flags) ?? []);
    expect(new Set(short).size).toBe(short.length);
  });

  it.each(Object.entries(table))('has one line of help in lower case: %s', (_, { help, details, noHelp }) => {
    for (const line of [help, noHelp ?? help]) {
      expect(line).toMatch(/^(?:[a-z]|DNS|HTTP|JavaScript|NATS)\S* .*[^.]$/);
      expect(line.length).toBeLessThanOrEqual(60);
    }
    expect(details ?? 'A sentence.').toMatch(/\.$/);
  });

  it.each(Object.entries(table))('reads back the printed default of %s', (_, entry) => {
    if (entry.default === undefined) return;
    const printed = entry.parser.print(entry.default);
    expect(printed).toBeDefined();
    expect(entry.parser.print(entry.parser.parse(printed))).toEqual(printed);
  });
});

describe('the format', () => {
  it.each([
    [{ output: 'r.jsonl' }, 'jsonl'],
    [{ output: 'r.ndjson' }, 'jsonl'],
    [{ output: 'a/R.JSONL.gz' }, 'jsonl'],
    [{ output: 'r.csv' }, 'csv'],
    [{ output: 'r.csv.gz' }, 'csv'],
    [{ output: 'r.txt' }, 'text'],
    [{ output: 'jsonl' }, 'text'],
    [{ output: 'r.gz' }, 'text'],
    [{ output: 'csv.d/r' }, 'text'],
    [{ output: 'r.csv.old' }, 'text'],
    [{ output: 'r.7.csv' }, 'csv'],
    [{ output: 'r.jsonl', format: 'csv' }, 'csv'],
    [{ output: 'r.jsonl', format: 'text' }, 'text'],
    [{ output: 'r.csv', json: true }, 'jsonl'],
    [{ output: 'r.jsonl', template: '{url}' }, 'text'],
    [{ output: 'r.json', json: true }, 'jsonl'],
    [{ output: 'r.html', format: 'text' }, 'text'],
    [{ output: 'r.jsonl', inlineBody: true }, 'jsonl'],
  ])('of %j is %s', (flags, format) => {
    expect(resolve({ flags })).toMatchObject({ format });
    const { output, ...others } = flags;
    expect(resolve({ flags: others, file: { output } })).toMatchObject({ format });
    expect(resolve({ flags: others, environment: { FANOUT_OUTPUT: output } })).toMatchObject({ format });
  });

  it.each([
    ['r.json', 'json'],
    ['r.html', 'html'],
    ['r.htm.gz', 'html'],
    ['r.xml', 'junit'],
    ['r.MD', 'markdown'],
  ])('is not guessed for %s, which has the name of a report', (output, kind) => {
    const message = refusal({ flags: { output } });
    expect(message).toContain(`invalid value "${output}" for --output: results are text, JSONL or CSV`);
    expect(message).toContain(`--report ${kind}=${output}`);
    expect(refusal({ file: { output } })).toContain('"output" in fanout.config.json');
  });

  it('names nothing that saves a page for a report that is no page', () => {
    expect(refusal({ flags: { output: 'r.xml' } })).toMatch(/; for a report use --report junit=r\.xml$/);
  });

  it('names what saves a page, where the page may be meant', () => {
    expect(refusal({ flags: { output: 'r.html' } })).toContain('--body');
    expect(refusal({ flags: { output: 'r.html', saveDir: 'pages' } })).not.toContain('--body');
  });
});

describe('hashesBodies', () => {
  it.each([
    [{ json: true }, true],
    [{ format: 'jsonl' }, true],
    [{ journal: 'j' }, true],
    [{ report: ['json=r.json'] }, true],
    [{ baseline: 'b.jsonl', updateBaseline: true }, false],
    [{ broker: 'nats://127.0.0.1', run: 'r' }, true],
    [{ saveDir: 'd', checksums: 'SHA256SUMS' }, true],
    [{ template: '{url} {sha256}' }, true],
    [{ template: 'sha256 {url}' }, false],
    [{ baseline: 'b.jsonl', output: 'results.txt' }, false],
    [{ format: 'csv' }, false],
    [{}, false],
  ])('is for %j: %j', (flags, hashesBodies) => {
    expect(resolve({ flags }).hashesBodies).toBe(hashesBodies);
  });
});

describe('keeps', () => {
  it.each([
    [{ json: true, record: 'headers' }, ['headers']],
    [{ json: true, record: 'input,headers' }, ['input', 'headers']],
    [{ json: true, record: 'address, tls,title' }, ['address', 'tls', 'title']],
    [{ template: '{url} {title} {tlsDaysLeft}' }, ['tls', 'title']],
    [{ template: '{address}', record: 'tls' }, ['tls', 'address']],
    [{ template: 'title {url} tlsCipher' }, []],
    [{}, []],
  ])('is for %j: %j', (flags, keeps) => {
    expect(resolve({ flags }).keeps).toEqual(keeps);
  });
});

describe('hasPrivateRecords()', () => {
  it.each([
    [{ json: true, record: 'headers' }, true],
    [{ json: true, inlineBody: true }, true],
    [{ json: true, record: 'input' }, false],
    [{ json: true }, false],
  ])('is for %j: %j', (flags, isPrivate) => {
    expect(hasPrivateRecords(resolve({ flags }))).toBe(isPrivate);
  });
});

describe('maxSize', () => {
  it.each([
    [{ body: true }, Number.POSITIVE_INFINITY],
    [{ body: true, maxSize: '1kb' }, 1024],
    [{ body: false }, 10_485_760],
  ])('of a body that is written to standard output is for %j: %j', (flags, maxSize) => {
    expect(resolve({ flags }).maxSize).toBe(maxSize);
  });
});

describe('record', () => {
  it.each([
    [{}, 'title'],
    [{ output: 'r.txt' }, 'title,tls'],
    [{ output: 'r.csv' }, 'headers'],
  ])('is refused with %j for %s, which no output has', (flags, record) => {
    expect(refusal({ flags: { record, ...flags } })).toBe('--record needs --json');
    expect(refusal({ file: { record, ...flags } })).toBe('"record" in fanout.config.json needs --json');
  });

  it.each([
    [{ json: true }, 'headers'],
    [{ output: 'r.csv' }, 'headers,title'],
    [{ template: '{title}' }, 'title'],
    [{ report: 'json=r.json' }, 'title'],
    [{ journal: 'j' }, 'headers'],
  ])('is accepted with %j for %s', (flags, record) => {
    expect(() => resolve({ flags: { record, ...flags } })).not.toThrow();
  });
});

describe('inlineBody', () => {
  it.each([{}, { output: 'r.csv' }, { format: 'text' }])('needs --json, and not %j', (flags) => {
    expect(refusal({ flags: { inlineBody: true, ...flags } })).toBe('--inline-body needs --json');
    expect(refusal({ file: { inlineBody: '1kb', ...flags } })).toBe(
      '"inlineBody" in fanout.config.json needs --json',
    );
  });

  it.each([{ json: true }, { output: 'r.jsonl' }, { inlineBody: false }])('is accepted with %j', (flags) => {
    expect(() => resolve({ flags: { inlineBody: true, ...flags } })).not.toThrow();
  });

  it('needs no format in a command that has none: its results go to a collector', () => {
    const sources = { flags: { inlineBody: true }, environment: {} };
    expect(resolveProgramOptions(workOptions, sources, '1').inlineBody).toBe(65_536);
  });
});

describe('resolveProgramOptions()', () => {
  const environment = { FANOUT_BROKER: 'nats://127.0.0.1', FANOUT_LANES: 'many', FANOUT_RETRIES: '7' };

  it('ignores options of other commands in the environment and the file', () => {
    const file = { path: 'f.json', values: { run: 'may', chunk: 'many', retries: 9 } };
    const options = resolveProgramOptions(fetchOptions, { flags: {}, environment, file }, '1');
    expect([options.broker, options.run, options.lanes, options.retries]).toEqual([
      undefined,
      undefined,
      undefined,
      7,
    ]);
  });

  it('refuses what no command has', () => {
    const given = { flags: {}, environment: { FANOUT_BROKERS: 'x' } };
    expect(() => resolveProgramOptions(fetchOptions, given, '1')).toThrow(
      new UsageError('unknown environment variable FANOUT_BROKERS; did you mean FANOUT_BROKER?'),
    );
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
    expect((await loadProgramOptions(programOptions, both, '1')).retries).toBe(7);
    const one = sources({}, { FANOUT_CONFIG: 'variable.json' });
    expect((await loadProgramOptions(programOptions, one, '1')).retries).toBe(8);
    expect((await loadProgramOptions(programOptions, sources({}, {}), '1')).retries).toBe(2);
  });

  it('refuses --config without a name', async () => {
    await expect(loadProgramOptions(programOptions, sources({ config: '' }, {}), '1')).rejects.toThrow(
      new UsageError('invalid value "" for --config: must be the name of a file'),
    );
  });
});

describe('resolveCommandOptions()', () => {
  it('resolves the options of a command from every source, and leaves those of others', () => {
    const sources = {
      flags: { slower: '3' },
      environment: { FANOUT_RETRIES: 'many' },
      file: { path: 'f.json', values: { quiet: true, concurrency: 'many' } },
    };
    const { values, labels } = resolveCommandOptions(diffOptions, sources);
    expect(values).toMatchObject({ slower: 3, slowerBy: 500, quiet: true });
    expect([...labels]).toEqual([
      ['slower', '--slower'],
      ['quiet', '"quiet" in f.json'],
    ]);
  });
});

describe('withExcludeFile()', () => {
  const excluding = async (text: string, exclude: readonly RegExp[] = []) => {
    const options = { exclude, excludeFile: 'f', retries: 7 };
    const read = async (path: string, isNamed: boolean) => (path === 'f' && isNamed ? text : 'wrong');
    return withExcludeFile(options, read);
  };

  it.each([
    ['', []],
    ['\n \r\n# a comment\n  # b\n', []],
    ['a\ufeffb', ['a\ufeffb']],
    ['\ufeffa\n\n  b(c|d)+\t\r\n#e\nf#g', ['a', 'b(c|d)+', 'f#g']],
    [
      Array.from({ length: 999 }, (_, line) => `^https://host-${line}\\.example/$`).join('\n'),
      expect.objectContaining({ length: 999 }),
    ],
  ])('adds the expressions of %j', async (text, added) => {
    const options = await excluding(text, [/x/]);
    expect(options.exclude.map(({ source }) => source.replaceAll('\\/', '/')).slice(1)).toEqual(added);
    expect([options.exclude[0], options.retries, Object.isFrozen(options)]).toEqual([/x/, 7, true]);
  });

  it.each([
    ['/ok\n(?=a)', 'invalid value "(?=a)" in line 2 of "f" for --exclude-file: must have no look-around'],
    ['\n\n  (', 'invalid value "(" in line 3 of "f" for --exclude-file: must be a JavaScript'],
    ['a\n'.repeat(1000), 'invalid value in "f" for --exclude-file: must be a list of at most 1000, not 1001'],
  ])('refuses %j', async (text, message) => {
    await expect(excluding(text, [/x/])).rejects.toThrow(UsageError);
    await expect(excluding(text, [/x/])).rejects.toThrow(message);
  });

  it('refuses a file that cannot be read', async () => {
    const read = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOENT', errno: -2 }));
    await expect(withExcludeFile({ exclude: [], excludeFile: 'a\nb' }, read)).rejects.toThrow(
      new UsageError('cannot read "a\\u{a}b" for --exclude-file: no such file or directory'),
    );
  });

  it('reads nothing if there is no file', async () => {
    const options = { exclude: [/x/], excludeFile: undefined };
    expect(await withExcludeFile(options, () => expect.unreachable('read'))).toBe(options);
  });
});
