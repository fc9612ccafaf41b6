/** The longest line that is read, in bytes without its newline. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** Stands for a line over the limit: only its beginning is kept. */
export interface LongLine {
  readonly start: string;
}

export type Line = string | LongLine;

const NEWLINE = 0x0a;
const SLICE_BYTES = 64 * 1024;
const FIRST_HOLD_BYTES = 4 * 1024;
const START_BYTES = 4 * 1024;
const EMPTY = Buffer.alloc(0);

/**
 * Splits UTF-8 bytes into lines, however the bytes are cut into chunks.
 * - A byte-order mark at the start and the `\r` of a `\r\n` are dropped.
 * - A line of more than `maxBytes` becomes a `LongLine`; no more than `maxBytes` of an unfinished line are held.
 * - Chunks are copied where needed, so the caller may reuse them.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #sliceBytes: number;
  #held: Buffer = EMPTY;
  #heldBytes = 0;
  #long: LongLine | undefined;
  #atStart = true;

  constructor(maxBytes = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
    this.#sliceBytes = Math.min(SLICE_BYTES, maxBytes);
  }

  /** The lines that this chunk completes. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    for (let at = 0; at < chunk.length; at += this.#sliceBytes) {
      this.#split(chunk.subarray(at, at + this.#sliceBytes), lines);
    }
    return lines;
  }

  /** The last line, when it has no newline. */
  end(): Line[] {
    return this.#heldBytes === 0 && this.#long === undefined ? [] : [this.#take()];
  }

  // A slice is no longer than the limit, so only a line that began in an earlier slice can be over it.
  #split(slice: Buffer, lines: Line[]): void {
    const last = slice.lastIndexOf(NEWLINE);
    if (last === -1) {
      this.#hold(slice);
      return;
    }
    let from = 0;
    if (this.#heldBytes > 0 || this.#long !== undefined) {
      const first = slice.indexOf(NEWLINE);
      this.#hold(slice.subarray(0, first));
      lines.push(this.#take());
      from = first + 1;
    }
    if (from <= last) {
      const text = this.#decode(slice.subarray(from, last));
      const dropReturns = text.includes('\r');
      for (const line of text.split('\n')) lines.push(dropReturns ? withoutReturn(line) : line);
    }
    this.#hold(slice.subarray(last + 1));
  }

  #hold(piece: Buffer): void {
    if (this.#long !== undefined || piece.length === 0) return;
    const bytes = this.#heldBytes + piece.length;
    if (bytes > this.#maxBytes) {
      const start = Buffer.concat([this.#held.subarray(0, this.#heldBytes), piece]).subarray(0, START_BYTES);
      this.#long = { start: this.#decode(start) };
      this.#held = EMPTY;
      this.#heldBytes = 0;
      return;
    }
    if (bytes > this.#held.length) this.#grow(bytes);
    piece.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
  }

  // Doubling keeps the copying linear when a long line comes in many small chunks.
  #grow(bytes: number): void {
    const size = Math.min(this.#maxBytes, Math.max(FIRST_HOLD_BYTES, 2 * this.#held.length, bytes));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #take(): Line {
    const line = this.#long ?? withoutReturn(this.#decode(this.#held.subarray(0, this.#heldBytes)));
    this.#long = undefined;
    this.#heldBytes = 0;
    return line;
  }

  // Whole lines are decoded, so no character is ever cut at the border of a chunk.
  #decode(bytes: Buffer): string {
    const text = bytes.toString('utf8');
    const marked = this.#atStart && text.startsWith('\ufeff');
    this.#atStart = false;
    return marked ? text.slice(1) : text;
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
