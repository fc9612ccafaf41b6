import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.ts';
import { JournalIndex } from '../../src/journal/journal-index.ts';
import { loadJournal } from '../../src/journal/journal-reader.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { seededRandom } from '../seeded-random.ts';
import { job, journalOptions, run } from './a-journal.ts';

const URLS = ['a', 'b', 'b'].map((name) => `https://example.com/${name}`);

/** A journal of three records, and a path for damaged copies of it. */
async function aJournal(urls: readonly string[] = URLS): Promise<{ path: string; bytes: Buffer }> {
  const path = join(await tempDir(), 'run.journal');
  await run(path, urls);
  return { path, bytes: await readFile(path) };
}

test('a journal that ends anywhere keeps all records that are whole', async () => {
  const { path, bytes } = await aJournal(URLS.slice(0, 2));
  const header = bytes.indexOf('\n') + 1;
  const file = await open(path);
  for (let length = bytes.length; length >= header; length--) {
    await truncate(path, length);
    const lines = bytes.toString('latin1', 0, length).split('\n').slice(0, -1);
    const warn = () => expect.unreachable('a torn end is no damage');
    const { records, end } = await loadJournal(file, new JournalIndex(), warn);
    expect([length, records, end]).toEqual([length, lines.length - 1, lines.join('\n').length + 1]);
  }
  await file.close();
});

test('a journal that ends anywhere is whole again after the next run', async () => {
  const { path, bytes } = await aJournal();
  const header = bytes.indexOf('\n') + 1;
  const step = (length: number) => (length < header + 2 ? 3 : 41);
  for (let length = 0; length <= bytes.length; length += step(length)) {
    const cut = bytes.subarray(0, length);
    const whole = Math.max(0, cut.toString('latin1').split('\n').length - 2);
    await writeFile(path, cut);
    const { records, fetched, warnings } = await run(path, URLS);
    expect([length, records, fetched, warnings]).toEqual([length, whole, URLS.slice(whole), []]);
    const mended = await readFile(path);
    expect(mended.length).toBe(bytes.length);
    if (length >= header) expect(mended).toEqual(bytes); // a new header has a new seed
    expect((await run(path, URLS)).fetched).toEqual([]);
  }
});

test('a damaged line is reported with its number, and its URL is fetched again', async () => {
  const { path, bytes } = await aJournal();
  const text = bytes.toString();
  await writeFile(path, text.replace('"index":1', '"index":3'));
  const { fetched, warnings } = await run(path, URLS);
  expect(fetched).toEqual([URLS[1]]);
  expect(warnings).toEqual([
    `Cannot use all of the journal ${JSON.stringify(path)}: line 3 is damaged, its URL is fetched again`,
  ]);
  expect(await readFile(path, 'utf8')).toContain('"index":3'); // nothing but a torn end is ever removed
});

test('any byte may be wrong: no other record is lost, and no wrong one is used', async () => {
  const { path, bytes } = await aJournal();
  const random = seededRandom(4);
  const header = bytes.indexOf('\n') + 1;
  for (let round = 0; round < 100; round++) {
    const damaged = Buffer.from(bytes);
    const at = header + Math.floor(random() * (bytes.length - header));
    damaged[at] = (damaged[at] ?? 0) ^ (1 + Math.floor(random() * 255));
    await writeFile(path, damaged);
    const { fetched, results } = await run(path, URLS, { keepFailed: true });
    // Without its newline a line takes the next one along; a newline in the middle makes two of one.
    expect(fetched.length, `byte ${at}`).toBeGreaterThan(0);
    expect(fetched.length, `byte ${at}`).toBeLessThanOrEqual(bytes[at] === 0x0a ? 2 : 1);
    expect(results.map(({ url, index, bytes }) => [url, index, bytes])).toEqual(
      URLS.map((url, index) => [url, index, 1234]),
    );
  }
});

test('blocks of zeros, as a power cut may leave them, cost the lines they lie in', async () => {
  const { path, bytes } = await aJournal();
  const lines = bytes.toString().split(/(?<=\n)/);
  await writeFile(
    path,
    [lines[0], lines[1], '\0'.repeat(5000), lines[2], lines[3], '\0'.repeat(9000)].join(''),
  );
  const { fetched, warnings } = await run(path, URLS);
  expect(fetched).toEqual([URLS[1]]);
  expect(warnings).toHaveLength(1);
  expect((await readFile(path)).subarray(-100)).not.toContain(0);
});

test('of many damaged lines the first are named and the rest are counted', async () => {
  const urls = Array.from({ length: 40 }, (_, index) => `https://example.com/${index}`);
  const { path, bytes } = await aJournal(urls);
  await writeFile(path, bytes.toString().replaceAll('"ok":1', '"ok":0'));
  const { fetched, warnings } = await run(path, urls);
  expect(fetched).toHaveLength(40);
  expect(warnings).toHaveLength(6);
  expect(warnings[4]).toMatch(/: line 6 is damaged, its URL is fetched again$/);
  expect(warnings[5]).toMatch(/: and 35 more damaged lines$/);
});

test('a record that was damaged after the journal was opened is fetched again', async () => {
  const { path, bytes } = await aJournal();
  const journal = await Journal.open(path, journalOptions());
  await writeFile(path, bytes.toString().replace('"status":200', '"status":xxx'));
  const recalled = URLS.map((url, index) => journal.recall(job(index, url), 'GET', undefined)?.index);
  await journal.end();
  expect(recalled).toEqual([undefined, 1, 2]);
});
