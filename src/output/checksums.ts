import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readOwnFile } from '../core/own-file.ts';
import { errorCode, InputError, systemReason } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { AtomicFile } from './atomic-file.ts';

/** The largest file of checksums that is read: about ten million files. */
const MAX_FILE_BYTES = 1024 ** 3;

/** Lines that are written at once. */
const BATCH = 1_000;

const LINE = /^(\\?)([0-9a-f]{64}) [ *](.+)$/;

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };
const UNESCAPES: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\r': '\r' };

/** A line as `sha256sum` writes it, without its newline: a name with a line break or a backslash is escaped. */
export function checksumLine(name: string, sha256: string): string {
  const escaped = name.replace(/[\\\n\r]/g, (mark) => ESCAPES[mark] ?? mark);
  return `${escaped === name ? '' : '\\'}${sha256}  ${escaped}`;
}

/** The name and hash of a line that `sha256sum` has written; `undefined` if it is something else. */
export function parseChecksumLine(line: string): readonly [name: string, sha256: string] | undefined {
  const [, mark, sha256, name] = LINE.exec(line) ?? [];
  if (sha256 === undefined || name === undefined) return undefined;
  const plain = mark === '' ? name : name.replace(/\\[\\nr]/g, (pair) => UNESCAPES[pair] ?? pair);
  return [plain, sha256];
}

/**
 * `--checksums FILE`: the SHA-256 of every saved file, in the format of `sha256sum`, sorted by name. Names are relative to
 * the save directory, so that `sha256sum -c FILE` passes there.
 *
 * - Lines of an existing file stay, unless their file was saved again or is gone.
 * - The file is replaced when all results are there. It takes about 200 bytes of memory for each saved file.
 */
export class Checksums implements Sink {
  readonly #file: AtomicFile;
  readonly #directory: string;
  readonly #earlier: ReadonlyMap<string, string>;
  readonly #hashes = new Map<string, string>();

  private constructor(file: AtomicFile, directory: string, earlier: ReadonlyMap<string, string>) {
    this.#file = file;
    this.#directory = directory;
    this.#earlier = earlier;
  }

  /**
   * Throws an `OutputError` if the file cannot be written, and an `InputError` if it has something else than checksums. Call it
   * before anything is fetched.
   */
  static async open(path: string, directory: string): Promise<Checksums> {
    const earlier = await readChecksums(path);
    return new Checksums(await AtomicFile.open(path), directory, earlier);
  }

  write({ body }: Result): void {
    if (body?.path !== undefined && body.sha256 !== undefined) this.#hashes.set(body.path, body.sha256);
  }

  async end(): Promise<void> {
    for (const [name, sha256] of this.#earlier) {
      const isSaved = this.#hashes.has(name);
      if (!isSaved && (await isFile(resolve(this.#directory, name)))) this.#hashes.set(name, sha256);
    }
    const names = [...this.#hashes.keys()].sort();
    for (let at = 0; at < names.length; at += BATCH) {
      const lines = names
        .slice(at, at + BATCH)
        .map((name) => checksumLine(name, this.#hashes.get(name) ?? ''));
      await this.#file.write(`${lines.join('\n')}\n`);
    }
    await this.#file.commit();
  }

  /** Leaves the file as it was. */
  discard(): Promise<void> {
    return this.#file.discard();
  }
}

/** Reads a file of checksums; nothing if there is no file yet. */
async function readChecksums(path: string): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  let text: string;
  try {
    text = (await readOwnFile(path, MAX_FILE_BYTES)).toString();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return hashes;
    throw new InputError(`cannot read --checksums "${excerpt(path)}": ${printable(systemReason(error))}`);
  }
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const parsed = parseChecksumLine(line);
    if (parsed === undefined) {
      throw new InputError(
        `${excerpt(path)}:${index + 1} is not a line of sha256sum, so --checksums does not replace the file; name another one`,
      );
    }
    hashes.set(...parsed);
  }
  return hashes;
}

async function isFile(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  return status?.isFile() === true;
}
