import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { limitIn, readFileLimit } from '../../src/fetch/file-limit.ts';
import { aFile } from '../cli/an-origin.ts';

const LINUX = [
  'Limit                     Soft Limit           Hard Limit           Units     ',
  'Max processes             96365                96365                processes ',
  'Max open files            1024                 524288               files     ',
  'Max locked memory         8388608              8388608              bytes     ',
];

test('the limit of open files is the soft one of Linux', async () => {
  expect(readFileLimit(await aFile(LINUX, 'limits'))).toBe(1024);
});

test.each([
  ['no limit', 'Max open files            unlimited            unlimited            files     '],
  ['no such line', 'Max processes             96365                96365                processes '],
  ['nothing', ''],
])('with %s nothing is known', async (_, line) => {
  expect(readFileLimit(await aFile([line], 'limits'))).toBe(undefined);
});

test('where the file is missing nothing is known', async () => {
  expect(readFileLimit(join(await aFile([]), 'missing'))).toBe(undefined);
});

test.runIf(process.platform === 'linux')('both ways of reading the limit agree', () => {
  expect(readFileLimit()).toBeGreaterThan(0);
  expect(limitIn(process.report?.getReport() ?? {})).toBe(readFileLimit());
});

test.each([
  [{ userLimits: { open_files: { soft: 256, hard: 'unlimited' } } }, 256],
  [{ userLimits: { open_files: { soft: 'unlimited', hard: 'unlimited' } } }, undefined],
  [{ userLimits: {} }, undefined],
  [{}, undefined],
])('a diagnostic report with %j gives %s', (report, limit) => {
  expect(limitIn(report)).toBe(limit);
});
