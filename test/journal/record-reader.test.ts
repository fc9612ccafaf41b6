import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Identity } from '../../src/journal/job-key.ts';
import { openLine, sealLines } from '../../src/journal/journal-format.ts';
import { BYTES_PER_PLACE, RecordReader } from '../../src/journal/journal-reader.ts';
import { okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';

const PAGE = 64 * 1024;
const HEADER = Buffer.from('{}\n');

/** Of each record its identity, and its place as the index has it. */
interface Placed {
  readonly identity: Identity;
  readonly place: number;
  readonly url: string;
}

/** A journal whose records have URLs of these lengths; `cut` bytes are missing at its end. */
async function journalOf(lengths: readonly number[], cut = 0) {
  const placed: Placed[] = [];
  const parts: Buffer[] = [HEADER];
  let position = HEADER.length;
  for (const [index, length] of lengths.entries()) {
    const identity = { first: index, second: 7, n: index % 3 };
    const url = `http://h/${'x'.repeat(length)}`;
    const line = Buffer.from(openLine(identity.n, okResult({ index, url })));
    sealLines(line, [identity.first, identity.second]);
    placed.push({ identity, place: Math.floor((position - 1) / BYTES_PER_PLACE), url });
    parts.push(line);
    position += line.length;
  }
  const path = join(await tempDir(), 'journal');
  writeFileSync(path, Buffer.concat(parts));
  const fd = openSync(path, 'r');
  onTestFinished(() => closeSync(fd));
  return { placed, reader: new RecordReader(fd, position - cut), position };
}

function urlIn(record: string | undefined): string | undefined {
  return record === undefined ? undefined : JSON.parse(record).url;
}

describe('RecordReader', () => {
  it('finds short records, several of which have their newline in one place or the next', async () => {
    const { placed, reader } = await journalOf(Array.from({ length: 60 }, (_, index) => index));
    for (const { identity, place, url } of placed.concat(placed.toReversed())) {
      expect(urlIn(reader.find(place, identity))).toBe(url);
    }
  });

  it('finds records on more pages than it keeps, and those that are longer than a page', async () => {
    const lengths = [10, 4 * PAGE + 5, 20, PAGE, 30, 17 * PAGE, 8 * 1024, 40, 9 * PAGE, 50];
    const { placed, reader } = await journalOf(lengths);
    for (const { identity, place, url } of placed.concat(placed.toReversed(), placed)) {
      expect(urlIn(reader.find(place, identity))).toBe(url);
    }
  });

  it('finds a record that begins with the last byte of a page, and one that begins with the first', async () => {
    const [first] = (await journalOf([0, 0])).placed.slice(1);
    const overhead = ((first?.place ?? 0) + 1) * BYTES_PER_PLACE;
    for (let length = PAGE - overhead - 300; length < PAGE - overhead + 300; length += 50) {
      const { placed, reader } = await journalOf([length, 1, 2]);
      for (const { identity, place, url } of placed) expect(urlIn(reader.find(place, identity))).toBe(url);
    }
  });

  it('finds nothing of another job, at another place, behind its end, or in a line that does not end', async () => {
    const { placed, position } = await journalOf([300, 300]);
    const cut = await journalOf([300, 300], 1);
    const [first, second] = placed;
    if (first === undefined || second === undefined) throw new Error('There are two records');
    const { reader } = await journalOf([300, 300]);
    expect(reader.find(first.place, second.identity)).toBeUndefined();
    expect(reader.find(first.place, { ...first.identity, n: 1 })).toBeUndefined();
    expect(reader.find(second.place, first.identity)).toBeUndefined();
    expect(reader.find(Math.ceil(position / BYTES_PER_PLACE) + 1, second.identity)).toBeUndefined();
    expect(reader.find(50 * PAGE, first.identity)).toBeUndefined();
    expect(cut.reader.find(second.place, second.identity)).toBeUndefined();
    expect(urlIn(cut.reader.find(first.place, first.identity))).toBe(first.url);
  });
});
