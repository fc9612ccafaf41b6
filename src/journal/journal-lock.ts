import { mkdtemp, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../model/error-code.ts';
import { UsageError } from '../model/errors.ts';
import { outputError } from '../model/output-error.ts';
import { journalFault } from './journal-fault.ts';
import { holderIn, mayRun, nameOf, type Processes, thisHolder } from './lock-holder.ts';

/** Each round that fails means that another starter got on, or that something is wrong which stays wrong. */
const MAX_ROUNDS = 100;

// What a rename says when the place is taken (EPERM on Windows), or when another was faster.
const TAKEN = new Set(['EEXIST', 'ENOTEMPTY', 'EPERM', 'ENOENT']);

/**
 * A lock that outlives no process: `FILE.lock`, a directory with one empty file in it, whose name tells the holder.
 * - The directory is prepared beside its place and renamed to it. A rename never replaces a directory that has a file in
 *   it, so of several starters one gets its way.
 * - The lock of a dead process is taken over by renaming the file in it. Its old name is never made again, so of several
 *   starters one finds it; nothing is ever removed that may have become the lock of another in the meantime.
 * Runs on one machine see each other, as do runs on several that share the file. Containers that share a file but no
 * processes do not.
 */
export class JournalLock {
  readonly #directory: string;
  readonly #entry: string;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#entry = join(directory, name);
  }

  /** Rejects with a UsageError that tells who holds the lock, or why there can be none. */
  static async take(path: string, processes: Processes): Promise<JournalLock> {
    const directory = `${path}.lock`;
    const name = nameOf(thisHolder(processes));
    const prepared = await prepare(directory, name);
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const lock = new JournalLock(directory, name);
        if (await isRenamed(prepared, directory)) return lock;
        const dead = await deadEntry(directory, path, processes);
        if (dead !== undefined && (await isRenamed(join(directory, dead), lock.#entry))) return lock;
      }
    } finally {
      await rm(prepared, { recursive: true, force: true });
    }
    throw lockFault(path, 'other runs take it again and again', directory);
  }

  /** Lets the next run in. Never rejects: a lock that cannot be removed is that of a dead process soon. */
  async release(): Promise<void> {
    await unlink(this.#entry).catch(() => {});
    await rmdir(this.#directory).catch(() => {}); // fails when it is the lock of the next run by now
  }
}

async function prepare(directory: string, name: string): Promise<string> {
  try {
    const prepared = await mkdtemp(`${directory}-`);
    await writeFile(join(prepared, name), '');
    return prepared;
  } catch (error) {
    throw lockError(directory, error);
  }
}

/** False when the target is taken, or what is to be renamed was taken over by another. */
async function isRenamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (TAKEN.has(errorCode(error) ?? '')) return false;
    throw lockError(to, error);
  }
}

/** The file of a dead holder, `undefined` when the lock is gone by now. Rejects when the holder may still run. */
async function deadEntry(directory: string, path: string, processes: Processes): Promise<string | undefined> {
  const [entry] = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw lockError(directory, error);
  });
  if (entry === undefined) {
    await rmdir(directory).catch(() => {}); // only ever succeeds on an empty directory
    return undefined;
  }
  const holder = holderIn(entry);
  if (holder !== undefined && !mayRun(holder, processes)) return entry;
  const who = holder === undefined ? 'another program' : `the run with pid ${holder.pid} on ${holder.host}`;
  throw lockFault(path, `${who} is using it`, directory);
}

function lockFault(path: string, why: string, directory: string): UsageError {
  return journalFault(path, why, `wait until it has ended, or remove ${JSON.stringify(directory)} if it has`);
}

function lockError(path: string, cause: unknown): UsageError {
  return new UsageError(outputError(path, cause, 'lock').message, { cause });
}
