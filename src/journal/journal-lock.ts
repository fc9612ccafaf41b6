import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errorCode, outputError, UsageError } from '../model/errors.ts';
import { journalFault } from './journal-format.ts';

/** What is needed of `process`. */
export type Processes = Pick<NodeJS.Process, 'pid' | 'kill'>;

/**
 * A process that holds a lock. A pid is given again after a while, so it says little alone: on Linux the time at which
 * the process was started, and the boot since which that time counts, tell it from a later one.
 */
interface LockHolder {
  readonly pid: number;
  /** In clock ticks since the boot, `0` where the system does not tell. */
  readonly started: string;
  /** The start of the kernel's boot id, `0` where there is none. */
  readonly boot: string;
  /** As far as it fits into a file name. */
  readonly host: string;
}

/** The process itself. */
export function thisHolder({ pid }: Processes): LockHolder {
  return { pid, started: processState(pid)?.started ?? '0', boot: bootId(), host: hostName() };
}

/** A file name that holds a holder, and that nobody else ever makes. */
export function nameOf({ pid, started, boot, host }: LockHolder): string {
  const ticket = randomBytes(6).toString('hex');
  return `${pid}-${started}-${boot}-${ticket}-${host}`;
}

/** The holder in such a name, or `undefined` if it is none. */
function holderIn(name: string): LockHolder | undefined {
  const [, pid, started, boot, host] = /^(\d+)-(\d+)-([0-9a-f]+)-[0-9a-f]+-(.*)$/.exec(name) ?? [];
  if (pid === undefined || started === undefined || boot === undefined || host === undefined)
    return undefined;
  return { pid: Number(pid), started, boot, host };
}

/** Whether a holder may still run. One on another machine may: only that machine could tell. */
function mayRun(holder: LockHolder, processes: Processes): boolean {
  const boot = bootId();
  if (holder.boot !== boot) return holder.host !== hostName();
  const state = processState(holder.pid);
  if (state === undefined) return answers(holder.pid, processes);
  return state.isAlive && state.started === holder.started;
}

function answers(pid: number, processes: Processes): boolean {
  try {
    return processes.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH'; // EPERM is one of another user
  }
}

/** From `/proc/PID/stat`; `undefined` of a process that does not exist, or a system that has no such file. */
function processState(pid: number): { readonly isAlive: boolean; readonly started: string } | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // The second field is the name of the program in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const started = fields[19];
  return started === undefined ? undefined : { isAlive: !/^[ZXx]$/.test(fields[0] ?? ''), started };
}

function bootId(): string {
  return textOf('/proc/sys/kernel/random/boot_id').slice(0, 8) || '0';
}

function hostName(): string {
  return hostname()
    .replace(/[^\w.-]/g, '_')
    .slice(0, 150);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

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
