import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { JobKey } from './job-key.ts';
import { decodeEntry, extractRecord, HEADER_LENGTH, type JournalEntry, NEWLINE } from './journal-format.ts';
import { InsertBuffer, type JournalIndex } from './journal-index.ts';

const CHUNK_BYTES = 4 * 1024 * 1024;
/** The longest line that is read; a longer one is damaged. A record may contain a body of 64 MB, in escapes. */
const MAX_LINE_BYTES = 512 * 1024 * 1024;
const MAX_WARNINGS = 5;

/** The index stores positions in the file as numbers of blocks of this size, which is less than the length of any line. */
export const BLOCK_BYTES = 128;

/** What was loaded of a journal. */
export interface LoadedJournal {
  /** The end of its last whole line, in bytes. The rest was being written when the run was killed. */
  readonly end: number;
  /** The number of undamaged records. */
  readonly records: number;
}

interface LoadLimits {
  /** The longest line that is not damaged. */
  readonly maxLineBytes?: number;
  /** How much is read at a time. */
  readonly chunkBytes?: number;
}

/**
 * Reads a journal from the end of its header to its end, and adds every undamaged record to the index; of two records
 * of the same job the later one wins. Reports a damaged line with its number and skips it. Rejects if the file cannot
 * be read.
 */
export async function loadJournal(
  file: FileHandle,
  index: JournalIndex,
  warn: (message: string) => void,
  { maxLineBytes = MAX_LINE_BYTES, chunkBytes = CHUNK_BYTES }: LoadLimits = {},
): Promise<LoadedJournal> {
  const { size } = await file.stat();
  const inserts = new InsertBuffer(index, size / BLOCK_BYTES);
  const scanner = new LineScanner(inserts, warn, maxLineBytes);
  const length = Math.min(chunkBytes, size);
  const chunks = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)] as const;
  let position = HEADER_LENGTH;
  let reading = file.read(chunks[0], 0, length, position);
  for (let turn = 1; ; turn ^= 1) {
    const { buffer, bytesRead } = await reading;
    if (bytesRead === 0) break;
    position += bytesRead;
    reading = file.read(chunks[turn] ?? chunks[0], 0, length, position); // while the other chunk is scanned
    const isFirst = scanner.records === 0;
    scanner.push(buffer.subarray(0, bytesRead));
    if (isFirst) index.reserve((scanner.records * size) / scanner.end);
  }
  scanner.finish();
  return { end: scanner.end, records: scanner.records };
}

/** Splits the bytes of a journal into lines and adds them to the index. */
class LineScanner {
  /** The end of the last line that was scanned. */
  end = HEADER_LENGTH;
  records = 0;
  readonly #inserts: InsertBuffer;
  readonly #warn: (message: string) => void;
  readonly #entry: JournalEntry = { first: 0, second: 0, occurrence: 0, isOk: false };
  /** The start of a line whose end was not read yet, in copies; empty if it is too long. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  readonly #maxLineBytes: number;
  #lineNumber = 1;
  #damaged = 0;

  constructor(inserts: InsertBuffer, warn: (message: string) => void, maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
    this.#inserts = inserts;
    this.#warn = warn;
  }

  push(bytes: Buffer): void {
    let start = 0;
    let end = bytes.indexOf(NEWLINE);
    if (this.#partBytes > 0 && end !== -1) {
      this.#addPart(bytes.subarray(0, end));
      const line = Buffer.concat(this.#parts);
      const bytesLeftOut = this.#partBytes - line.length;
      this.#scanLine(line, 0, line.length);
      this.end += bytesLeftOut;
      this.#parts = [];
      this.#partBytes = 0;
      start = end + 1;
      end = bytes.indexOf(NEWLINE, start);
    }
    while (end !== -1) {
      this.#scanLine(bytes, start, end);
      start = end + 1;
      end = bytes.indexOf(NEWLINE, start);
    }
    if (start < bytes.length) this.#addPart(bytes.subarray(start));
  }

  #addPart(bytes: Buffer): void {
    this.#partBytes += bytes.length;
    if (this.#partBytes <= this.#maxLineBytes) this.#parts.push(Buffer.from(bytes));
    else this.#parts = [];
  }

  finish(): void {
    this.#inserts.flush();
    const more = this.#damaged - MAX_WARNINGS;
    if (more > 0) this.#warn(`and ${more} more damaged ${more === 1 ? 'line' : 'lines'}`);
  }

  #scanLine(bytes: Buffer, start: number, end: number): void {
    this.#lineNumber++;
    if (decodeEntry(bytes, start, end, this.#entry)) {
      this.#inserts.add(this.#entry, blockBefore(this.end));
      this.records++;
    } else {
      this.#damaged++;
      if (this.#damaged <= MAX_WARNINGS) {
        this.#warn(`line ${this.#lineNumber} is damaged, its URL is fetched again`);
      }
    }
    this.end += end - start + 1;
  }
}

/** The block of a line that starts at a position: the one that contains the newline before it. */
function blockBefore(position: number): number {
  return Math.floor((position - 1) / BLOCK_BYTES);
}

const PAGE_BYTES = 64 * 1024;
/** The part of the next page that is read as well, for a line that begins on one page and ends on the next. */
const OVERLAP_BYTES = 8 * 1024;
const MAX_PAGES = 16;

/**
 * Reads records by their block. Jobs come in about the order of the journal, so the last few pages are cached, about
 * 1 MB in all.
 */
export class RecordReader {
  readonly #fd: number;
  readonly #end: number;
  readonly #pages = new Map<number, Buffer>();

  /** Reads the file up to `end`. */
  constructor(fd: number, end: number) {
    this.#fd = fd;
    this.#end = end;
  }

  /**
   * Returns the JSON of a record, or `undefined` if the block has no line of this job. Throws if the file cannot be
   * read.
   */
  find(block: number, key: JobKey): string | undefined {
    const start = block * BLOCK_BYTES;
    const number = Math.floor(start / PAGE_BYTES);
    const page = this.#page(number);
    const base = number * PAGE_BYTES;
    let newline = page.indexOf(NEWLINE, start - base);
    while (newline !== -1 && base + newline < start + BLOCK_BYTES) {
      const end = page.indexOf(NEWLINE, newline + 1);
      const line =
        end === -1 ? this.#readLongLine(base + newline + 1) : page.toString('utf8', newline + 1, end);
      const record = extractRecord(line, key);
      if (record !== undefined) return record;
      newline = end;
    }
    return undefined;
  }

  #page(number: number): Buffer {
    let page = this.#pages.get(number);
    if (page === undefined) page = this.#read(number * PAGE_BYTES, PAGE_BYTES + OVERLAP_BYTES);
    else this.#pages.delete(number);
    this.#pages.set(number, page);
    if (this.#pages.size > MAX_PAGES) this.#pages.delete(this.#pages.keys().next().value ?? 0);
    return page;
  }

  #readLongLine(position: number): string {
    for (let length = 4 * PAGE_BYTES; ; length *= 2) {
      const bytes = this.#read(position, length);
      const end = bytes.indexOf(NEWLINE);
      if (end !== -1) return bytes.toString('utf8', 0, end);
      if (bytes.length < length) return '';
    }
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.min(length, Math.max(0, this.#end - position)));
    let filled = 0;
    while (filled < bytes.length) {
      const read = readSync(this.#fd, bytes, filled, bytes.length - filled, position + filled);
      if (read === 0) break;
      filled += read;
    }
    return bytes.subarray(0, filled);
  }
}
