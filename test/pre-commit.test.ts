import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { runInProcess } from './cli/run-in-process.ts';
import { running } from './http/client.ts';
import { startOrigin } from './origin/origin.ts';
import { tempDir } from './origin/temp-dir.ts';

const [hook] = parse(await readFile(new URL('../.pre-commit-hooks.yaml', import.meta.url), 'utf8'));

test('the hook is for documents that fanout finds links in', () => {
  expect(hook).toMatchObject({ id: 'fanout', language: 'node', types_or: ['markdown', 'html', 'rst'] });
});

test.each([
  [
    'a link that fails',
    (url: string) => `[a](${url}/ok) [b](${url}/status/404)`,
    1,
    /^FAIL {2}404 .*\(.*a\.md:1:\d+\)$/m,
  ],
  ['links that are OK', (url: string) => `[a](${url}/ok)`, 0, /^$/],
  ['no link', () => 'nothing', 0, /^$/],
  ['a link to a file that is missing', () => '[a](b.md)', 1, /^FAIL {2}invalid .*no such file/m],
])('the command of the hook, with a document that has %s', async (_, textOf, code, shown) => {
  const origin = await running(startOrigin());
  const path = join(await tempDir(), 'a.md');
  await writeFile(path, textOf(origin.url));
  const [program, ...args] = hook.entry.split(' ');
  expect(program).toBe('fanout');
  const result = await runInProcess([...args, path]);
  expect([result.code, result.stdout]).toEqual([code, expect.stringMatching(shown)]);
});
