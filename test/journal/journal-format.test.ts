import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import {
  decodeEntry,
  encodeLine,
  extractRecord,
  HEADER_LENGTH,
  readHeader,
  sealLines,
} from '../../src/journal/journal-format.ts';
import { UsageError } from '../../src/model/errors.ts';
import { encodeRecord } from '../../src/model/record.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { tempDir } from '../origin/temp-dir.ts';

/** What `readHeader()` returns or throws for a file with this text, and the content of the file after it. */
async function header(text: string): Promise<{ seed: unknown; content: string }> {
  const path = join(await tempDir(), 'journal');
  await writeFile(path, text);
  const file = await open(path, 'r+');
  onTestFinished(() => file.close());
  const seed = await readHeader(file, path).catch((error: unknown) => error);
  return { seed, content: await readFile(path, 'utf8') };
}

const SEED = '00000001fffffffe';
const CRC = crc32(SEED).toString(16).padStart(8, '0');
const HEADER = `{"fanout":"journal","v":2,"seed":"${SEED}","crc":"${CRC}"}\n`;

test('readHeader() returns the seed as two signed words of 32 bits', async () => {
  expect(HEADER_LENGTH).toBe(HEADER.length);
  expect(await header(`${HEADER}more\n`)).toEqual({
    seed: { first: 1, second: -2 },
    content: `${HEADER}more\n`,
  });
});

test('readHeader() turns a file that ends within its first line into a journal, and leaves any other file unchanged', async () => {
  for (const length of [0, 1, 30, 40, 60, HEADER.length - 1]) {
    const { seed, content } = await header(HEADER.slice(0, length));
    expect(seed).toEqual({ first: expect.any(Number), second: expect.any(Number) });
    expect(content).toMatch(/^\{"fanout":"journal","v":2,"seed":"[0-9a-f]{16}","crc":"[0-9a-f]{8}"\}\n$/);
  }
  for (const text of [
    'x',
    '{"fanout":"journal","v":3',
    `${HEADER.slice(0, -1)} `,
    HEADER.replace('fffe', 'FFFE'),
  ]) {
    const { seed, content } = await header(text);
    expect(seed).toBeInstanceOf(UsageError);
    expect(content).toBe(text);
  }
});

test('readHeader() refuses a header in which any byte is wrong, and does not change it', async () => {
  for (let at = 0; at < HEADER.length; at++) {
    const text = `${HEADER.slice(0, at)}${HEADER[at] === '0' ? '1' : '0'}${HEADER.slice(at + 1)}`;
    const { seed, content } = await header(`${text}more\n`);
    expect(seed, text).toBeInstanceOf(UsageError);
    expect(content).toBe(`${text}more\n`);
  }
});

test.each([
  [HEADER.replace(SEED, '00000001fffffffd'), 'its first line is damaged'],
  [HEADER.replace('"v":2', '"v":3'), 'another version of fanout has made it'],
  [HEADER.toUpperCase(), 'it holds something else'],
])('readHeader() of %j says why: %s', async (text, reason) => {
  const { seed } = await header(text);
  expect(seed).toMatchObject({
    message: expect.stringMatching(
      `^cannot use ".*" as the journal: ${reason}; name a journal of an earlier run, or a new file$`,
    ),
  });
});

test('readHeader() gives each new journal another seed', async () => {
  expect((await header('')).content).not.toBe((await header('')).content);
});

const KEY = { first: 0x0123_4567, second: 0x89ab_cdef };
const ENTRY = { first: 0, second: 0, occurrence: 0, isOk: false };

/** Lines as they are written, all with the same hash. */
function sealed(...lines: readonly string[]): Buffer {
  const batch = Buffer.from(lines.join(''));
  sealLines(
    batch,
    lines.flatMap(() => [KEY.first, KEY.second | 0]),
  );
  return batch;
}

test.each([0, 7, 10, 99, 123_456, 2 ** 31])(
  'decodeEntry() returns the key of a line with occurrence %i, and whether its record is a success',
  (occurrence) => {
    const results = [okResult(), failedResult('dns')];
    const batch = sealed(...results.map((result) => encodeLine(occurrence, result)));
    let start = 0;
    for (const result of results) {
      const end = batch.indexOf('\n', start);
      const entry = { ...ENTRY };
      expect(decodeEntry(batch, start, end, entry)).toBe(true);
      expect(entry).toEqual({ ...KEY, occurrence, isOk: result.ok });
      const line = batch.toString('utf8', start, end);
      expect(extractRecord(line, { ...KEY, occurrence })).toBe(encodeRecord(result));
      expect(extractRecord(line, { ...KEY, occurrence: occurrence + 1 })).toBeUndefined();
      expect(extractRecord(line, { ...KEY, second: 1, occurrence })).toBeUndefined();
      start = end + 1;
    }
  },
);

test('decodeEntry() refuses a line in which any byte was changed', () => {
  const batch = sealed(encodeLine(12, okResult()));
  const end = batch.length - 1;
  for (let at = 0; at < end; at++) {
    const damaged = Buffer.from(batch);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(decodeEntry(damaged, 0, end, { ...ENTRY }), `byte ${at}`).toBe(false);
  }
});

test('decodeEntry() refuses a line that lacks any number of bytes at its end', () => {
  const batch = sealed(encodeLine(0, okResult()));
  for (let end = 0; end < batch.length - 1; end++) {
    expect(decodeEntry(batch, 0, end, { ...ENTRY }), `${end} bytes`).toBe(false);
  }
});

/** A line with the right checksum over anything. */
function checked(rest: string): Buffer {
  return Buffer.from(`{"crc":"${crc32(rest).toString(16).padStart(8, '0')}",${rest}`);
}

test('decodeEntry() refuses a line that is too short for its fields, even if its checksum is right', () => {
  for (let length = 0; length < 70 - 18; length++) {
    const line = checked('x'.repeat(length));
    expect(decodeEntry(line, 0, line.length, { ...ENTRY }), `${line.length} bytes`).toBe(false);
  }
  const shortest = checked('x'.repeat(70 - 18));
  expect(decodeEntry(shortest, 0, shortest.length, { ...ENTRY })).toBe(true);
});

test('decodeEntry() refuses a checksum with a letter that is no digit, also if it has the same value', () => {
  const lines = Array.from({ length: 1000 }, (_, n) => `${checked(`${n}${'x'.repeat(60)}`)}`);
  const ending = lines.find((line) => /^.{14}10/.test(line)) ?? '';
  const same = Buffer.from(ending.replace(/^(.{14})10/, '$10g'));
  expect(decodeEntry(Buffer.from(ending), 0, ending.length, { ...ENTRY })).toBe(true);
  expect(decodeEntry(same, 0, same.length, { ...ENTRY })).toBe(false);
});
