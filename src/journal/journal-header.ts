import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { outputError } from '../model/output-error.ts';
import type { Words } from './half-sip-hash.ts';
import { journalFault } from './journal-fault.ts';

const START = '{"fanout":"journal","v":';
const HEADER = /^\{"fanout":"journal","v":1,"seed":"([0-9a-f]{8})([0-9a-f]{8})"\}\n$/;
const ANY = headerOf('0'.repeat(16));

/** The first line of a journal, newline included, in bytes. */
export const HEADER_LENGTH = ANY.length;

/**
 * Makes sure that a file is a journal, and reads the seed of its keys. A file that is empty, or ends within its first
 * line, becomes a journal, so that not even a power cut can lose it. Rejects with a UsageError for any other file, and
 * leaves that as it is.
 */
export async function readHeader(file: FileHandle, path: string): Promise<Words> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER_LENGTH), 0, HEADER_LENGTH, 0);
  const text = buffer.toString('latin1', 0, bytesRead);
  const isCut = text.length < HEADER_LENGTH && HEADER.test(text + ANY.slice(text.length));
  const header = isCut ? await writeHeader(file, path) : text;
  const [, first, second] = HEADER.exec(header) ?? [];
  if (first === undefined || second === undefined) {
    throw journalFault(
      path,
      text.startsWith(START) ? 'another version of fanout has made it' : 'it holds something else',
    );
  }
  return { first: Number.parseInt(first, 16) | 0, second: Number.parseInt(second, 16) | 0 };
}

function headerOf(seed: string): string {
  return `${START}1,"seed":"${seed}"}\n`;
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
