import { crc32 } from 'node:zlib';
import type { Result } from '../model/result.ts';
import { sharedRecord } from '../model/shared-record.ts';
import type { Identity } from './identity.ts';

/** A newline, as a byte. */
export const NEWLINE = 0x0a;

// {"crc":"01234567","key":"0123456789abcdef","ok":1,"n":0,"record":{…}}
const START = Buffer.from('{"crc":"........",');
const ANY = 0x2e;
const CRC_AT = 8;
const CHECKED_FROM = START.length;
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
    if (START[place] !== ANY && START[place] !== chunk[start + place]) return false;
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
