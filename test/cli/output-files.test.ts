import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { chmod, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { checkOutputs } from '../../src/cli/output-files.ts';
import { OutputError } from '../../src/model/errors.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { okResult } from '../model/a-result.ts';
import { BIN, startProcess } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const LIST = 'http://127.0.0.1:1/\n';

async function list(): Promise<string> {
  const path = join(await tempDir(), 'urls.txt');
  await writeFile(path, LIST);
  return path;
}

describe('an output that is an input is refused, and the input keeps its contents', () => {
  it.each(['--output', '--failed', '--journal', '--report junit'])('%s', async (flag) => {
    const path = await list();
    const args = flag.startsWith('--report') ? ['--report', `junit=${path}`] : [flag, path];
    const { code, stderr } = await runInProcess(['fetch', path, ...args]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        `invalid value ${JSON.stringify(path)} for ${flag}: it is an input file; name another file\n`,
      ),
    ]);
    expect(await readFile(path, 'utf8')).toBe(LIST);
  });

  it.each(['--output', '--failed'])('%s is the file on standard input', async (flag) => {
    const path = await list();
    const { code, stderr } = await shell(`fetch ${flag} '${path}' < '${path}'`);
    expect([code, stderr]).toEqual([2, expect.stringContaining('it is the file on standard input')]);
    expect(await readFile(path, 'utf8')).toBe(LIST);
  });

  it('standard output is appended to the list', async () => {
    const path = await list();
    const { code, stderr } = await shell(`fetch '${path}' >> '${path}'`);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('cannot write the results to standard output: it is an input file'),
    ]);
    expect(await readFile(path, 'utf8')).toBe(LIST);
  });

  it.each([
    ['symbolic', symlink],
    ['hard', link],
  ])('a %s link to it', async (_, makeLink) => {
    const path = await list();
    await makeLink(path, `${path}.link`);
    const check = checkOutputs([{ kind: 'file', path }], { '--output': `${path}.link` });
    await expect(check).rejects.toThrow('it is an input file');
  });

  it('each of two reports of one kind', async () => {
    const path = await list();
    const reports = ['--report', `json=${path}`, '--report', `json=${path}.new`];
    const { code, stderr } = await runInProcess(['fetch', path, ...reports]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('for --report json: it is an input file')]);
  });

  it('a file that another option reads', async () => {
    const path = await list();
    const check = checkOutputs([], { '--output': path }, { files: { '--config': path } });
    await expect(check).rejects.toThrow('for --output: it is read for --config; name another file');
  });
});

describe('two outputs cannot be one file', () => {
  it('whether it exists or not', async () => {
    const path = await list();
    for (const output of [path, `${path}.new`]) {
      const check = checkOutputs([], { '--output': output, '--failed': output });
      await expect(check).rejects.toThrow('for --failed: it is the file of --output; name another file');
    }
  });

  it('by way of links to a directory and to a file that does not exist', async () => {
    const directory = await tempDir();
    mkdirSync(join(directory, 'real'));
    await symlink('real', join(directory, 'alias'));
    await symlink('real/new', join(directory, 'link'));
    const real = join(directory, 'real', 'new');
    for (const other of [join(directory, 'alias', 'new'), join(directory, 'link')]) {
      const check = checkOutputs([], { '--output': real, '--failed': other });
      await expect(check).rejects.toThrow('it is the file of --output');
    }
  });

  it.each(['-', '/dev/stdout'])('--failed %s, if the results go to standard output', async (name) => {
    const check = checkOutputs([], { '--output': undefined, '--failed': name });
    await expect(check).rejects.toThrow('the results go to standard output; name another file');
    await checkOutputs([], { '--output': '/dev/null', '--failed': name });
  });

  it('the file that standard output goes to', async () => {
    const path = await list();
    const fd = openSync(path, 'a');
    const process = { stdin: {}, stdout: { fd } };
    const check = checkOutputs([], { '--output': undefined, '--failed': path }, { process });
    await expect(check).rejects.toThrow('standard output goes there');
    closeSync(fd);
  });
});

test('devices and different files are accepted', async () => {
  const path = await list();
  const input = { kind: 'file', path } as const;
  await checkOutputs([input], { '--output': '-', '--failed': undefined });
  await checkOutputs([input], { '--output': '/dev/null', '--failed': '/dev/null' });
  await checkOutputs([input], { '--output': `${path}.ok`, '--failed': undefined });
});

describe('an output that cannot be written is refused before one is opened', () => {
  it('a directory, a socket, a missing directory, a file in place of a directory', async () => {
    const path = await list();
    const directory = join(path, '..');
    const cases = [
      [directory, 'it is a directory'],
      [join(directory, 'none', 'x'), 'no such file or directory'],
      [join(path, 'x'), 'not a directory'],
    ] as const;
    for (const [output, reason] of cases) {
      await expect(checkOutputs([], { '--output': output })).rejects.toThrow(
        new OutputError(`cannot write to ${JSON.stringify(output)}: ${reason}`),
      );
    }
  });

  it.skipIf(process.getuid?.() === 0)('a file and a directory without write permission', async () => {
    const path = await list();
    await chmod(path, 0o400);
    await expect(checkOutputs([], { '--output': path })).rejects.toThrow('permission denied');
  });
});

describe('if the run cannot start, every file stays as it was', () => {
  it.each<[string, (directory: string) => string[], number]>([
    ['a bad option', () => ['--concurrency', '0'], 2],
    [
      'a second output that is missing its directory',
      (at) => ['--report', `json=${join(at, 'none', 'x')}`],
      3,
    ],
    ['a save directory that is a file', (at) => ['--save-dir', join(at, 'old.txt')], 3],
    ['a report that is a directory', (at) => ['--report', `html=${at}`], 3],
    ['a journal that is not one', (at) => ['--journal', join(at, 'old.txt')], 2],
    ['a broken baseline', (at) => ['--baseline', join(at, 'none'), '--report', `json=${join(at, 'r')}`], 2],
  ])('%s', async (_, flags, exitCode) => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const old = join(directory, 'old.txt');
    const output = join(directory, 'results.txt');
    const failed = join(directory, 'failed.txt');
    const known = join(directory, 'known.jsonl');
    for (const path of [old, output, known]) await writeFile(path, path === known ? '' : 'old\n');
    const args = ['fetch', '-o', output, '--failed', failed, `${origin.url}/ok`, ...flags(directory)];
    const { code } = await runInProcess(args);
    expect([code, origin.requests, await readFile(output, 'utf8')]).toEqual([exitCode, 0, 'old\n']);
    expect((await readdir(directory)).sort()).toEqual(['known.jsonl', 'old.txt', 'results.txt']);
  });

  it('a journal that is locked: no .part file of the baseline is left', async () => {
    const directory = await tempDir();
    const baseline = join(directory, 'known.jsonl');
    const journal = join(directory, 'journal');
    await writeFile(baseline, '');
    await mkdir(join(directory, 'journal.lock'));
    await writeFile(join(directory, 'journal.lock', 'someone'), '');
    const flags = ['--baseline', baseline, '--update-baseline', '--journal', journal];
    const { code } = await runInProcess(['fetch', ...flags, 'http://127.0.0.1:1/']);
    expect(code).toBe(2);
    expect((await readdir(directory)).sort()).toEqual(['journal', 'journal.lock', 'known.jsonl']);
  });
});

describe('special files as outputs', () => {
  it('-o /dev/null', async () => {
    const origin = await anOrigin();
    expect((await runInProcess(['fetch', '-o', '/dev/null', `${origin.url}/ok`])).code).toBe(0);
  });

  it('-o /dev/stdout and --failed - write to standard output', async () => {
    const origin = await anOrigin();
    const toStdout = await runInProcess(['fetch', '-o', '/dev/stdout', `${origin.url}/ok`]);
    expect([toStdout.code, toStdout.stdout]).toEqual([0, expect.stringMatching(/^OK /)]);
    const args = ['fetch', '-o', '/dev/null', '--failed', '-', `${origin.url}/status/404`];
    expect((await runInProcess(args)).stdout).toBe(`${origin.url}/status/404\n`);
  });

  it('-o of a symbolic link writes to its target', async () => {
    const origin = await anOrigin();
    const path = await aFile(['old'], 'target.txt');
    await symlink('target.txt', `${path}.link`);
    expect((await runInProcess(['fetch', '-o', `${path}.link`, `${origin.url}/ok`])).code).toBe(0);
    expect(await readFile(path, 'utf8')).toMatch(/^OK .*\n$/);
  });

  it('-o of a named pipe', async () => {
    const origin = await anOrigin();
    const pipe = join(await tempDir(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const copy = `${pipe}.copy`;
    const { code } = await shell(
      `fetch -o '${pipe}' '${origin.url}/ok' & cat '${pipe}' > '${copy}'; wait $!`,
    );
    expect([code, readFileSync(copy, 'utf8')]).toEqual([0, expect.stringMatching(/^OK .*\n$/)]);
  });
});

/** Runs the program with the redirections of a shell. */
function shell(line: string) {
  return startProcess('/bin/sh', ['-c', `"${process.execPath}" "${BIN}" ${line}`]).done;
}

/** The permissions of the files that the program creates with this umask, by name. */
async function modesOf(directory: string, args: readonly string[]): Promise<Record<string, string>> {
  const before = process.umask(0o022);
  await runInProcess(args).finally(() => process.umask(before));
  const names = (await readdir(directory)).toSorted();
  const modes = names.map(async (name) => [
    name,
    ((await stat(join(directory, name))).mode & 0o777).toString(8),
  ]);
  return Object.fromEntries(await Promise.all(modes));
}

describe('a new file may be read by its owner only if it can have headers or bodies', () => {
  it.each([
    [[], '644'],
    [['--record', 'headers'], '600'],
    [['--record', 'headers,input'], '600'],
    [['--inline-body', '1kb'], '600'],
    [['--record', 'input'], '644'],
  ])('with %j the files with records have %s', async (flags, records) => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const at = (name: string) => join(directory, name);
    const reports = ['json', 'junit', 'html', 'markdown'].flatMap((kind) => [
      '--report',
      `${kind}=${at(`report.${kind}`)}`,
    ]);
    const outputs = ['-o', at('results'), '--failed', at('failed'), '--journal', at('journal'), ...reports];
    const baseline = ['--baseline', at('baseline.jsonl'), '--update-baseline'];
    const args = ['fetch', '--json', ...outputs, ...baseline, ...flags, `${origin.url}/missing`];
    expect(await modesOf(directory, args)).toEqual({
      'baseline.jsonl': '644',
      failed: '600',
      journal: '600',
      'report.html': '644',
      'report.json': records,
      'report.junit': '644',
      'report.markdown': '644',
      results: records,
    });
  });

  it.each([
    ['jsonl', 0o600, '600'],
    ['json', 0o600, '600'],
    ['json', 0o644, '644'],
    ['html', 0o600, '644'],
  ])('what fanout report writes as %s from a file with %o has %s', async (format, mode, expected) => {
    const input = join(await tempDir(), 'results.jsonl');
    await writeFile(input, `${encodeRecord(okResult())}\n`, { mode });
    const directory = await tempDir();
    const args = ['report', input, '--format', format, '-o', join(directory, 'copy')];
    expect(await modesOf(directory, args)).toEqual({ copy: expected });
  });
});
