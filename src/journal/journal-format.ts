import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { outputError, UsageError } from '../model/errors.ts';
import { sharedRecord } from '../model/record.ts';
import type { Result } from '../model/result.ts';
import type { Identity, Words } from './job-key.ts';

/** The error of a journal that cannot be used: `Cannot use "x" as the journal: it is …; it must be …`. */
export function journalFault(path: string, why: string, wish = WISH): UsageError {
  return new UsageError(`Cannot use ${JSON.stringify(path)} as the journal: ${why}; ${wish}`);
}

const WISH = 'it must be the journal of an earlier run, or a new file';

const HEADER_START = '{"fanout":"journal","v":';
const HEADER = /^\{"fanout":"journal","v":1,"seed":"([0-9a-f]{8})([0-9a-f]{8})"\}\n$/;
const ANY_HEADER = headerOf('0'.repeat(16));

/** The first line of a journal, newline included, in bytes. */
export const HEADER_LENGTH = ANY_HEADER.length;

/**
 * Makes sure that a file is a journal, and reads the seed of its keys. A file that is empty, or ends within its first
 * line, becomes a journal, so that not even a power cut can lose it. Rejects with a UsageError for any other file, and
 * leaves that as it is.
 */
export async function readHeader(file: FileHandle, path: string): Promise<Words> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER_LENGTH), 0, HEADER_LENGTH, 0);
  const text = buffer.toString('latin1', 0, bytesRead);
  const isCut = text.length < HEADER_LENGTH && HEADER.test(text + ANY_HEADER.slice(text.length));
  const header = isCut ? await writeHeader(file, path) : text;
  const [, first, second] = HEADER.exec(header) ?? [];
  if (first === undefined || second === undefined) {
    throw journalFault(
      path,
      text.startsWith(HEADER_START) ? 'another version of fanout has made it' : 'it holds something else',
    );
  }
  return { first: Number.parseInt(first, 16) | 0, second: Number.parseInt(second, 16) | 0 };
}

function headerOf(seed: string): string {
  return `${HEADER_START}1,"seed":"${seed}"}\n`;
}

async function writeHeader(file: FileHandle, path: string): Promise<string> {
  const header = headerOf(randomBytes(8).toString('hex'));
  try {
    await file.write(header, 0);
    await file.sync();
  } catch (error) {
    throw outputError(path, error);
  }
  await syncDirectory(dirname(path)).catch(() => {}); // not every system can
  return header;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A newline, as a byte. */
export const NEWLINE = 0x0a;

// {"crc":"01234567","key":"0123456789abcdef","ok":1,"n":0,"record":{…}}
const LINE_START = Buffer.from('{"crc":"........",');
const ANY_LINE = 0x2e;
const CRC_AT = 8;
const CHECKED_FROM = LINE_START.length;
const KEY_AT = 25;
const OK_AT = 48;
const N_AT = 54;
const SHORTEST = 70;
const RECORD = ',"record":';
const ONE = 0x31;

const DIGITS = Buffer.from('0123456789abcdef');

// The value of a byte as a digit in lower-case hex, 16 when it is none.
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte));
  return digit === -1 ? 16 : digit;
});

/** What the index needs of a line. `first` and `second` are the key as two words of 32 bits. */
export interface Entry {
  first: number;
  second: number;
  n: number;
  isOk: boolean;
}

/**
 * One line of a journal, newline included, but for its checksum and its key, which `sealLines()` adds. All that the index
 * needs stands at fixed places before the record, and the checksum covers every byte behind itself, so a reader verifies
 * a line without parsing its JSON.
 */
export function openLine(n: number, result: Result): string {
  return `{"crc":"........","key":"................","ok":${result.ok ? 1 : 0},"n":${n}${RECORD}${sharedRecord(result)}}\n`;
}

/** Adds what the lines of a batch lack; `keys` are the two words of each line. Bytes take a third of the time of text. */
export function sealLines(batch: Buffer, keys: readonly number[]): void {
  let start = 0;
  for (let at = 0; at < keys.length; at += 2) {
    const end = batch.indexOf(NEWLINE, start);
    putWord(batch, start + KEY_AT, keys[at] ?? 0);
    putWord(batch, start + KEY_AT + 8, keys[at + 1] ?? 0);
    putWord(batch, start + CRC_AT, crc32(batch.subarray(start + CHECKED_FROM, end)));
    start = end + 1;
  }
}

/** Reads the line between two places of a chunk, its newline left out, into `entry`; false when the line is damaged. */
export function readEntry(chunk: Buffer, start: number, end: number, entry: Entry): boolean {
  if (end - start < SHORTEST || !begins(chunk, start)) return false;
  if (crc32(chunk.subarray(start + CHECKED_FROM, end)) !== hexWord(chunk, start + CRC_AT)) return false;
  entry.first = hexWord(chunk, start + KEY_AT);
  entry.second = hexWord(chunk, start + KEY_AT + 8);
  entry.isOk = chunk[start + OK_AT] === ONE;
  entry.n = decimal(chunk, start + N_AT);
  return true;
}

/** The text of the record in a line, its newline left out; `undefined` when the line belongs to another identity. */
export function recordOf(line: string, { first, second, n }: Identity): string | undefined {
  const number = `${n}${RECORD}`;
  const isMine = line.startsWith(hexOf(first) + hexOf(second), KEY_AT) && line.startsWith(number, N_AT);
  return isMine ? line.slice(N_AT + number.length, -1) : undefined;
}

/** Whether what the checksum does not cover is as it was written. */
function begins(chunk: Buffer, start: number): boolean {
  for (let place = 0; place < CHECKED_FROM; place++) {
    if (LINE_START[place] !== ANY_LINE && LINE_START[place] !== chunk[start + place]) return false;
  }
  return true;
}

function hexWord(bytes: Buffer, at: number): number {
  let word = 0;
  for (let place = at; place < at + 8; place++) {
    const digit = HEX[bytes[place] ?? 0] ?? 16;
    if (digit === 16) return -1; // no checksum and no key has this value
    word = word * 16 + digit;
  }
  return word;
}

function putWord(bytes: Buffer, at: number, word: number): void {
  for (let place = 0; place < 8; place++) bytes[at + place] = DIGITS[(word >>> (28 - 4 * place)) & 15] ?? 0;
}

function hexOf(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

function decimal(bytes: Buffer, at: number): number {
  let value = 0;
  for (let place = at; ; place++) {
    const digit = (bytes[place] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}
