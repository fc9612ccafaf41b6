import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { outputError } from '../../model/output-error.ts';

const MEMORY = 1024 * 1024;

/**
 * Keeps text of any length until what has to stand before it is known: in memory at first, then in a temporary file.
 * - `append()` returns a promise only when it writes. One call at a time.
 * - The file has no name any more once it is open, where the system allows that: nothing is left behind by `kill -9`.
 * - Throws an `OutputError` when the file cannot be written.
 */
export class Spool {
  readonly #parent: string;
  readonly #memory: number;
  #pending = '';
  #file: FileHandle | undefined;
  #directory: string | undefined;

  /**
   * @param parent directory for temporary files
   * @param memory length of the text that is held in memory, in UTF-16 units
   */
  constructor(parent: string, memory = MEMORY) {
    this.#parent = parent;
    this.#memory = memory;
  }

  append(text: string): void | Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= this.#memory) return this.#flush();
  }

  /** All that was appended, in pieces. */
  async *text(): AsyncGenerator<string, void, undefined> {
    if (this.#file !== undefined) {
      try {
        yield* this.#file.createReadStream({ start: 0, autoClose: false, encoding: 'utf8' });
      } catch (error) {
        throw outputError(this.#parent, error);
      }
    }
    yield this.#pending;
  }

  async close(): Promise<void> {
    this.#pending = '';
    await this.#file?.close();
    await this.#remove();
  }

  async #flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    try {
      this.#file ??= await this.#open();
      await this.#file.appendFile(text);
    } catch (error) {
      throw outputError(this.#parent, error);
    }
  }

  async #open(): Promise<FileHandle> {
    this.#directory = await mkdtemp(join(this.#parent, 'fanout-'));
    const file = await open(join(this.#directory, 'report'), 'wx+', 0o600);
    await this.#remove();
    return file;
  }

  async #remove(): Promise<void> {
    if (this.#directory === undefined) return;
    // An open file cannot be removed on Windows: then it is when it is closed.
    await rm(this.#directory, { recursive: true, force: true }).then(
      () => {
        this.#directory = undefined;
      },
      () => {},
    );
  }
}
