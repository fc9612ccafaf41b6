import { link, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkOutputs } from '../../src/cli/output-files.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { runInProcess } from './run-in-process.ts';

const LIST = 'http://127.0.0.1:1/\n';

async function list(): Promise<string> {
  const path = join(await tempDir(), 'urls.txt');
  await writeFile(path, LIST);
  return path;
}

test.each(['--output', '--failed'])('%s is refused if it is an input', async (flag) => {
  const path = await list();
  const { code, stderr } = await runInProcess(['fetch', path, flag, path]);
  expect(code).toBe(2);
  expect(stderr).toContain(`for ${flag}: it is one of the inputs; it must be another file`);
  expect(await readFile(path, 'utf8')).toBe(LIST);
});

test.each([
  ['symbolic', symlink],
  ['hard', link],
])('a %s link to an input is refused too', async (_, makeLink) => {
  const path = await list();
  await makeLink(path, `${path}.link`);
  const check = checkOutputs([{ kind: 'file', path }], { '--output': `${path}.link` });
  await expect(check).rejects.toThrow('it is one of the inputs');
});

test('two outputs cannot be one file, whether it exists or not', async () => {
  const path = await list();
  for (const output of [path, `${path}.new`]) {
    const check = checkOutputs([], { '--output': output, '--failed': output });
    await expect(check).rejects.toThrow('for --failed: it is the file of --output');
  }
});

test('standard output, devices and different files are accepted', async () => {
  const path = await list();
  const input = { kind: 'file', path } as const;
  await checkOutputs([input], { '--output': '-', '--failed': '-' });
  await checkOutputs([input], { '--output': '/dev/null', '--failed': '/dev/null' });
  await checkOutputs([input], { '--output': `${path}.ok`, '--failed': undefined });
});
