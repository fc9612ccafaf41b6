import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** The flags of every file that a run writes, and the names that it makes up beside them. */
const FLAGS = [
  ...['fetch', '--no-progress'],
  ...['-o', 'results.txt', '--failed', 'failed.txt', '--journal', 'journal'],
  ...['--baseline', 'baseline.jsonl', '--update-baseline'],
  ...['--flaky-after', '2', '--flaky-state', 'state.jsonl'],
  ...['--report', 'html=report.html', '--report', 'junit=report.xml'],
  ...['--save-dir', 'bodies', '--resume-partial'],
];
const FILES = [
  ...['results.txt', 'failed.txt', 'journal', 'baseline.jsonl', 'state.jsonl', 'report.html', 'report.xml'],
  'bodies/ok',
];

/** A directory with a file that must not change, and `placed` at every name that a run may make up. */
async function prepared(place: (path: string) => Promise<unknown>): Promise<string> {
  const cwd = await tempDir();
  await writeFile(join(cwd, 'victim'), 'precious');
  await mkdir(join(cwd, 'bodies'));
  await mkdir(join(cwd, 'outside'));
  for (const file of FILES)
    for (const end of ['.part', '.part.json', '.tmp']) await place(join(cwd, file + end));
  return cwd;
}

describe('what somebody has put at the names that a run makes up', () => {
  it.each<[string, (path: string) => Promise<unknown>]>([
    ['links to a file', (path) => symlink(join(path, '..', 'victim').replace('/bodies/', '/'), path)],
    ['links to nothing', (path) => symlink('nowhere', path)],
    ['named pipes', async (path) => execFileSync('mkfifo', [path])],
    ['links to an endless device', (path) => symlink('/dev/zero', path)],
  ])('%s: nothing is changed through them, and nothing waits for them', async (_what, place) => {
    const { url } = await anOrigin();
    const cwd = await prepared(place);
    const stdin = `${url}/status/404\n${JSON.stringify({ url: `${url}/ok`, save: 'ok' })}\n`;
    const { code, stderr } = await runCli(FLAGS, { cwd, stdin });
    expect([code, stderr]).toEqual([1, expect.stringContaining('1 succeeded, 1 failed')]);
    expect(await readFile(join(cwd, 'victim'), 'utf8')).toBe('precious');
    expect(await readdir(cwd)).not.toContain('nowhere');
    for (const file of FILES) expect((await lstat(join(cwd, file))).isFile()).toBe(true);
  });
});

describe('what somebody has put at the name of a state file', () => {
  const PLACES = {
    'a link': (path: string) => symlink('victim', path),
    'a link to nothing': (path: string) => symlink('nowhere', path),
    'a named pipe': async (path: string) => execFileSync('mkfifo', [path]),
    'a link to an endless device': (path: string) => symlink('/dev/zero', path),
  };

  it.each(
    Object.keys(PLACES).flatMap((what) =>
      (
        [['--flaky-after', '2', '--flaky-state'], ['--update-baseline', '--baseline'], ['--journal']] as const
      ).map((flags) => ({ what: what as keyof typeof PLACES, flags })),
    ),
  )('$what for $flags is an error, and nothing is sent or changed', async ({ what, flags }) => {
    const origin = await anOrigin();
    const cwd = await prepared(async () => {});
    await PLACES[what](join(cwd, 'state'));
    const { code, stderr } = await runInProcess(['fetch', `${origin.url}/ok`, ...flags, join(cwd, 'state')]);
    expect([code, stderr]).toEqual([
      expect.toSatisfy((found: unknown) => found === 2 || found === 3),
      expect.stringMatching(/symbolic link|not a regular file|something else/),
    ]);
    expect(origin.requests).toBe(0);
    expect(await readFile(join(cwd, 'victim'), 'utf8')).toBe('precious');
    expect((await readdir(cwd)).sort()).toEqual(['bodies', 'outside', 'state', 'victim']);
  });

  it('a pipe with the name of the configuration file is an error', async () => {
    const cwd = await tempDir();
    execFileSync('mkfifo', [join(cwd, 'fanout.config.json')]);
    const { code, stderr } = await runCli(['fetch', 'http://127.0.0.1:9/'], { cwd });
    expect([code, stderr]).toEqual([
      2,
      'error: cannot read the configuration file fanout.config.json: it is not a regular file\n',
    ]);
  });
});
