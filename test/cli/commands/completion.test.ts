import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS, toFlags } from '../../../src/cli/command-specs.ts';
import { toBashScript, toFishScript, toZshScript } from '../../../src/cli/commands/completion.ts';
import { runInProcess } from '../run-in-process.ts';
import { startUp, TypedShell } from './typed-shell.ts';

const run = promisify(execFile);

/** What is typed before the tab key, and the last word after it. */
const CASES: readonly (readonly [string, string])[] = [
  ['rep', 'report'],
  ['--ver', '--version'],
  ['help res', 'resume'],
  ['clu', 'cluster'],
  ['cluster coll', 'collect'],
  ['fetch --def', '--default-scheme'],
  ['fetch --no-pr', '--no-progress'],
  ['fetch --color al', 'always'],
  ['fetch --color=al', '--color=always'],
  ['fetch list.txt --color al', 'always'],
  ['report --format mark', 'markdown'],
  ['cluster work --blocked wa', 'warn'],
  ['fetch --report ju', 'junit='],
  ['fetch --report junit=lis', 'junit=list.txt'],
  ['fetch lis', 'list.txt'],
  ['fetch -o lis', 'list.txt'],
  ['fetch --journal=lis', '--journal=list.txt'],
  ['diff list.txt lis', 'list.txt'],
  ['fetch --save-dir pag', 'pages-of-may'],
  ['cluster dead ex', 'export'],
  ['completion zs', 'zsh'],
];

/** What is typed and has no completion. */
const DEAD_ENDS = [
  'fetch -c lis',
  'fetch --header lis',
  'cluster work lis',
  'nonsense lis',
  'cluster status --form',
];

const directory = await realpath(await mkdtemp(join(tmpdir(), 'fanout-test-')));
await mkdir(join(directory, 'pages-of-may'));
await writeFile(join(directory, 'pages.txt'), '');
await writeFile(join(directory, 'list.txt'), '');
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('fanout completion', () => {
  it.each([
    ['bash', /\ncomplete -F _fanout fanout\n$/],
    ['zsh', /^#compdef fanout\n/],
    ['fish', /\ncomplete -c fanout -f\n/],
  ])('writes the script for %s', async (shell, script) => {
    const { code, stdout, stderr } = await runInProcess(['completion', shell]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(script);
    expect(stdout).toContain('per-host');
  });

  it('lists the supported shells if it gets another', async () => {
    expect(await runInProcess(['completion', 'tcsh'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'error: no completions for "tcsh"; the shells are bash, zsh, fish\n',
    });
  });

  it('requires the name of a shell', async () => {
    const { code, stdout, stderr } = await runInProcess(['completion']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('missing argument <shell>');
  });
});

describe.each([
  ['bash', 'bash --noprofile --rcfile .bash-start -i', '.bash-start', toBashScript(COMMANDS)],
  ['zsh', 'zsh -i', '.zshrc', `autoload -Uz compinit; compinit -u -D\n${toZshScript(COMMANDS)}`],
])('the completions in %s', (_, command, startUpFile, script) => {
  let shell: TypedShell;
  beforeAll(async () => {
    await writeFile(join(directory, startUpFile), startUp(script));
    shell = await TypedShell.start(command, directory);
  });
  afterAll(() => shell?.close());

  it.each(CASES)('make "%s" into "%s"', async (typed, word) => {
    expect((await shell.typed(`${typed}\t`)).at(-1)?.replace(/\/$/, '')).toBe(word);
  });

  it.each(DEAD_ENDS)('leave "%s" as it is', async (typed) => {
    expect((await shell.typed(`${typed}\t`)).join(' ')).toBe(typed);
  });
});

describe('the completions in bash', () => {
  it('show every flag of every command', async () => {
    await writeFile(join(directory, '.bashrc'), startUp(toBashScript(COMMANDS)));
    const shell = await TypedShell.start('bash --noprofile --rcfile .bashrc -i', directory);
    try {
      for (const { name, options } of COMMANDS) {
        const long = toFlags(options).map((flag) => flag.long);
        // These keys insert all completions.
        const inserted = await shell.typed(`${name} --\u001b*`);
        expect(new Set(inserted.slice(name.split(' ').length))).toEqual(new Set([...long, '--help']));
      }
    } finally {
      await shell.close();
    }
  });
});

describe('the completions in fish', () => {
  beforeAll(async () => {
    await writeFile(join(directory, 'fanout.fish'), toFishScript(COMMANDS));
  });

  async function completed(typed: string): Promise<readonly string[]> {
    const script = `source fanout.fish; complete -C 'fanout ${typed}'`;
    const env = { ...process.env, HOME: directory };
    const { stdout } = await run('fish', ['--no-config', '-c', script], { cwd: directory, env });
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('\t')[0] ?? '');
  }

  it.each(CASES)('make "%s" into "%s"', async (typed, word) => {
    expect((await completed(typed)).map((one) => one.replace(/\/$/, ''))).toEqual([word]);
  });

  it.each(DEAD_ENDS)('leave "%s" as it is', async (typed) => {
    expect(await completed(typed)).toEqual([]);
  });

  it('show every flag of every command', async () => {
    for (const { name, options } of COMMANDS) {
      const long = toFlags(options).map((flag) => flag.long);
      expect(new Set(await completed(`${name} --`))).toEqual(new Set([...long, '--help']));
    }
  });
});
