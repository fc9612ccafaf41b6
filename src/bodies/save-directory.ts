import { mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { lstat, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { BodyError, writeError } from './body-sink.ts';

/** Directories that are remembered as created, at about 100 bytes each. */
const MAX_REMEMBERED = 10_000;

/** The directory of `--save-dir`. Names are relative to it and safe. Errors are `BodyError`s of kind `write`. */
export class SaveDirectory {
  readonly #root: string;
  readonly #maxRemembered: number;
  /** Directories that exist and are not symbolic links. */
  readonly #created = new Set<string>();
  /** Names of partial files that are being written. */
  readonly #partNames = new Set<string>();

  constructor(root: string, maxRemembered = MAX_REMEMBERED) {
    this.#root = root;
    this.#maxRemembered = maxRemembered;
  }

  /** Creates the directory if it is missing, and checks that it is writable. */
  probe(): void {
    try {
      makeDirectory(this.#root);
      rmdirSync(mkdtempSync(`${this.#root}/.fanout-`));
    } catch (error) {
      throw writeError(this.#root, error);
    }
  }

  pathOf(name: string): string {
    return `${this.#root}/${name}`;
  }

  /** Creates the parent directories of a file. Refuses symbolic links among them. */
  async makeParents(name: string): Promise<void> {
    const end = name.lastIndexOf('/');
    if (end === -1 || this.#created.has(name.slice(0, end))) return;
    for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) {
      await this.#make(name.slice(0, at));
    }
  }

  /** Call when a directory was removed by another program: forgets what was created, and creates the root again. */
  recover(): void {
    this.#created.clear();
    this.probe();
  }

  /**
   * Reserves a name for the partial file of `name` that no other download of this process uses: `NAME.part` or, if that one
   * is taken or `isSecond`, a numbered name.
   */
  reservePartName(name: string, isSecond = false): string {
    let partName = isSecond ? `${name}.2.part` : `${name}.part`;
    for (let number = 2; this.#partNames.has(partName); number += 1) partName = `${name}.${number}.part`;
    this.#partNames.add(partName);
    return partName;
  }

  releasePartName(partName: string): void {
    this.#partNames.delete(partName);
  }

  async #make(directory: string): Promise<void> {
    if (this.#created.has(directory)) return;
    try {
      await makeRealDirectory(this.pathOf(directory));
    } catch (error) {
      throw error instanceof BodyError ? error : writeError(directory, error);
    }
    if (this.#created.size >= this.#maxRemembered) this.#created.clear();
    this.#created.add(directory);
  }
}

/** Creates one directory unless it exists. Throws if a file or a symbolic link has its name. */
async function makeRealDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    if (!(await lstat(path)).isDirectory()) throw new BodyError('write', 'EEXIST', notADirectory(path));
  }
}

function notADirectory(path: string): string {
  return `cannot save to "${excerpt(path, 2000)}": a file or a symbolic link, not a directory`;
}

/**
 * Creates a directory and its missing parents. Throws the error of the file system.
 *
 * `mkdirSync` with `recursive` does not return if the parent exists but refuses new entries, such as in /proc.
 */
export function makeDirectory(path: string): void {
  const missingParent = makeLast(path);
  if (missingParent === undefined) return;
  if (dirname(path) === path) throw missingParent;
  makeDirectory(dirname(path));
  const error = makeLast(path);
  if (error !== undefined) throw error;
}

/** Returns the error if the parent is missing, and throws any other. Another process may create the directory, too. */
function makeLast(path: string): Error | undefined {
  try {
    mkdirSync(path);
  } catch (error) {
    if (error instanceof Error && errorCode(error) === 'ENOENT') return error;
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
  return undefined;
}
