import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { anOrigin } from './an-origin.ts';

const ACTIONS = { GITHUB_ACTIONS: 'true' };

/** A directory with a list of two URLs, the second of which fails. */
async function workspace() {
  const origin = await anOrigin();
  const root = await tempDir();
  await mkdir(join(root, 'links'));
  await writeFile(join(root, 'links', 'urls.txt'), `# links\n${origin.url}/ok\n${origin.url}/status/404\n`);
  return { origin, root, summary: join(root, 'summary.md') };
}

describe('in a step of GitHub Actions', () => {
  it('failures are annotations with file and line, and the markdown is added to the summary of the job', async () => {
    const { origin, root, summary } = await workspace();
    await writeFile(summary, 'what was there before\n');
    const env = { ...ACTIONS, GITHUB_STEP_SUMMARY: summary };
    const { code, stdout, stderr } = await runCli(['fetch', 'links/urls.txt', '-q'], { env, cwd: root });
    expect(code).toBe(1);
    expect(stderr).toMatch(`::error file=links/urls.txt,line=3::404 ${origin.url}/status/404 Not Found\n`);
    expect(stdout).not.toContain('::');
    expect(await readFile(summary, 'utf8')).toMatch(/^what was there before\n## ❌ 1 of 2 URLs failed\n/);
  });

  it('the file is named as the repository knows it, whatever the directory', async () => {
    const { root } = await workspace();
    const env = { ...ACTIONS, GITHUB_WORKSPACE: root };
    const inside = await runCli(['fetch', 'urls.txt'], { env, cwd: join(root, 'links') });
    expect(inside.stderr).toContain('::error file=links/urls.txt,line=3::');
    const elsewhere = { ...ACTIONS, GITHUB_WORKSPACE: await tempDir() };
    const outside = await runCli(['fetch', 'urls.txt'], { env: elsewhere, cwd: join(root, 'links') });
    expect(outside.stderr).toContain('::error::404');
  });

  it('a URL from the arguments or from standard input has no place', async () => {
    const { origin, root } = await workspace();
    const options = { env: ACTIONS, cwd: root, stdin: `${origin.url}/status/500\n` };
    const { stderr } = await runCli(['fetch', '--retries', '0', `${origin.url}/status/404`, '-'], options);
    expect(stderr.match(/^::error::/gm)).toHaveLength(2);
  });

  it('--silent leaves the annotations out, but not the summary', async () => {
    const { root, summary } = await workspace();
    const env = { ...ACTIONS, GITHUB_STEP_SUMMARY: summary };
    const { code, stderr } = await runCli(['fetch', 'links/urls.txt', '--silent'], { env, cwd: root });
    expect([code, stderr]).toEqual([1, '']);
    expect(await readFile(summary, 'utf8')).toContain('1 of 2 URLs failed');
  });

  it('a summary that cannot be written causes a warning, and does not end the run', async () => {
    const { root } = await workspace();
    const env = { ...ACTIONS, GITHUB_STEP_SUMMARY: join(root, 'missing', 'summary.md') };
    const { code, stderr } = await runCli(['fetch', 'links/urls.txt'], { env, cwd: root });
    expect(code).toBe(1);
    expect(stderr).toContain('warning: cannot write the job summary to the file of GITHUB_STEP_SUMMARY');
  });
});

it('elsewhere there are neither annotations nor a summary', async () => {
  const { root, summary } = await workspace();
  const env = { CI: 'true', GITHUB_STEP_SUMMARY: summary };
  const { stderr } = await runCli(['fetch', 'links/urls.txt'], { env, cwd: root });
  expect(stderr).not.toContain('::error');
  await expect(readFile(summary)).rejects.toThrow('ENOENT');
});
