import type { Hash } from 'node:crypto';
import type { KeptBody } from '../model/result.ts';
import { BodyError, writeError } from './body-error.ts';
import { BodyHash } from './body-hash.ts';
import type { PartFile } from './part-file.ts';
import type { BodyTaker } from './taker.ts';

export interface FileTakerOptions {
  readonly part: PartFile;
  /** The final name, relative to the directory that bodies are saved in. */
  readonly name: string;
  /** Whether the body of an answer that is not OK is kept, too. */
  readonly keepsFailed: boolean;
  /** Whether its SHA-256 is told. */
  readonly hashes: boolean;
  /** What is written beside the file so that it can be gone on with. */
  readonly record: string | undefined;
  /** What of the body is in the file already. */
  readonly start?: BodyStart | undefined;
  /** Told of each error of the file system. */
  readonly onWriteError: (error: BodyError) => void;
}

/** The beginning of a body, with its hash so far, and the length of the whole where it is known. */
export interface BodyStart {
  readonly bytes: number;
  readonly hash: Hash;
  readonly totalBytes: number | undefined;
}

/** `--save-dir`: writes a body to a file as it comes. Writing waits for the disk, and so does all that comes after. */
export class FileTaker implements BodyTaker {
  readonly #options: FileTakerOptions;
  readonly #hash: BodyHash | undefined;
  #bytes: number;
  #isOpen: boolean;
  #isOver = false;

  constructor(options: FileTakerOptions) {
    this.#options = options;
    this.#hash = options.hashes ? new BodyHash(options.start?.hash) : undefined;
    this.#bytes = options.start?.bytes ?? 0;
    this.#isOpen = options.start !== undefined;
  }

  write(piece: Buffer): void {
    if (this.#isOver) return;
    const { part } = this.#options;
    this.#attempt(() => {
      this.#open();
      part.write(piece);
    });
    this.#hash?.update(piece);
    this.#bytes += piece.length;
  }

  end(isOk: boolean, isWhole: boolean): KeptBody | undefined {
    const { part, name, keepsFailed, start } = this.#options;
    if (this.#isOver) return undefined;
    if (!isOk && !(keepsFailed && isWhole)) {
      this.drop(false);
      return undefined;
    }
    if (!isWhole) {
      this.drop(false);
      throw new BodyError('size', undefined, 'the body is larger than --max-size');
    }
    if (start?.totalBytes !== undefined && start.totalBytes !== this.#bytes) {
      this.drop(false);
      throw new BodyError('protocol', undefined, 'the parts of the body are not as long as the whole');
    }
    this.#attempt(() => {
      this.#open();
      part.commit();
    });
    this.#isOver = true;
    return { path: name, bytes: this.#bytes, sha256: this.#hash?.hex() };
  }

  drop(isBrokenOff: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { part } = this.#options;
    if (isBrokenOff && this.#bytes > 0) part.leave();
    else part.discard();
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#options.part.create(this.#options.record);
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.drop(true); // what is on the disk is right, and with more room may be gone on with
      const { name, onWriteError } = this.#options;
      const failure = error instanceof BodyError ? error : writeError(name, error);
      onWriteError(failure);
      throw failure;
    }
  }
}
