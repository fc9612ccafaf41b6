import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, startOrigin } from '../origin/origin.ts';
import { BIN, startProcess } from '../origin/run-cli.ts';
import { commandsOf } from './commands.ts';
import { pages, ROOT } from './pages.ts';

const PAGES = await pages();
const COMMANDS = [...new Set(PAGES.filter(({ path }) => path !== 'docs/comparison.md').flatMap(commandsOf))];
const RECORDS = ['yesterday', 'today', 'monday', 'tuesday', 'old', 'new', 'a', 'b', 'known'];

const cwd = await realpath(await mkdtemp(join(tmpdir(), 'fanout-test-')));
let origin: Origin;
const atSocket = createServer((_, response) => void response.end('ok'));

/** Creates what the pages assume: a program called fanout, lists, and results of earlier runs. */
beforeAll(async () => {
  origin = await startOrigin();
  await writeFile(join(cwd, 'fanout'), `#!/bin/sh\nexec "${process.execPath}" "${BIN}" "$@"\n`);
  await chmod(join(cwd, 'fanout'), 0o755);
  const list = `${origin.url}/ok\n${origin.url}/status/404\n`;
  for (const name of ['urls.txt', 'links.txt']) await writeFile(join(cwd, name), list);
  for (const name of ['urls.gz', 'urls.txt.gz']) await writeFile(join(cwd, name), gzipSync(list));
  await shell('fanout fetch urls.txt --json -o results.jsonl');
  for (const name of RECORDS) await copyFile(join(cwd, 'results.jsonl'), join(cwd, `${name}.jsonl`));
  await mkdir(join(cwd, '.config/fish/completions'), { recursive: true });
  await writeFile(join(cwd, 'items.jsonl'), '{"name":"x"}\n');
  await writeFile(join(cwd, '.fanoutignore'), '# of this project\n/draft/\n');
  const sitemap = `<urlset><url><loc>${origin.url}/ok</loc></url></urlset>`;
  await writeFile(join(cwd, 'sitemap.xml'), sitemap);
  await mkdir(join(cwd, 'docs'));
  await new Promise<void>((resolve) => atSocket.listen(join(cwd, 'api.sock'), resolve));
  for (const name of ['README.md', 'docs/a.md']) await writeFile(join(cwd, name), `[a](${origin.url}/ok)\n`);
});

afterAll(async () => {
  await origin.close();
  atSocket.close();
  await rm(cwd, { recursive: true, force: true });
});

async function shell(command: string): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const env = { PATH: `${cwd}${delimiter}${process.env.PATH}`, HOME: cwd, TOKEN: 'secret' };
  // As in a terminal, standard input is not a pipe.
  return startProcess('bash', ['-o', 'pipefail', '-c', `exec < /dev/null\n${command}`], { cwd, env }).done;
}

/** Replaces the hosts of a command by the test origin, and the sitemap by a file. */
function toLocal(command: string): string {
  return command
    .replace('https://example.com/sitemap.xml', 'sitemap.xml')
    .replace("'api.example.com ", "'127.0.0.1 ")
    .replaceAll(/https:\/\/[\w.]*\bexample\.(?:com|org)\//g, `${origin.url}/`);
}

describe('the commands of the documentation', () => {
  it('are found', () => {
    expect(COMMANDS.length).toBeGreaterThan(20);
    expect(COMMANDS).toContain('zcat urls.gz | fanout fetch -I -q --per-host 4');
  });

  it.each(COMMANDS)('%s', async (command) => {
    const { code, stderr } = await shell(toLocal(command));
    // 1 means that a URL failed.
    expect(stderr).not.toMatch(/^(?:error|warning): /m);
    expect([0, 1]).toContain(code);
  });
});

it('the example of the library in README works', async () => {
  const readme = PAGES.find(({ path }) => path === 'README.md')?.text ?? '';
  const [, example = ''] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  const code = example.replace('https://example.com/', `${origin.url}/ok`);
  expect(code).not.toBe(example);
  const args = ['--input-type=module', '--eval', code];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  expect(stdout).toBe(`200 ${origin.url}/ok\n`);
});
