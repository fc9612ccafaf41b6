import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory } from '../core/own-file.ts';
import { toOutputError, UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { encodeRecordCached } from '../model/record.ts';
import type { Result } from '../model/result.ts';
import type { Hash64, JobKey } from './job-key.ts';

const HEADER_START = '{"fanout":"journal","v":';
// The checksum covers the seed: with another seed no record would be found, and none would look damaged.
const HEADER = /^\{"fanout":"journal","v":2,"seed":"([0-9a-f]{8})([0-9a-f]{8})","crc":"([0-9a-f]{8})"\}\n$/;
const SAMPLE_HEADER = encodeHeader('0'.repeat(16));

/** The length of the first line of a journal in bytes, including its newline. */
export const HEADER_LENGTH = SAMPLE_HEADER.length;

/** A newline, as a byte. */
export const NEWLINE = 0x0a;

// A line is {"crc":"01234567","key":"0123456789abcdef","ok":1,"n":0,"record":{…}}: the index needs the fields before
// the record, which have fixed offsets. The checksum covers every byte after it, so a line can be verified without
// parsing its JSON.
const LINE_START = Buffer.from('{"crc":"........",');
const WILDCARD = 0x2e;
const CRC_OFFSET = 8;
const CHECKED_OFFSET = LINE_START.length;
const KEY_OFFSET = 25;
const OK_OFFSET = 48;
const OCCURRENCE_OFFSET = 54;
const MIN_LINE_BYTES = 70;
const RECORD = ',"record":';
const ONE = 0x31;

const DIGITS = Buffer.from('0123456789abcdef');

/** The value of a byte as a lower-case hex digit, or 16 if it is something else. */
const HEX_VALUES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte));
  return digit === -1 ? 16 : digit;
});

/** What the index needs of a line. */
export interface JournalEntry extends JobKey {
  isOk: boolean;
}

/** The error for a journal that cannot be used: `cannot use "x" as the journal: it is …; name …`. */
export function journalError(
  path: string,
  reason: string,
  remedy = 'name a journal of an earlier run, or a new file',
): UsageError {
  return new UsageError(`cannot use "${excerpt(path, 2000)}" as the journal: ${reason}; ${remedy}`);
}

/**
 * Checks that a file is a journal, and reads the seed of its keys. Turns a file that is empty, or ends within its
 * first line, into a journal, and syncs it, so that a power cut cannot lose it. Rejects with a `UsageError` for any
 * other file, and does not change it.
 */
export async function readHeader(file: FileHandle, path: string): Promise<Hash64> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER_LENGTH), 0, HEADER_LENGTH, 0);
  const text = buffer.toString('latin1', 0, bytesRead);
  const isCut = text.length < HEADER_LENGTH && HEADER.test(text + SAMPLE_HEADER.slice(text.length));
  const header = isCut ? await writeHeader(file, path) : text;
  const [, first, second, crc] = HEADER.exec(header) ?? [];
  if (first === undefined || second === undefined) {
    const isOtherVersion = text.startsWith(HEADER_START);
    throw journalError(
      path,
      isOtherVersion ? 'another version of fanout has made it' : 'it holds something else',
    );
  }
  if (crc !== seedChecksum(first + second)) throw journalError(path, 'its first line is damaged');
  return { first: Number.parseInt(first, 16) | 0, second: Number.parseInt(second, 16) | 0 };
}

async function writeHeader(file: FileHandle, path: string): Promise<string> {
  const header = encodeHeader(randomBytes(8).toString('hex'));
  try {
    await file.write(header, 0);
    await file.sync();
    await syncDirectory(dirname(path));
  } catch (error) {
    throw toOutputError(path, error);
  }
  return header;
}

function encodeHeader(seed: string): string {
  return `${HEADER_START}2,"seed":"${seed}","crc":"${seedChecksum(seed)}"}\n`;
}

function seedChecksum(seed: string): string {
  return hexWord(crc32(seed));
}

/** One line of a journal with its newline, without checksum and hash: `sealLines()` fills them in. */
export function encodeLine(occurrence: number, result: Result): string {
  const isOk = result.ok ? 1 : 0;
  const record = encodeRecordCached(result);
  return `{"crc":"........","key":"................","ok":${isOk},"n":${occurrence}${RECORD}${record}}\n`;
}

/**
 * Fills in the hash and the checksum of each line of a batch; `hashes` has two words per line. Doing this on the
 * bytes of a batch takes a third of the time that it takes on strings.
 */
export function sealLines(batch: Buffer, hashes: readonly number[]): void {
  let start = 0;
  for (let at = 0; at < hashes.length; at += 2) {
    const end = batch.indexOf(NEWLINE, start);
    writeHex(batch, start + KEY_OFFSET, hashes[at] ?? 0);
    writeHex(batch, start + KEY_OFFSET + 8, hashes[at + 1] ?? 0);
    writeHex(batch, start + CRC_OFFSET, crc32(batch.subarray(start + CHECKED_OFFSET, end)));
    start = end + 1;
  }
}

/**
 * Decodes the line from `start` to `end`, which excludes its newline, into `entry`. Returns false if the line is
 * damaged.
 */
export function decodeEntry(chunk: Buffer, start: number, end: number, entry: JournalEntry): boolean {
  if (end - start < MIN_LINE_BYTES || !hasLineStart(chunk, start)) return false;
  if (crc32(chunk.subarray(start + CHECKED_OFFSET, end)) !== readHex(chunk, start + CRC_OFFSET)) return false;
  entry.first = readHex(chunk, start + KEY_OFFSET);
  entry.second = readHex(chunk, start + KEY_OFFSET + 8);
  entry.isOk = chunk[start + OK_OFFSET] === ONE;
  entry.occurrence = readDecimal(chunk, start + OCCURRENCE_OFFSET);
  return true;
}

/** Returns the JSON of the record in a line without its newline, or `undefined` if the line belongs to another job. */
export function extractRecord(line: string, { first, second, occurrence }: JobKey): string | undefined {
  const afterKey = `${occurrence}${RECORD}`;
  const matches =
    line.startsWith(hexWord(first) + hexWord(second), KEY_OFFSET) &&
    line.startsWith(afterKey, OCCURRENCE_OFFSET);
  return matches ? line.slice(OCCURRENCE_OFFSET + afterKey.length, -1) : undefined;
}

/** Checks the bytes that the checksum does not cover. */
function hasLineStart(chunk: Buffer, start: number): boolean {
  for (let index = 0; index < CHECKED_OFFSET; index++) {
    if (LINE_START[index] !== WILDCARD && LINE_START[index] !== chunk[start + index]) return false;
  }
  return true;
}

/** Reads eight hex digits as an unsigned number; -1, which is not a checksum, if one of them is not a digit. */
function readHex(bytes: Buffer, offset: number): number {
  let word = 0;
  for (let at = offset; at < offset + 8; at++) {
    const digit = HEX_VALUES[bytes[at] ?? 0] ?? 16;
    if (digit === 16) return -1;
    word = word * 16 + digit;
  }
  return word;
}

function writeHex(bytes: Buffer, offset: number, word: number): void {
  for (let index = 0; index < 8; index++)
    bytes[offset + index] = DIGITS[(word >>> (28 - 4 * index)) & 15] ?? 0;
}

function hexWord(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

function readDecimal(bytes: Buffer, offset: number): number {
  let value = 0;
  for (let at = offset; ; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}
