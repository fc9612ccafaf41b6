import { rename, rm } from 'node:fs/promises';
import { outputError } from '../model/errors.ts';
import { LineWriter, openOutputFile } from './line-writer.ts';

/** A file of lines that is written beside its place and takes it when it is whole, so that it is never half old and half new. */
export class AtomicFile {
  readonly #path: string;
  readonly #lines: LineWriter;

  private constructor(path: string, lines: LineWriter) {
    this.#path = path;
    this.#lines = lines;
  }

  /** Throws an OutputError when it cannot be written, before anything is fetched. */
  static async open(path: string): Promise<AtomicFile> {
    return new AtomicFile(path, new LineWriter(await openOutputFile(partOf(path)), { name: path }));
  }

  /** Takes whole lines with their newlines, as a `LineWriter` does. */
  write(lines: string): void | Promise<void> {
    return this.#lines.write(lines);
  }

  /** Puts the new file in the place of the old one. Throws an OutputError, and then the old one stays. */
  async commit(): Promise<void> {
    await this.#lines.end();
    try {
      await rename(partOf(this.#path), this.#path);
    } catch (error) {
      throw outputError(this.#path, error);
    }
  }

  /** Leaves the old file as it is. */
  async discard(): Promise<void> {
    this.#lines.destroy();
    await rm(partOf(this.#path), { force: true });
  }
}

function partOf(path: string): string {
  return `${path}.part`;
}
