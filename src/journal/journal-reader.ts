import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Identity } from './job-key.ts';
import { type Entry, HEADER_LENGTH, NEWLINE, readEntry, recordOf } from './journal-format.ts';
import { type JournalIndex, StagedEntries } from './journal-index.ts';

const CHUNK = 4 * 1024 * 1024;
const MAX_WARNINGS = 5;

/** A place of the index stands for so many bytes of the file, which is less than any line has. */
export const BYTES_PER_PLACE = 128;

/** What was found in a journal. */
export interface Loaded {
  /** Where its last whole line ends, in bytes: what comes behind was being written when the run was killed. */
  readonly end: number;
  /** Records that can be used. */
  readonly records: number;
}

/**
 * Reads a journal from behind its header to its end, and puts every whole record into the index; a later record of the
 * same job wins. A damaged line is reported with its number and passed over. Rejects as reading the file does.
 */
export async function loadJournal(
  file: FileHandle,
  index: JournalIndex,
  warn: (message: string) => void,
): Promise<Loaded> {
  const { size } = await file.stat();
  const lines = new Lines(index, warn);
  const length = Math.min(CHUNK, size);
  const chunks = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)] as const;
  let position = HEADER_LENGTH;
  let reading = file.read(chunks[0], 0, length, position);
  for (let turn = 1; ; turn ^= 1) {
    const { buffer, bytesRead } = await reading;
    if (bytesRead === 0) break;
    position += bytesRead;
    reading = file.read(chunks[turn] ?? chunks[0], 0, length, position); // while the other one is taken
    const isFirst = lines.records === 0;
    lines.take(buffer.subarray(0, bytesRead));
    if (isFirst) index.reserve((lines.records * size) / lines.end);
  }
  lines.close();
  return { end: lines.end, records: lines.records };
}

class Lines {
  /** Where the last line ends that was taken. */
  end = HEADER_LENGTH;
  records = 0;
  readonly #staged: StagedEntries;
  readonly #warn: (message: string) => void;
  readonly #entry: Entry = { first: 0, second: 0, n: 0, isOk: false };
  /** The start of a line whose end is still to come. */
  #begun = Buffer.alloc(0);
  #number = 1;
  #damaged = 0;

  constructor(index: JournalIndex, warn: (message: string) => void) {
    this.#staged = new StagedEntries(index);
    this.#warn = warn;
  }

  take(bytes: Buffer): void {
    let start = 0;
    let end = bytes.indexOf(NEWLINE);
    if (this.#begun.length > 0 && end !== -1) {
      const line = Buffer.concat([this.#begun, bytes.subarray(0, end)]);
      this.#line(line, 0, line.length);
      this.#begun = Buffer.alloc(0);
      start = end + 1;
      end = bytes.indexOf(NEWLINE, start);
    }
    while (end !== -1) {
      this.#line(bytes, start, end);
      start = end + 1;
      end = bytes.indexOf(NEWLINE, start);
    }
    this.#begun = Buffer.concat([this.#begun, bytes.subarray(start)]);
  }

  close(): void {
    this.#staged.flush();
    const more = this.#damaged - MAX_WARNINGS;
    if (more > 0) this.#warn(`and ${more} more damaged ${more === 1 ? 'line' : 'lines'}`);
  }

  #line(bytes: Buffer, start: number, end: number): void {
    this.#number++;
    if (readEntry(bytes, start, end, this.#entry)) {
      this.#staged.add(this.#entry, describeSegment(this.end));
      this.records++;
    } else {
      this.#damaged++;
      if (this.#damaged <= MAX_WARNINGS) {
        this.#warn(`line ${this.#number} is damaged, its URL is fetched again`);
      }
    }
    this.end += end - start + 1;
  }
}

/** The place of a line that starts at a position: where the newline before it is found. */
function describeSegment(position: number): number {
  return Math.floor((position - 1) / BYTES_PER_PLACE);
}

const PAGE = 64 * 1024;
/** So much of the next page is read along, for the line that begins on one and ends on the other. */
const OVERLAP = 8 * 1024;
const MAX_PAGES = 16;

/**
 * Finds records again by their places in the index. A list comes in about the order of its journal, so the last few
 * pages that were read are kept, about 1 MB in all.
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

  /** The text of a record, or `undefined` when there is none of this job at this place. Throws as reading the file does. */
  find(place: number, identity: Identity): string | undefined {
    const start = place * BYTES_PER_PLACE;
    const number = Math.floor(start / PAGE);
    const page = this.#page(number);
    const base = number * PAGE;
    let newline = page.indexOf(NEWLINE, start - base);
    while (newline !== -1 && base + newline < start + BYTES_PER_PLACE) {
      const end = page.indexOf(NEWLINE, newline + 1);
      const line = end === -1 ? this.#longLine(base + newline + 1) : page.toString('utf8', newline + 1, end);
      const record = recordOf(line, identity);
      if (record !== undefined) return record;
      newline = end;
    }
    return undefined;
  }

  #page(number: number): Buffer {
    let page = this.#pages.get(number);
    if (page === undefined) page = this.#read(number * PAGE, PAGE + OVERLAP);
    else this.#pages.delete(number);
    this.#pages.set(number, page);
    if (this.#pages.size > MAX_PAGES) this.#pages.delete(this.#pages.keys().next().value ?? 0);
    return page;
  }

  #longLine(position: number): string {
    for (let length = 4 * PAGE; ; length *= 2) {
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
