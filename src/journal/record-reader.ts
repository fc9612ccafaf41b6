import { readSync } from 'node:fs';
import type { Identity } from './identity.ts';
import { NEWLINE, recordOf } from './journal-line.ts';
import { BYTES_PER_PLACE } from './load-journal.ts';

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
