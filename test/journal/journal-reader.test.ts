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

test('loadJournal() loads all whole records of a journal that ends anywhere', async () => {
  const path = join(await tempDir(), 'run.journal');
  await run(path, ['https://example.com/a', 'https://example.com/b']);
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

test('loadJournal() takes a line that is too long for damage, and finds the records behind it', async () => {
  const path = join(await tempDir(), 'run.journal');
  await run(path, ['https://example.com/a', 'https://example.com/b']);
  const [header = '', first = '', second = ''] = (await readFile(path, 'latin1')).split(/(?<=\n)/);
  const text = `${header}${first}${'\0'.repeat(20 * 1024 * 1024)}\n${second}`; // several pieces of 4 MB
  await writeFile(path, text);
  const file = await open(path);
  onTestFinished(() => file.close());
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const loaded = await loadJournal(file, new JournalIndex(), warn, 1024 * 1024);
  expect(loaded).toEqual({ records: 2, end: text.length });
  expect(warnings).toEqual([expect.stringContaining('line 3 is damaged')]);
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
