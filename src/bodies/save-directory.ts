import { lstatSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { BodyError, writeError } from './body-sink.ts';

/**
 * Makes a directory, and those above it that are missing. Throws what the file system says. Node's own, with `recursive`,
 * tries for ever where the directory above is there and takes none, such as in /proc.
 */
export function makeDirectory(path: string): void {
  const nothingAbove = makeLast(path);
  if (nothingAbove === undefined) return;
  if (dirname(path) === path) throw nothingAbove;
  makeDirectory(dirname(path));
  const refusal = makeLast(path);
  if (refusal !== undefined) throw refusal;
}

/** The error when the directory above is missing; throws all others. Somebody else may be making the same one. */
function makeLast(path: string): Error | undefined {
  try {
    mkdirSync(path);
  } catch (error) {
    if (error instanceof Error && errorCode(error) === 'ENOENT') return error;
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
  return undefined;
}

/** More than most trees have; each costs about 100 bytes. */
const MAX_KNOWN = 10_000;

/** The directory that bodies are saved below. Throws BodyErrors of kind `write`. */
export class SaveDirectory {
  readonly #root: string;
  readonly #maxKnown: number;
  /** Directories that are there, and are no symbolic links. */
  readonly #known = new Set<string>();
  /** Files that are being written, beside their final place. */
  readonly #parts = new Set<string>();

  /** @param maxKnown how many directories below it are remembered */
  constructor(root: string, maxKnown = MAX_KNOWN) {
    this.#root = root;
    this.#maxKnown = maxKnown;
  }

  /** Makes the directory if it is missing, and checks that something can be written there. */
  probe(): void {
    try {
      makeDirectory(this.#root);
      rmdirSync(mkdtempSync(`${this.#root}/.fanout-`));
    } catch (error) {
      throw writeError(this.#root, error);
    }
  }

  /** Where the file with this name is, the name being relative and safe. */
  pathOf(name: string): string {
    return `${this.#root}/${name}`;
  }

  /** Makes the directories that the name of a file has, and follows no symbolic link on the way. */
  makeFor(name: string): void {
    const end = name.lastIndexOf('/');
    if (end === -1 || this.#known.has(name.slice(0, end))) return;
    for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) this.#make(name.slice(0, at));
  }

  /** A directory has vanished: all are looked at again, and the first of them is made again. */
  recover(): void {
    this.#known.clear();
    this.probe();
  }

  /** A name beside this one that nobody else is writing to; to be given back. */
  takePart(name: string): string {
    let part = `${name}.part`;
    for (let number = 2; this.#parts.has(part); number += 1) part = `${name}.${number}.part`;
    this.#parts.add(part);
    return part;
  }

  givePart(part: string): void {
    this.#parts.delete(part);
  }

  #make(directory: string): void {
    if (this.#known.has(directory)) return;
    try {
      this.#makeOne(this.pathOf(directory));
    } catch (error) {
      throw error instanceof BodyError ? error : writeError(directory, error);
    }
    if (this.#known.size >= this.#maxKnown) this.#known.clear();
    this.#known.add(directory);
  }

  #makeOne(path: string): void {
    try {
      mkdirSync(path);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      if (!lstatSync(path).isDirectory()) throw new BodyError('write', 'EEXIST', inTheWay(path));
    }
  }
}

function inTheWay(path: string): string {
  return `Cannot use "${printable(path)}" for bodies: a file or a symbolic link is in the place of a directory`;
}
