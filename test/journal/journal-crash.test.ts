import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startProcess } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { run } from './a-journal.ts';

const APPEND = fileURLToPath(new URL('append-until-killed.ts', import.meta.url));
const FILL = fileURLToPath(new URL('append-until-full.ts', import.meta.url));
const WITH_TSX = ['--import', import.meta.resolve('tsx')];

test('a run that is killed keeps the records that it found, and the next run can start at once', async () => {
  const path = join(await tempDir(), 'journal');
  let records = 0;
  for (let round = 0; round < 5; round++) {
    const { child, stdout, done } = startProcess(process.execPath, [...WITH_TSX, APPEND, path]);
    const found = JSON.parse(await stdout.sees('\n')) as { records: number; warnings: string[] };
    child.kill('SIGKILL');
    expect((await done).signal).toBe('SIGKILL');
    expect(found.warnings).toEqual([]);
    expect(found.records).toBeGreaterThanOrEqual(records);
    records = (await readFile(path, 'latin1')).split('\n').length - 2;
    expect(records).toBeGreaterThan(found.records);
  }
  const urls = Array.from({ length: records }, (_, index) => `https://example.com/${index}`);
  const { fetched, warnings } = await run(path, urls);
  expect([fetched, warnings]).toEqual([[], []]);
});

test('a journal that reaches the file size limit ends with an error, and keeps its whole lines', async () => {
  const path = join(await tempDir(), 'journal');
  // A write beyond the limit of the process is cut, and the next one fails.
  const limited = ['-c', 'ulimit -f 64; exec "$@"', 'sh', process.execPath, ...WITH_TSX, FILL, path];
  const { stdout, stderr } = await startProcess('sh', limited).done;
  expect(stderr).toBe('');
  expect(stdout).toBe(`OutputError: cannot write to ${JSON.stringify(path)}: file too large\n`.repeat(2));
  const text = await readFile(path, 'latin1');
  expect(text.length).toBeGreaterThan(32_000);
  expect(text).toMatch(/\}\}\n$/);
  const urls = Array.from({ length: 1000 }, (_, index) => `https://example.com/${index}`);
  const { records, fetched, warnings } = await run(path, urls);
  expect(records).toBe(text.split('\n').length - 2);
  expect([fetched, warnings]).toEqual([urls.slice(records), []]);
});
