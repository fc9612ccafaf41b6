import type { FileHandle } from 'node:fs/promises';
import type { JournalIndex } from './journal-index.ts';
import { type Entry, HEADER, NEWLINE, readEntry } from './journal-line.ts';

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
  let chunk = Buffer.allocUnsafe(CHUNK);
  let filled = 0;
  for (;;) {
    if (filled === chunk.length) chunk = Buffer.concat([chunk], 2 * filled); // a line that is longer than the chunk
    const { bytesRead } = await file.read(chunk, filled, chunk.length - filled, lines.end + filled);
    if (bytesRead === 0) break;
    const isFirst = lines.end === HEADER.length;
    const used = lines.take(chunk, filled, filled + bytesRead);
    if (isFirst && used > 0) index.reserve((lines.records * size) / used);
    chunk.copyWithin(0, used, filled + bytesRead);
    filled += bytesRead - used;
  }
  lines.close();
  return { end: lines.end, records: lines.records };
}

class Lines {
  end = HEADER.length;
  records = 0;
  readonly #index: JournalIndex;
  readonly #warn: (message: string) => void;
  readonly #entry: Entry = { first: 0, second: 0, n: 0, isOk: false };
  readonly #record = { place: 0, isOk: false };
  #number = 1;
  #damaged = 0;

  constructor(index: JournalIndex, warn: (message: string) => void) {
    this.#index = index;
    this.#warn = warn;
  }

  /** Takes the lines that end between two places of a chunk; returns how much of the chunk is done with. */
  take(chunk: Buffer, from: number, to: number): number {
    let start = 0;
    for (
      let end = chunk.indexOf(NEWLINE, from);
      end !== -1 && end < to;
      end = chunk.indexOf(NEWLINE, start)
    ) {
      this.#number++;
      if (readEntry(chunk, start, end, this.#entry)) this.#put(this.end + start);
      else this.#report();
      start = end + 1;
    }
    this.end += start;
    return start;
  }

  close(): void {
    const more = this.#damaged - MAX_WARNINGS;
    if (more > 0) this.#warn(`and ${more} more damaged ${more === 1 ? 'line' : 'lines'}`);
  }

  #put(position: number): void {
    const { first, second, n, isOk } = this.#entry;
    this.#record.place = placeOf(position);
    this.#record.isOk = isOk;
    this.#index.put(first, second, n, this.#record);
    this.records++;
  }

  #report(): void {
    this.#damaged++;
    if (this.#damaged <= MAX_WARNINGS)
      this.#warn(`line ${this.#number} is damaged, its URL is fetched again`);
  }
}

/** The place of a line that starts at a position: where the newline before it is found. */
function placeOf(position: number): number {
  return Math.floor((position - 1) / BYTES_PER_PLACE);
}
