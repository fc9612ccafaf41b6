import type { TextMatcher } from './text-matcher.ts';

/** Length of the start of a body that is kept, in bytes. */
const START_BYTES = 4 * 1024;

interface BodyInspectorOptions {
  /** Searches the whole body. */
  readonly matcher: TextMatcher | undefined;
  /** Whether to keep the start of the body. */
  readonly keepStart: boolean;
}

/** Inspects a body as it arrives: searches it for text, and keeps its start. */
export class BodyInspector {
  readonly #options: BodyInspectorOptions;
  #start = '';

  constructor(options: BodyInspectorOptions) {
    this.#options = options;
  }

  /** The first 4 KiB as latin1; empty without `keepStart`. */
  get start(): string {
    return this.#start;
  }

  /** Whether it searches the whole body. */
  get isSearching(): boolean {
    return this.#options.matcher !== undefined;
  }

  write(piece: Buffer): void {
    const { matcher, keepStart } = this.#options;
    matcher?.write(piece);
    const missing = START_BYTES - this.#start.length;
    if (keepStart && missing > 0) this.#start += piece.toString('latin1', 0, missing);
  }

  /** The first text rule that the body does not meet, as a message. Call once, after the last `write`. */
  textFault(): string | undefined {
    return this.#options.matcher?.end();
  }
}
