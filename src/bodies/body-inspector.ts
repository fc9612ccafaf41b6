import type { TextMatcher } from './text-matcher.ts';

/** So much of the beginning of a body is looked at. */
export const START_BYTES = 4 * 1024;

export interface BodyInspectorOptions {
  /** Looks for texts in the whole body. */
  readonly matcher: TextMatcher | undefined;
  /** Whether the beginning of the body is kept. */
  readonly keepsStart: boolean;
}

/** Looks at a body as it comes: for texts in it, and at its beginning. */
export class BodyInspector {
  readonly #options: BodyInspectorOptions;
  #start = '';

  constructor(options: BodyInspectorOptions) {
    this.#options = options;
  }

  /** The first bytes as latin1, if they are kept. */
  get start(): string {
    return this.#start;
  }

  write(piece: Buffer): void {
    const { matcher, keepsStart } = this.#options;
    matcher?.write(piece);
    const missing = START_BYTES - this.#start.length;
    if (keepsStart && missing > 0) this.#start += piece.toString('latin1', 0, missing);
  }

  /** What the body has or has not, against what was asked for. To be called once, at its end. */
  textFault(): string | undefined {
    return this.#options.matcher?.end();
  }
}
