import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as setTimer } from 'node:timers/promises';
import { readOwnFile } from '../core/own-file.ts';
import { errorCode, toOutputError, UsageError } from '../model/errors.ts';
import { excerpt } from '../model/printable.ts';
import { journalError } from './journal-format.ts';

/** Each failed attempt means that another run was faster. After this many, something else must be wrong. */
const MAX_ATTEMPTS = 100;

/** The errors of a rename whose target exists (EPERM on Windows), or whose source was renamed by another run. */
const LOST_RACE = new Set(['EEXIST', 'ENOTEMPTY', 'EPERM', 'ENOENT']);

/** How often the holder writes to its lock. */
export const BEAT_MS = 2000;

/** How long a lock must be unchanged until its holder, which cannot be looked up here, is taken for dead. */
const WATCH_MS = 15_000;

/** The longest contents of a lock that are read. */
const MAX_BEAT_BYTES = 100;

/** The part of `process` that the lock needs. */
export type Processes = Pick<NodeJS.Process, 'pid' | 'kill'>;

/**
 * The lock of a journal: `FILE.lock`, a directory with one file, whose name identifies the process that holds it. A
 * process that was killed frees it at once: the next one sees that the holder is dead.
 * - The directory is created under another name and renamed. A rename never replaces a directory that is not empty, so
 *   only one of several processes succeeds.
 * - The lock of a dead process is taken over by a rename of the file in it. Names are unique, so only one of several
 *   processes succeeds, and none removes the lock of another.
 * - A holder on another machine or in another container cannot be looked up: its host name and pid may be those of
 *   another process here. It is alive if it writes to its file, and taken for dead if it does not within 15 s. Clocks
 *   are not compared. The file is opened for each read and write, so that NFS shows what is new (close-to-open).
 * - A holder that was only suspended that long notices that its file is gone, and calls `onLost`.
 */
export class JournalLock {
  readonly #directory: string;
  readonly #entry: string;
  #beats = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#entry = join(directory, name);
  }

  /** Rejects with a `UsageError` that names the holder of the lock, or the reason why it cannot be created. */
  static async acquire(
    path: string,
    processes: Processes,
    { onWait = () => {}, onLost = () => {}, beatMs = BEAT_MS, watchMs = WATCH_MS }: LockOptions = {},
  ): Promise<JournalLock> {
    const directory = `${path}.lock`;
    const name = lockFileName(currentHolder(processes));
    const lock = new JournalLock(directory, name);
    const watch = (holder: LockHolder, entry: string) =>
      watchHolder(holder, entry, { onWait, beatMs, watchMs });
    const prepared = await prepareDirectory(directory, name);
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const isTaken = await tryRename(prepared, directory);
        const stale = isTaken ? undefined : await findStaleFile(directory, path, { processes, watch });
        if (isTaken || (stale !== undefined && (await tryRename(join(directory, stale), lock.#entry)))) {
          lock.#timer = setInterval(() => lock.#beat(onLost), beatMs).unref();
          return lock;
        }
      }
    } finally {
      await rm(prepared, { recursive: true, force: true });
    }
    throw lockedError(path, 'other runs take it again and again', directory);
  }

  /** Shows that the holder is alive. One write is in flight at a time. */
  #beat(onLost: () => void): void {
    this.#beats += 1;
    this.#beating ??= writeFile(this.#entry, String(this.#beats), { flag: 'r+' })
      .catch((error: unknown) => {
        if (errorCode(error) !== 'ENOENT') return; // the next beat may succeed
        clearInterval(this.#timer);
        onLost();
      })
      .finally(() => {
        this.#beating = undefined;
      });
  }

  /** Never rejects: a lock that cannot be removed is stale when this process ends. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await unlink(this.#entry).catch(() => {});
    await rmdir(this.#directory).catch(() => {}); // fails if another run holds the lock already
  }
}

interface LockOptions {
  /** Receives a sentence when the lock may be in use and is watched. */
  readonly onWait?: (message: string) => void;
  /** Called once when another run has taken over the lock, because this process did not run for too long. */
  readonly onLost?: () => void;
  readonly beatMs?: number;
  readonly watchMs?: number;
}

/** Resolves to whether the holder of a lock writes to its file within the time. */
async function watchHolder(
  { pid, host }: LockHolder,
  entry: string,
  { onWait, beatMs, watchMs }: Required<Omit<LockOptions, 'onLost'>>,
): Promise<boolean> {
  onWait(
    `waiting up to ${watchMs / 1000}s to see whether the run with pid ${pid} on ${host} still uses the journal`,
  );
  const first = await readBeat(entry);
  for (let waitedMs = 0; waitedMs < watchMs; waitedMs += beatMs / 2) {
    await setTimer(beatMs / 2);
    const beat = await readBeat(entry);
    if (beat === 'ENOENT') return false;
    if (beat !== first) return true;
  }
  return false;
}

/** The contents of the file of a lock, or the code of the error, `ENOENT` if the lock was released. */
async function readBeat(entry: string): Promise<string> {
  try {
    return (await readOwnFile(entry, MAX_BEAT_BYTES)).toString();
  } catch (error) {
    return `${errorCode(error)}`;
  }
}

async function prepareDirectory(directory: string, name: string): Promise<string> {
  try {
    const prepared = await mkdtemp(`${directory}-`);
    await writeFile(join(prepared, name), '');
    return prepared;
  } catch (error) {
    throw accessError(directory, error);
  }
}

/** Returns false if another run was faster. */
async function tryRename(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (LOST_RACE.has(errorCode(error) ?? '')) return false;
    throw accessError(to, error);
  }
}

/** Returns the file of a dead holder, or `undefined` if the lock is free now. Rejects if the holder may be running. */
async function findStaleFile(
  directory: string,
  path: string,
  {
    processes,
    watch,
  }: {
    readonly processes: Processes;
    readonly watch: (holder: LockHolder, entry: string) => Promise<boolean>;
  },
): Promise<string | undefined> {
  const [name] = await readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw accessError(directory, error);
  });
  if (name === undefined) {
    await rmdir(directory).catch(() => {}); // removes an empty directory only
    return undefined;
  }
  const holder = parseLockFileName(name);
  const isRunning = holder === undefined || isRunningHere(holder, processes);
  if (holder !== undefined && !(isRunning ?? (await watch(holder, join(directory, name))))) return name;
  const user = holder === undefined ? 'another program' : `the run with pid ${holder.pid} on ${holder.host}`;
  throw lockedError(path, `${user} is using it`, directory);
}

function lockedError(path: string, reason: string, directory: string): UsageError {
  const remedy = `wait until it has ended, or remove "${excerpt(directory, 2000)}" if it has`;
  return journalError(path, reason, remedy);
}

function accessError(path: string, cause: unknown): UsageError {
  return new UsageError(toOutputError(path, cause, 'lock').message, { cause });
}

/** A process that holds a lock. Pids are reused, so on Linux the start time and the boot identify it as well. */
interface LockHolder {
  readonly pid: number;
  /** Start time in clock ticks since the boot; `0` if the system does not report it. */
  readonly started: string;
  /** The start of the boot id of the kernel, and the number of the pid namespace; `0` if the system has none. */
  readonly boot: string;
  /** Shortened to what fits into a file name. */
  readonly host: string;
}

export function currentHolder({ pid }: Processes): LockHolder {
  return { pid, started: readProcess(pid)?.started ?? '0', boot: bootId(), host: hostName() };
}

/** A unique file name that identifies a holder. */
export function lockFileName({ pid, started, boot, host }: LockHolder): string {
  const unique = randomBytes(6).toString('hex');
  return `${pid}-${started}-${boot}-${unique}-${host}`;
}

function parseLockFileName(name: string): LockHolder | undefined {
  const match = /^(\d+)-(\d+)-([0-9a-f]+)-[0-9a-f]+-(.*)$/.exec(name);
  if (match === null) return undefined;
  const [, pid = '', started = '', boot = '', host = ''] = match;
  return { pid: Number(pid), started, boot, host };
}

/** Whether the process runs on this machine and in this container; `undefined` if it was started elsewhere, or before a reboot. */
function isRunningHere(holder: LockHolder, processes: Processes): boolean | undefined {
  if (!isFromHere(holder, { boot: bootId(), host: hostName() })) return undefined;
  const found = readProcess(holder.pid);
  if (found === undefined) return acceptsSignals(holder.pid, processes);
  return found.isAlive && found.started === holder.started;
}

/** Whether the process was started on this machine, since its boot, in this container. The host decides if the system has no id of its boot. */
export function isFromHere(
  { boot, host }: Pick<LockHolder, 'boot' | 'host'>,
  here: Pick<LockHolder, 'boot' | 'host'>,
): boolean {
  return boot === here.boot && (boot !== '0' || host === here.host);
}

function acceptsSignals(pid: number, processes: Processes): boolean {
  try {
    return processes.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH'; // EPERM: the process of another user
  }
}

/** Reads `/proc/PID/stat`. Returns `undefined` if there is no such process, or no such file on this system. */
function readProcess(pid: number): { readonly isAlive: boolean; readonly started: string } | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field is the name of the program in parentheses, which may contain anything. Z, X and x are dead processes.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const started = fields[19];
  return started === undefined ? undefined : { isAlive: !/^[ZXx]$/.test(fields[0] ?? ''), started };
}

function bootId(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id').slice(0, 8);
  return boot === '' ? '0' : `${boot}${pidNamespace()}`;
}

/** Containers on one kernel have the same boot id, but pids of their own. */
function pidNamespace(): string {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0).toString(16);
  } catch {
    return '';
  }
}

function hostName(): string {
  return hostname()
    .replace(/[^\w.-]/g, '_')
    .slice(0, 150);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
