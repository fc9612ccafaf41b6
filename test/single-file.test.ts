import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { running } from './http/client.ts';
import { startOrigin } from './origin/origin.ts';
import { type CliResult, startProcess } from './origin/run-cli.ts';
import { tempDir } from './origin/temp-dir.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSX = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
const SCRIPT = join(ROOT, 'build', 'single-file.ts');

let text = '';

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-test-'));
  const file = join(directory, 'fanout.mjs');
  await promisify(execFile)(process.execPath, [TSX, SCRIPT, file], { cwd: ROOT });
  text = await readFile(file, 'utf8');
  await rm(directory, { recursive: true, force: true });
});

/** A directory with only the file, and what runs it there. */
async function aBareDirectory() {
  const cwd = await tempDir();
  await writeFile(join(cwd, 'fanout.mjs'), text);
  const run = (...args: readonly string[]): Promise<CliResult> =>
    startProcess(process.execPath, ['fanout.mjs', ...args], { cwd }).done;
  return { cwd, run };
}

describe('the single file, in a directory without anything else,', () => {
  it('says its version, its help and what is wrong', async () => {
    const { run } = await aBareDirectory();
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    expect((await run('--version')).stdout).toBe(`${version}\n`);
    expect((await run('fetch', '--help')).stdout).toMatch(/^Usage: fanout fetch/);
    expect(await run('fetch', '--contians', 'a')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean --contains?'),
    });
    const cluster = await run('cluster', 'status', '--run', 'a', '--broker', 'nats://127.0.0.1:1');
    expect([cluster.code, cluster.stderr]).toEqual([
      2,
      expect.stringContaining('run "npm install @nats-io/'),
    ]);
  });

  it.each([[[]], [['--threads', '2']]])('fetches, with %j', async (flags) => {
    const { cwd, run } = await aBareDirectory();
    const origin = await running(startOrigin());
    const paths = ['/ok', '/gzip', '/redirect/1', '/status/404'];
    await writeFile(join(cwd, 'urls.txt'), paths.map((path) => `${origin.url}${path}\n`).join(''));
    const args = [
      'urls.txt',
      '--retries',
      '0',
      '--not-contains',
      'nothing',
      '--matches',
      '^',
      '--color',
      'always',
    ];
    const { code, stdout, stderr } = await run('fetch', ...args, ...flags);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/3 succeeded.*, .*1 failed/)]);
    expect(stdout).toMatch(/FAIL.*404/);
  });

  it('finds links in documents of each format, checks fragments, and makes reports', async () => {
    const { cwd, run } = await aBareDirectory();
    const origin = await running(startOrigin());
    await mkdir(join(cwd, 'docs'));
    await writeFile(join(cwd, 'docs', 'a.md'), `# A\n[a](#a) [b](#b) <${origin.url}/ok>`);
    await writeFile(join(cwd, 'docs', 'b.html'), '<a href="a.md#a">a</a>');
    await writeFile(join(cwd, 'docs', 'c.rst'), '`a <a.md>`_');
    const checked = await run('fetch', '--extract', 'docs', '--check-fragments', '--json', '-o', 'r.jsonl');
    expect([checked.code, checked.stderr]).toEqual([1, expect.stringContaining('4 succeeded, 1 failed')]);
    expect((await run('extract', 'docs')).stdout).toBe(`${origin.url}/ok\n`);
    expect((await run('report', 'r.jsonl', '--format', 'markdown')).stdout).toContain('no such anchor');
    expect((await run('diff', 'r.jsonl', 'r.jsonl')).code).toBe(0);
    await writeFile(join(cwd, 's.xml'), `<urlset><url><loc>${origin.url}/ok</loc></url></urlset>`);
    expect((await run('fetch', '--sitemap', 's.xml', '--cookies', 'jar', '--deny-private')).stdout).toMatch(
      /denied/,
    );
  });

  it('has the licences of everything that it includes', () => {
    const licences = text.slice(text.lastIndexOf('/*'));
    for (const name of [
      'fanout',
      'undici',
      'commander',
      'htmlparser2',
      'domhandler',
      'markdown-it',
      'sax',
      'tough-cookie',
    ])
      expect(licences).toMatch(new RegExp(`^(?:/\\*\\n)?${name} \\d`, 'm'));
  });
});
