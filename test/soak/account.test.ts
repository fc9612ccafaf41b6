import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempDir } from '../origin/temp-dir.ts';
import { accountFor } from './account.ts';
import { soakLine, soakList } from './soak-line.ts';

const ORIGINS = { nginxPort: 1, originPort: 2, refusedPort: 3, hostile: ['http://127.0.0.1:4'] };
const COUNT = 1000;

const record = (index: number, ok = soakLine(index, ORIGINS).expected !== 'failed'): string =>
  JSON.stringify({ index, ok, ...(ok ? {} : { failure: { kind: 'status', message: 'as it is' } }) });

async function accountOf(lines: readonly string[]) {
  const file = join(await tempDir(), 'results.jsonl');
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
  return accountFor(file, COUNT, ORIGINS);
}

const whole = Array.from({ length: COUNT }, (_, index) => record(index));
const okIndex = whole.findIndex((_, index) => soakLine(index, ORIGINS).expected === 'ok');

test('a soak finds nothing wrong with one record for each line, as expected', async () => {
  const { results, faults, outcomes } = await accountOf(whole);
  expect(faults).toEqual([]);
  expect(results).toBe(COUNT);
  expect(outcomes.get('status')).toBeGreaterThan(30);
});

test.each([
  ['lost', whole.slice(1), 'there is no record of'],
  ['there twice', [...whole, record(7)], 'there is a second record'],
  ['of no line', [...whole, record(COUNT)], 'there is a second record, or none was asked for'],
  ['another outcome', whole.with(okIndex, record(okIndex, false)), 'expected ok of'],
])('a soak finds a record that is %s', async (_, lines, fault) => {
  const { faults } = await accountOf(lines);
  expect(faults).toEqual([expect.stringContaining(fault)]);
});

test('the list of a soak has each line in its place, beside comments', () => {
  const lines = [...soakList(2 * COUNT + 1, ORIGINS)].join('').split('\n');
  const jobs = lines.filter((line) => line !== '' && !line.startsWith('#'));
  expect(jobs).toHaveLength(2 * COUNT + 1);
  expect(jobs[1500]).toBe(soakLine(1500, ORIGINS).text);
  expect(lines.length).toBeGreaterThan(jobs.length + 3);
});
