import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { divideSockets, limitIn, readFileLimit, shareSockets } from '../../src/fetch/process-resources.ts';
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

test('a limit that is not known bounds idle connections alone', () => {
  expect(divideSockets({ workers: 32, filesEach: 0, fileLimit: undefined })).toMatchObject({
    workers: 32,
    maxIdle: 2048,
    maxOpen: Number.POSITIVE_INFINITY,
  });
});

test('a limit with room for all changes nothing', () => {
  const budget = divideSockets({ workers: 300, filesEach: 0, fileLimit: 20_000 });
  expect(budget).toMatchObject({ workers: 300, maxIdle: 2048, maxOpen: 19_936 });
});

test('threads share idle connections, open ones and lookups', () => {
  const budget = divideSockets({ workers: 300, filesEach: 0, fileLimit: 20_000 });
  expect(shareSockets(budget, 4)).toEqual({
    ...budget,
    threads: 4,
    maxIdle: 512,
    maxOpen: 4976,
  });
});

test('workers come before idle connections when there is no room for both', () => {
  expect(divideSockets({ workers: 100, filesEach: 0, fileLimit: 256 })).toMatchObject({
    workers: 100,
    maxOpen: 192,
  });
});

test('workers for which there is no room are left out', () => {
  expect(divideSockets({ workers: 256, filesEach: 0, fileLimit: 256 })).toMatchObject({
    workers: 192,
    maxOpen: 192,
  });
});

test('a worker that writes files needs room for one, too', () => {
  expect(divideSockets({ workers: 256, filesEach: 1, fileLimit: 256 })).toMatchObject({
    workers: 96,
    maxOpen: 96,
  });
});

test.each([0, 10, 64, 65])('one worker and one connection are left with a limit of %i', (fileLimit) => {
  for (const filesEach of [0, 1]) {
    expect(divideSockets({ workers: 32, filesEach, fileLimit })).toMatchObject({ workers: 1, maxOpen: 1 });
  }
});

test.each([0, 1])(
  'the limit that it wishes for has room for all that is wanted, with %i files each',
  (filesEach) => {
    const { wantedLimit } = divideSockets({ workers: 5000, filesEach, fileLimit: 1024 });
    const { workers, maxOpen, maxIdle } = divideSockets({ workers: 5000, filesEach, fileLimit: wantedLimit });
    expect([workers, maxOpen]).toEqual([5000, 5000 + maxIdle]);
  },
);
