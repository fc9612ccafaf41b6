import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { journalOptions, run } from './a-journal.ts';

const isRoot = process.getuid?.() === 0;

async function refusal(path: string): Promise<string> {
  const error = await Journal.open(path, journalOptions()).then(
    () => 'opened',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  return error instanceof UsageError ? error.message : '';
}

test.each([
  ['a list of URLs', 'https://example.com/1\nhttps://example.com/2\n'],
  ['results', '{"v":1,"index":0,"source":"urls.txt"}\n'],
  ['a short text', 'hello'],
  ['zeros', '\0'.repeat(100)],
  ['the journal of another program', '{"fanout":"journals","v":1,"seed":"0123456789abcdef"}\n'],
  ['a journal with a damaged first line', '{"fanout":"journal","w":1,"seed":"0123456789abcdef"}\n'],
])('%s is refused and left as it is', async (_, text) => {
  const dir = await tempDir();
  const path = join(dir, 'list.txt');
  await writeFile(path, text);
  expect(await refusal(path)).toBe(
    `Cannot use ${JSON.stringify(path)} as the journal: it holds something else; it must be the journal of an earlier run, or a new file`,
  );
  expect(await readFile(path, 'utf8')).toBe(text);
  expect(await readdir(dir)).toEqual(['list.txt']);
});

test('the journal of a later version is refused as such', async () => {
  const path = join(await tempDir(), 'journal');
  await writeFile(path, '{"fanout":"journal","v":2,"seed":"0123456789abcdef"}\n');
  expect(await refusal(path)).toMatch(/another version of fanout has made it/);
});

test('an empty file becomes a journal', async () => {
  const path = join(await tempDir(), 'journal');
  await writeFile(path, '');
  await run(path, ['https://example.com/']);
  expect((await run(path, ['https://example.com/'])).fetched).toEqual([]);
});

test('a directory is refused', async () => {
  const path = join(await tempDir(), 'journal');
  await mkdir(path);
  expect(await refusal(path)).toMatch(/it is not a regular file; it must be/);
});

test('a device is refused', async () => {
  expect(await refusal('/dev/null')).toMatch(/it is not a regular file/);
});

test('a pipe is refused, and not waited for', async () => {
  const path = join(await tempDir(), 'pipe');
  execFileSync('mkfifo', [path]);
  expect(await refusal(path)).toMatch(/it is not a regular file/);
});

test('a directory that does not exist is named', async () => {
  const path = join(await tempDir(), 'none', 'journal');
  expect(await refusal(path)).toMatch(/none\/journal" as the journal: no such file or directory; it must be/);
});

test.skipIf(isRoot)('a file that may not be written is refused', async () => {
  const path = join(await tempDir(), 'journal');
  await writeFile(path, '');
  await chmod(path, 0o400);
  expect(await refusal(path)).toMatch(/permission denied/);
});

test.skipIf(isRoot)(
  'a directory that may not be written holds no lock, so its journal is refused',
  async () => {
    const dir = await tempDir();
    const path = join(dir, 'journal');
    await writeFile(path, '');
    await chmod(dir, 0o500);
    expect(await refusal(path)).toMatch(/^Cannot lock ".*journal.lock": permission denied$/);
    await chmod(dir, 0o700);
  },
);

test('a journal is locked by whatever name it is called', async () => {
  const dir = await tempDir();
  const path = join(dir, 'journal');
  await writeFile(path, '');
  await symlink(path, join(dir, 'alias'));
  const journal = await Journal.open(path, journalOptions());
  expect(await refusal(join(dir, 'alias'))).toContain(`the run with pid ${process.pid} on `);
  await journal.end();
});

test('a journal is free again after its run, and after one that was refused', async () => {
  const dir = await tempDir();
  const path = join(dir, 'journal');
  const journal = await Journal.open(path, journalOptions());
  expect(await refusal(path)).toMatch(
    /is using it; wait until it has ended, or remove ".*journal.lock" if it has$/,
  );
  await journal.end();
  await run(path, []);
  expect(await readdir(dir)).toEqual(['journal']);
});
