import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BIN, runCli, startProcess } from '../origin/run-cli.ts';
import { hasPty, startPty } from '../origin/run-pty.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';

const ESC = '\u001b';

/** Returns the lines of a screen that understands `\r`, `\n` and erasing the rest of a line. */
function screen(text: string): string[] {
  return text.split('\n').map((line) => {
    let shown = '';
    let column = 0;
    for (const [token] of line.matchAll(/\r|\u001b\[[?0-9;]*[A-Za-z]|[^\r\u001b]+/g)) {
      if (token === '\r') column = 0;
      else if (token === `${ESC}[K`) shown = shown.slice(0, column);
      else if (!token.startsWith(ESC)) {
        shown = shown.slice(0, column) + token + shown.slice(column + token.length);
        column += token.length;
      }
    }
    return shown;
  });
}

describe('the bar', () => {
  beforeAll(() => expect(hasPty, '`script` of util-linux provides the terminal').toBe(true));

  it('shows counts and total on a terminal, and leaves only whole lines behind', async () => {
    const origin = await anOrigin();
    const list = await aFile([
      `${origin.url}/gate/a`,
      ...urls(origin, '/ok', 200),
      `${origin.url}/status/404`,
    ]);
    const run = startPty(['fetch', '-c', '4', list], { columns: 160 });
    await run.stdout.sees(/\b201\/202 .*OK 200 {2}FAIL 1 .*1 in flight/);
    origin.open('a');
    const { code, stdout } = await run.done;
    const lines = screen(stdout);
    expect(code).toBe(1);
    expect(lines.filter((line) => /^OK {4}200 {2}http:\S+ +\S+ +\d+B$/.test(line))).toHaveLength(201);
    expect(lines.filter((line) => /^FAIL {2}404 {2}http:\S+ .*Not Found$/.test(line))).toHaveLength(2); // the summary repeats it
    expect(lines.filter((line) => line.includes('in flight'))).toEqual([]);
    expect(lines).toContain('Done: 201 succeeded, 1 failed');
  });

  it('stays on standard error when standard output is a file', async () => {
    const origin = await anOrigin();
    const stdoutTo = join(await tempDir(), 'out.txt');
    const run = startPty(['fetch', `${origin.url}/gate/a`], { stdoutTo });
    await run.stdout.sees('1 in flight');
    origin.open('a');
    expect((await run.done).code).toBe(0);
    expect(await readFile(stdoutTo, 'utf8')).toMatch(/^OK {4}200 {2}[ -~]+\n$/);
  });

  it.each<[string, readonly string[], Record<string, string>]>([
    ['with CI=1', [], { CI: '1' }],
    ['with --no-progress', ['--no-progress'], {}],
    ['with --silent', ['--silent'], {}],
    ['with TERM=dumb', [], { TERM: 'dumb' }],
  ])('is absent on a terminal %s', async (_, flags, env) => {
    const origin = await anOrigin();
    const { stdout } = await startPty(['fetch', ...flags, ...urls(origin, '/ok', 3)], { env }).done;
    expect(stdout).not.toMatch(/in flight|\u001b\[\??\d*[lhK]/);
  });

  it('is absent while standard output goes through a pipe', async () => {
    const origin = await anOrigin();
    const list = urls(origin, '/ok', 30).join(' ');
    const line = `'${process.execPath}' '${BIN}' fetch --color never ${list.replaceAll('?', '\\?')} | cat`;
    const { stdout } = await startProcess('script', ['-qec', line, '/dev/null'], {
      env: { TERM: 'xterm', SHELL: '/bin/sh' },
    }).done;
    expect(stdout).toContain('Done: 30 succeeded');
    expect(stdout).not.toContain('in flight');
  });

  it('is absent while the list is typed', async () => {
    const origin = await anOrigin();
    const run = startPty(['fetch', '--color', 'never', '-']);
    run.child.stdin?.write(`${origin.url}/ok\n`);
    await run.stdout.sees(/OK {4}200/);
    run.child.stdin?.write('\u0004');
    const { code, stdout } = await run.done;
    expect([code, stdout.includes('in flight')]).toEqual([0, false]);
  });

  it('is plain lines with --progress and TERM=dumb', async () => {
    const origin = await anOrigin();
    const args = ['fetch', '--progress', '--color', 'never', `${origin.url}/ok`];
    const { stdout } = await startPty(args, { env: { TERM: 'dumb' } }).done;
    expect(stdout).toMatch(/in flight\r?$/m);
    expect(stdout).not.toContain(ESC);
  });

  it('leaves room for the echo of Ctrl-C, gives way to its message, and shows no time left while stopping', async () => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/gate/a', 50));
    const run = startPty(['fetch', '-c', '4', list], { columns: 80 });
    await run.stdout.sees('4 in flight');
    run.child.stdin?.write('\u0003');
    await run.stdout.sees(/finishing 4 requests .*stopping {2}4 in flight/s);
    origin.open('a');
    const { code, stdout } = await run.done;
    const lines = screen(stdout);
    expect(code).toBe(130);
    expect(lines.filter((line) => line.includes('in flight'))).toEqual([]);
    expect(lines).toContain(
      'note: interrupted: finishing 4 requests (10s at most); press Ctrl-C again to quit now',
    );
  });

  it('is absent in a pipe', async () => {
    const origin = await anOrigin();
    const { stdout, stderr } = await runCli(['fetch', `${origin.url}/ok`]);
    expect(stdout + stderr).not.toMatch(/in flight|\u001b/);
  });

  it('is plain lines in a pipe with --progress', async () => {
    const origin = await anOrigin();
    const { stdout, stderr } = await runCli(['fetch', '--progress', `${origin.url}/ok`]);
    expect(stderr).toMatch(/^.*in flight$/m);
    expect(stdout + stderr).not.toContain(ESC);
  });

  it('has coloured lines on a terminal, unless NO_COLOR is set', async () => {
    const origin = await anOrigin();
    const args = ['fetch', '--no-progress', `${origin.url}/ok`];
    expect((await startPty(args).done).stdout).toContain(`${ESC}[32mOK`);
    expect((await startPty(args, { env: { NO_COLOR: '1' } }).done).stdout).not.toContain(ESC);
  });
});
