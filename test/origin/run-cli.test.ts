import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type CliOptions, runCli, startCli, startProcess } from './run-cli.ts';
import { hasPty, startPty } from './run-pty.ts';
import { tempDir } from './temp-dir.ts';

/** Writes a small program to run in place of the built one. */
async function program(source: string): Promise<{ bin: string }> {
  const bin = join(await tempDir(), 'program.mjs');
  await writeFile(bin, source);
  return { bin };
}

const CAT = 'process.stdin.pipe(process.stdout)';

test('runCli() gives both outputs and the exit code', async () => {
  const bin = await program(
    'console.log(...process.argv.slice(2)); console.error("hm"); process.exitCode = 3',
  );
  expect(await runCli(['a b', '$c'], bin)).toEqual({
    code: 3,
    signal: null,
    stdout: 'a b $c\n',
    stderr: 'hm\n',
  });
});

test.each<[string, () => CliOptions['stdin'], string]>([
  ['text', () => 'héllo', 'héllo'],
  ['bytes', () => Buffer.from('bytes'), 'bytes'],
  ['a stream', () => Readable.from(['a', 'b']), 'ab'],
  ['nothing', () => undefined, ''],
])('standard input can be %s', async (_name, stdin, stdout) => {
  const given = stdin();
  const options = { ...(await program(CAT)), ...(given !== undefined && { stdin: given }) };
  expect(await runCli([], options)).toMatchObject({ code: 0, stdout });
});

test('a program that reads no input ends all the same', async () => {
  const stdin = 'x'.repeat(1_000_000);
  expect(await runCli([], { ...(await program('')), stdin })).toMatchObject({ code: 0 });
});

test('env comes on top of an environment without CI and proxies', async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv('HTTP_PROXY', 'http://proxy.test').stubEnv('CI', 'true');
  const bin = await program('console.log(Object.keys(process.env).join(" "))');
  const { stdout } = await runCli([], { ...bin, env: { FANOUT_X: '1' } });
  expect(stdout.split(/\s/)).toEqual(expect.arrayContaining(['PATH', 'FANOUT_X']));
  expect(stdout).not.toMatch(/\b(HTTP_PROXY|CI)\b/);
});

test('cwd is where the program runs', async () => {
  const cwd = await tempDir();
  const { stdout } = await runCli([], { ...(await program('console.log(process.cwd())')), cwd });
  expect(stdout.trim()).toBe(cwd);
});

test('a signal ends up in the result', async () => {
  const run = startCli([], { ...(await program(`console.log("up"); ${CAT}`)), stdin: 'open' });
  await run.stdout.sees('up');
  run.child.kill('SIGTERM');
  expect(await run.done).toMatchObject({ code: null, signal: 'SIGTERM' });
});

test('sees() rejects when the output ends without the text', async () => {
  const run = startCli([], await program('console.log("something else")'));
  await expect(run.stdout.sees(/wanted/)).rejects.toThrow(
    'The output ended without /wanted/: "something else',
  );
});

test('a program that never ends is killed, and the run says what it had printed', async () => {
  const bin = await program('console.log("busy"); setInterval(() => {}, 1000)');
  const run = startCli(['--now'], { ...bin, killAfterMs: 700 });
  await expect(run.done).rejects.toThrow(/Killed .*--now.* after 700 ms/s);
  expect(run.child.signalCode).toBe('SIGKILL');
});

describe.skipIf(!hasPty)('startPty()', () => {
  const REPORT = `
    console.log(['out', process.stdout.isTTY, process.stdout.columns].join(' '));
    console.error(['err', process.stderr.isTTY, ...process.argv.slice(2)].join('|'));
    process.exitCode = 4;`;

  test('gives the program a terminal of that width, its arguments as they are, and its exit code back', async () => {
    const run = startPty(['a b', "it's", '$x'], { ...(await program(REPORT)), columns: 77 });
    const { code, stdout } = await run.done;
    expect(stdout).toContain('out true 77\r\n');
    expect(stdout).toContain("err|true|a b|it's|$x\r\n");
    expect(code).toBe(4);
  });

  test('can keep standard output for a file', async () => {
    const file = join(await tempDir(), 'out.txt');
    const { stdout } = await startPty([], { ...(await program(REPORT)), stdoutTo: file }).done;
    expect(stdout).toContain('err|true');
    expect(await readFile(file, 'utf8')).toBe('out  \n');
  });

  test('Ctrl-C on the keyboard is SIGINT', async () => {
    const bin = await program(
      'process.on("SIGINT", () => process.exit(9)); setInterval(() => {}, 1000); console.log("up")',
    );
    const run = startPty([], bin);
    await run.stdout.sees('up');
    run.child.stdin?.write('\x03');
    expect(await run.done).toMatchObject({ code: 9 });
  });
});

describe('tempDir()', () => {
  let before = '';

  test('is an empty directory while the test runs', async () => {
    before = await tempDir();
    await writeFile(join(before, 'file'), '');
    expect((await stat(before)).isDirectory()).toBe(true);
    expect(await tempDir()).not.toBe(before);
  });

  test('is gone afterwards', async () => {
    await expect(stat(before)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('a program that a failed test has left behind ends with the process of the tests', async () => {
  const listening =
    "import { createServer } from 'node:http'; const server = createServer((_, answer) => answer.end());";
  const { bin } = await program(
    `${listening} server.listen(0, '127.0.0.1', () => console.log(server.address().port))`,
  );
  const leaving = `
    import { startCli } from ${JSON.stringify(new URL('run-cli.ts', import.meta.url).href)};
    const { stdout } = startCli([], { bin: ${JSON.stringify(bin)}, stdin: 'open' });
    process.stdout.write(await stdout.sees(/\\d+\\n/));
    process.exit();
  `;
  const file = join(await tempDir(), 'leaving.mts');
  await writeFile(file, leaving);
  const { stdout } = await startProcess('node_modules/.bin/tsx', [file]).done;
  const port = Number(stdout);
  expect(port).toBeGreaterThan(0);
  // A process that nobody has waited for still has its number; its port is free.
  await vi.waitFor(() => expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow('fetch failed'));
});
