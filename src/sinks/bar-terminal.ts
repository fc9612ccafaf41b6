import type { Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * The terminal that cli-progress draws on, in place of its own, which saves and restores the place of the cursor
 * and so, once result lines have scrolled by, ends the bar by writing over them.
 */
export class BarTerminal {
  readonly #stream: TerminalStream;
  #drawn = '';
  #visible = false;

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  /** The last column stays free, since some terminals wrap a line as soon as it is full. */
  getWidth(): number {
    return Math.max(20, (this.#stream.columns || 80) - 1);
  }

  write(text: string): void {
    this.#drawn = text;
    this.redraw();
  }

  /** Puts the last text back. Left out when the terminal is slower than the bar. */
  redraw(): void {
    if (this.#drawn === '' || this.#stream.writableNeedDrain || this.#stream.destroyed) return;
    this.#visible = true;
    this.#stream.write(this.isTTY() ? `\r${this.#drawn}\x1b[K` : this.#drawn);
  }

  clearLine(): void {
    if (!this.#visible || !this.isTTY() || this.#stream.destroyed) return;
    this.#visible = false;
    this.#stream.write('\r\x1b[K');
  }

  newline(): void {
    this.#stream.write('\n');
  }

  // cli-progress calls these as well. Without the cursor hidden or wrapping off, a killed run leaves a sane terminal.
  cursorSave(): void {}
  cursorRestore(): void {}
  cursorTo(): void {}
  clearRight(): void {}
}
