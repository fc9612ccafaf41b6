import { isUtf8 } from 'node:buffer';

/** The default limit for the length of a line, in bytes without its newline. */
export const MAX_LINE_BYTES = 1024 * 1024;

const RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const SLICE_BYTES = 64 * 1024;
const MIN_BUFFER_BYTES = 4 * 1024;
const LONG_LINE_START_BYTES = 4 * 1024;
const EMPTY = Buffer.alloc(0);

/** A line over the limit: at most its first 4 KiB are kept. */
export interface LongLine {
  readonly start: string;
}

/** A line that is not UTF-8, as it was read. */
export interface RawLine {
  readonly bytes: Buffer;
}

export type Line = string | LongLine | RawLine;

/**
 * Splits UTF-8 bytes into lines, however the bytes are cut into chunks.
 * - Drops a byte-order mark at the start, and a `\r` at the end of a line.
 * - Returns a `RawLine` for a line that is not UTF-8.
 * - Returns a `LongLine` for a line of more than `maxBytes`, and buffers at most `maxBytes` of an unfinished line.
 * - Copies the part of a chunk that it keeps, so the caller may reuse the chunk.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #separator: string;
  readonly #sliceBytes: number;
  /** The unfinished line is the first `#pendingBytes` of `#buffer`, or `#longLine` once it is over the limit. */
  #buffer: Buffer = EMPTY;
  #pendingBytes = 0;
  #longLine: LongLine | undefined;
  #atStart = true;

  /** @param separator the character at the end of each line */
  constructor(maxBytes = MAX_LINE_BYTES, separator: '\n' | '\0' = '\n') {
    this.#maxBytes = maxBytes;
    this.#separator = separator;
    this.#sliceBytes = Math.min(SLICE_BYTES, maxBytes);
  }

  /** Whether the unfinished line is over the limit. */
  get isTooLong(): boolean {
    return this.#longLine !== undefined;
  }

  /** Returns the lines that this chunk completes. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    for (let at = 0; at < chunk.length; at += this.#sliceBytes) {
      this.#split(chunk.subarray(at, at + this.#sliceBytes), lines);
    }
    return lines;
  }

  /** Returns the last line if it has no newline. */
  end(): Line[] {
    return this.#pendingBytes === 0 && this.#longLine === undefined ? [] : [this.#takePending()];
  }

  // A slice is not longer than the limit, so only a line that began in an earlier slice can be over it.
  #split(slice: Buffer, lines: Line[]): void {
    const last = slice.lastIndexOf(this.#separator);
    if (last === -1) {
      this.#keep(slice);
      return;
    }
    let from = 0;
    if (this.#pendingBytes > 0 || this.#longLine !== undefined) {
      const first = slice.indexOf(this.#separator);
      this.#keep(slice.subarray(0, first));
      lines.push(this.#takePending());
      from = first + 1;
    }
    if (from <= last) this.#decodeLines(this.#withoutMark(slice.subarray(from, last)), lines);
    this.#keep(slice.subarray(last + 1));
  }

  #keep(piece: Buffer): void {
    if (this.#longLine !== undefined || piece.length === 0) return;
    const bytes = this.#pendingBytes + piece.length;
    if (bytes > this.#maxBytes) {
      const pending = this.#buffer.subarray(0, this.#pendingBytes);
      const start = Buffer.concat([pending, piece]).subarray(0, LONG_LINE_START_BYTES);
      this.#longLine = { start: this.#withoutMark(start).toString() };
      this.#buffer = EMPTY;
      this.#pendingBytes = 0;
      return;
    }
    if (bytes > this.#buffer.length) this.#grow(bytes);
    piece.copy(this.#buffer, this.#pendingBytes);
    this.#pendingBytes = bytes;
  }

  // Doubling keeps the copying linear when a long line comes in many small chunks.
  #grow(bytes: number): void {
    const size = Math.min(this.#maxBytes, Math.max(MIN_BUFFER_BYTES, 2 * this.#buffer.length, bytes));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown, 0, 0, this.#pendingBytes);
    this.#buffer = grown;
  }

  #takePending(): Line {
    const line =
      this.#longLine ?? decodeLine(this.#withoutMark(this.#buffer.subarray(0, this.#pendingBytes)));
    this.#longLine = undefined;
    this.#pendingBytes = 0;
    return line;
  }

  // Only whole lines are decoded, so no character is cut at a chunk boundary.
  #decodeLines(bytes: Buffer, lines: Line[]): void {
    const text = bytes.toString();
    if (isDecoded(text, bytes)) {
      const hasReturns = text.includes('\r');
      for (const line of text.split(this.#separator)) lines.push(hasReturns ? withoutReturn(line) : line);
      return;
    }
    for (let from = 0; from <= bytes.length; ) {
      const next = bytes.indexOf(this.#separator, from);
      const end = next === -1 ? bytes.length : next;
      lines.push(decodeLine(bytes.subarray(from, end)));
      from = end + 1;
    }
  }

  #withoutMark(bytes: Buffer): Buffer {
    const hasMark = this.#atStart && bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    this.#atStart = false;
    return hasMark ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
  }
}

/** Whether no bytes were replaced with U+FFFD. Looking for that character first is free for ASCII. */
function isDecoded(text: string, bytes: Buffer): boolean {
  return !text.includes('\ufffd') || isUtf8(bytes);
}

function decodeLine(bytes: Buffer): Line {
  const text = bytes.toString();
  if (isDecoded(text, bytes)) return withoutReturn(text);
  return { bytes: Buffer.from(bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes) };
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
