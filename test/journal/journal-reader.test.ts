import { closeSync, openSync, writeFileSync } from 'node:fs';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import type { JobKey } from '../../src/journal/job-key.ts';
import { encodeLine, sealLines } from '../../src/journal/journal-format.ts';
import { JournalIndex } from '../../src/journal/journal-index.ts';
import { BLOCK_BYTES, loadJournal, RecordReader } from '../../src/journal/journal-reader.ts';
import { okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { run } from './a-journal.ts';

const URLS = ['https://example.com/a', 'https://example.com/b'];

test('loadJournal() loads all whole records of a journal that ends anywhere', async () => {
  const path = join(await tempDir(), 'run.journal');
  await run(path, URLS);
  const bytes = await readFile(path);
  const header = bytes.indexOf('\n') + 1;
  const file = await open(path);
  for (let length = bytes.length; length >= header; length--) {
    await truncate(path, length);
    const lines = bytes.toString('latin1', 0, length).split('\n').slice(0, -1);
    const warn = () => expect.unreachable('an unfinished last line is not damage');
    const { records, end } = await loadJournal(file, new JournalIndex(), warn);
    expect([length, records, end]).toEqual([length, lines.length - 1, lines.join('\n').length + 1]);
  }
  await file.close();
});

/** What `loadJournal()` and `RecordReader` find in a journal with these lines between its two records. */
async function loaded(between: readonly string[], limits: Parameters<typeof loadJournal>[3]) {
  const path = join(await tempDir(), 'run.journal');
  await run(path, URLS);
  const [header = '', first = '', second = ''] = (await readFile(path, 'latin1')).split(/(?<=\n)/);
  const text = `${header}${first}${between.map((line) => `${line}\n`).join('')}${second}`;
  await writeFile(path, text);
  const file = await open(path);
  onTestFinished(() => file.close());
  const warnings: string[] = [];
  const index = new JournalIndex();
  const found = await loadJournal(file, index, (message) => void warnings.push(message), limits);
  const reader = new RecordReader(file.fd, found.end);
  const urls = [first, second].map((line) => {
    const [one = 0, two = 0] = [25, 33].map((at) => Number.parseInt(line.slice(at, at + 8), 16) | 0);
    const { block, occurrence } = index.next(one, two);
    return block === undefined
      ? undefined
      : urlIn(reader.find(block, { first: one, second: two, occurrence }));
  });
  return { records: found.records, rest: text.length - found.end, urls, warnings, length: first.length };
}

test('loadJournal() finds the same in pieces of any length', async () => {
  for (const chunkBytes of [1, 2, 7, 64, 333, 334, 335, 1000]) {
    const { length, ...found } = await loaded(['', 'x'.repeat(700), ''], { chunkBytes });
    expect(found, `${chunkBytes} bytes`).toEqual({
      records: 2,
      rest: 0,
      urls: URLS,
      warnings: [3, 4, 5].map((line) => `line ${line} is damaged, its URL is fetched again`),
    });
  }
});

test('loadJournal() takes a line that is too long for damage, and finds the records behind it', async () => {
  const { length } = await loaded([], {});
  for (const chunkBytes of [50, length, length + 1, 3 * length]) {
    const found = await loaded(['\0'.repeat(20 * length)], { chunkBytes, maxLineBytes: length });
    expect(found).toMatchObject({ records: 2, rest: 0, urls: URLS });
    expect(found.warnings).toEqual(['line 3 is damaged, its URL is fetched again']);
  }
});

test.each([
  [4, undefined],
  [5, undefined],
  [6, 'and 1 more damaged line'],
  [8, 'and 3 more damaged lines'],
])('loadJournal() reports the first five of %i damaged lines, and counts the rest', async (lines, rest) => {
  const { warnings } = await loaded(Array(lines).fill('x'), {});
  expect(warnings).toHaveLength(Math.min(lines, 5) + (rest === undefined ? 0 : 1));
  expect(warnings[4]).toBe(lines < 5 ? undefined : 'line 7 is damaged, its URL is fetched again');
  expect(warnings[5]).toBe(rest);
});

test('loadJournal() takes a record for damage that is longer than the longest line', async () => {
  const { length } = await loaded([], {});
  const found = await loaded([], { chunkBytes: 50, maxLineBytes: length - 2 });
  expect(found).toMatchObject({ records: 0, rest: 0 });
  expect((await loaded([], { chunkBytes: 50, maxLineBytes: length - 1 })).records).toBe(2);
});

const PAGE = 64 * 1024;
const HEADER = Buffer.from('{}\n');

/** A record with its key, and its block as in the index. */
interface Located {
  readonly key: JobKey;
  readonly block: number;
  readonly url: string;
}

/** A journal whose records have URLs of these lengths, without the last `cut` bytes. */
async function journalOf(lengths: readonly number[], cut = 0) {
  const located: Located[] = [];
  const parts: Buffer[] = [HEADER];
  let position = HEADER.length;
  for (const [index, length] of lengths.entries()) {
    const key = { first: index, second: 7, occurrence: index % 3 };
    const url = `http://h/${'x'.repeat(length)}`;
    const line = Buffer.from(encodeLine(key.occurrence, okResult({ index, url })));
    sealLines(line, [key.first, key.second]);
    located.push({ key, block: Math.floor((position - 1) / BLOCK_BYTES), url });
    parts.push(line);
    position += line.length;
  }
  const path = join(await tempDir(), 'journal');
  writeFileSync(path, Buffer.concat(parts));
  const fd = openSync(path, 'r');
  onTestFinished(() => closeSync(fd));
  return { located, reader: new RecordReader(fd, position - cut), position };
}

function urlIn(record: string | undefined): string | undefined {
  return record === undefined ? undefined : JSON.parse(record).url;
}

describe('RecordReader', () => {
  it('finds short records, several of them in the same block', async () => {
    const { located, reader } = await journalOf(Array.from({ length: 60 }, (_, index) => index));
    for (const { key, block, url } of located.concat(located.toReversed())) {
      expect(urlIn(reader.find(block, key))).toBe(url);
    }
  });

  it('finds records on more pages than it caches, and records longer than a page', async () => {
    const lengths = [10, 4 * PAGE + 5, 20, PAGE, 30, 17 * PAGE, 8 * 1024, 40, 9 * PAGE, 50];
    const { located, reader } = await journalOf(lengths);
    for (const { key, block, url } of located.concat(located.toReversed(), located)) {
      expect(urlIn(reader.find(block, key))).toBe(url);
    }
  });

  it('finds records that begin with the last or the first byte of a page', async () => {
    const [first] = (await journalOf([0, 0])).located.slice(1);
    const overhead = ((first?.block ?? 0) + 1) * BLOCK_BYTES;
    for (let length = PAGE - overhead - 300; length < PAGE - overhead + 300; length += 50) {
      const { located, reader } = await journalOf([length, 1, 2]);
      for (const { key, block, url } of located) expect(urlIn(reader.find(block, key))).toBe(url);
    }
  });

  it('finds nothing for another job, in another block, after the end, or in an unfinished line', async () => {
    const { located, position } = await journalOf([300, 300]);
    const cut = await journalOf([300, 300], 1);
    const [first, second] = located;
    if (first === undefined || second === undefined) throw new Error('There are two records');
    const { reader } = await journalOf([300, 300]);
    expect(reader.find(first.block, second.key)).toBeUndefined();
    expect(reader.find(first.block, { ...first.key, occurrence: 1 })).toBeUndefined();
    expect(reader.find(second.block, first.key)).toBeUndefined();
    expect(reader.find(Math.ceil(position / BLOCK_BYTES) + 1, second.key)).toBeUndefined();
    expect(reader.find(50 * PAGE, first.key)).toBeUndefined();
    expect(cut.reader.find(second.block, second.key)).toBeUndefined();
    expect(urlIn(cut.reader.find(first.block, first.key))).toBe(first.url);
  });
});
