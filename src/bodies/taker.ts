import type { KeptBody } from '../model/result.ts';

/** Takes one body as it comes in, decoded: any number of `write`, and then `end` or `drop`. */
export interface BodyTaker {
  /** The piece is of no use after the call. @throws BodyError, after which `drop` is the only call */
  write(piece: Buffer): void;
  /**
   * The answer is judged. Gives what is kept of its body.
   *
   * @param isOk whether the URL is OK as far as is known
   * @param isWhole false when the body was not read to its end, being larger than wanted
   * @throws BodyError why an answer that is OK otherwise is a failure
   */
  end(isOk: boolean, isWhole: boolean): KeptBody | undefined;
  /**
   * The body is not wanted. Does nothing when it has come to its end, or to an error.
   *
   * @param isBrokenOff whether it came to an early end, so that the rest of it may still be had
   */
  drop(isBrokenOff: boolean): void;
}

/** Lets several listen to one body. */
export class TakerGroup implements BodyTaker {
  readonly #takers: readonly BodyTaker[];

  constructor(takers: readonly BodyTaker[]) {
    this.#takers = takers;
  }

  write(piece: Buffer): void {
    for (const taker of this.#takers) taker.write(piece);
  }

  end(isOk: boolean, isWhole: boolean): KeptBody | undefined {
    let kept: KeptBody | undefined;
    for (const taker of this.#takers) {
      const part = taker.end(isOk, isWhole);
      if (part !== undefined) kept = { ...kept, ...part };
    }
    return kept;
  }

  drop(isBrokenOff: boolean): void {
    for (const taker of this.#takers) taker.drop(isBrokenOff);
  }
}
