import { lstatSync } from 'node:fs';
import { type FileHandle, lstat, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { keepFile } from '../bodies/revalidation.ts';
import type { Clock } from '../core/clock.ts';
import { openOwnFile } from '../core/own-file.ts';
import { errorCode, systemReason, toOutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';
import { decodeRecord } from '../model/record.ts';
import type { Result } from '../model/result.ts';
import { hasOtherRedirects, type UrlFilter } from '../model/url-filter.ts';
import type { Sink } from '../results/sink.ts';
import { type Hash64, JobHasher, type JobKey, type JobRequest } from './job-key.ts';
import { encodeLine, journalError, readHeader, sealLines } from './journal-format.ts';
import { JournalIndex, MAX_BLOCK } from './journal-index.ts';
import { BEAT_MS, JournalLock, type Processes } from './journal-lock.ts';
import { BLOCK_BYTES, type LoadedJournal, loadJournal, RecordReader } from './journal-reader.ts';
import { JournalWriter } from './journal-writer.ts';

export interface JournalOptions {
  /** What decides the verdict on a response: results of a run with other rules are not used. */
  readonly rules: string;
  /** Whether failures of earlier runs are kept instead of fetched again. */
  readonly keepFailed: boolean;
  /** Results that are older are not used, in ms. An age for failures keeps younger ones. */
  readonly maxAges?: { readonly ok: number | undefined; readonly failed: number | undefined } | undefined;
  /**
   * Called before a result of an earlier run is used, to check that its body is still there; false fetches the job
   * again.
   */
  readonly confirm?: ((result: Result) => boolean) | undefined;
  /** Whether files are refreshed: the URL of an earlier result is fetched again, unless an age says that it need not be. */
  readonly refreshes?: boolean;
  /** What the run leaves out: a result with other redirects than the run would follow is not used. */
  readonly filter?: UrlFilter | undefined;
  /** Reports damage, in whole sentences. */
  readonly warn: (message: string) => void;
  readonly clock: Clock;
  /** `process`, for the lock. */
  readonly processes: Processes;
  /** How often the lock is written, in ms. Default: `BEAT_MS`. */
  readonly beatMs?: number;
}

/** The part of the age of results in which they expire. */
const SPREAD = 0.2;

interface LockState {
  /** Whether another run has taken over the lock. */
  isLost: boolean;
}

interface OpenedJournal {
  readonly path: string;
  readonly file: FileHandle;
  readonly lock: JournalLock;
  readonly state: LockState;
  readonly seed: Hash64;
  readonly index: JournalIndex;
  readonly loaded: LoadedJournal;
}

/**
 * A file with one line per finished URL, so that a run that was killed can be continued by the next one.
 * - Must be the last sink: a line says that the result was written and its body saved.
 * - Jobs of two runs are the same if everything that decides their results is (see `JobHasher`), and equally many of the same
 *   were read before them. So lines of the list may be added, removed and moved.
 * - A kill loses the results of the last moments (see `JournalWriter`); they are fetched again.
 * - A job that was cut off by the end of the run has no line, since it is not finished.
 */
export class Journal implements Sink {
  /** The number of records that it had when it was opened. */
  readonly records: number;
  readonly #journal: OpenedJournal;
  readonly #options: JournalOptions;
  readonly #reader: RecordReader;
  readonly #writer: JournalWriter;
  readonly #hasher: JobHasher;
  /** The hashes of the lines that are not written yet, two words each. */
  readonly #pendingHashes: number[] = [];
  /** The keys of the jobs in flight, by the index of the job. */
  readonly #inFlight = new Map<number, JobKey>();

  private constructor(journal: OpenedJournal, options: JournalOptions) {
    const { path, file, seed, loaded } = journal;
    this.#journal = journal;
    this.#options = options;
    this.records = loaded.records;
    this.#reader = new RecordReader(file.fd, loaded.end);
    this.#hasher = new JobHasher(seed, options.rules);
    const seal = (batch: Buffer) => sealLines(batch, this.#pendingHashes.splice(0));
    this.#writer = new JournalWriter({ file, name: path, end: loaded.end, after: options.clock.after, seal });
  }

  /**
   * Opens or creates a journal, and locks it. Rejects with a `UsageError` if the file is not a journal or another run
   * uses it, and with an `OutputError` if it cannot be read or written.
   */
  static async open(path: string, options: JournalOptions): Promise<Journal> {
    const file = await openJournalFile(path);
    let lock: JournalLock | undefined;
    try {
      const state: LockState = { isLost: false };
      lock = await JournalLock.acquire(await realpath(path), options.processes, {
        onWait: options.warn,
        beatMs: options.beatMs ?? BEAT_MS,
        onLost: () => {
          state.isLost = true;
        },
      });
      const seed = await readHeader(file, path);
      const index = new JournalIndex();
      const loaded = await load(file, path, index, options.warn);
      return new Journal({ path, file, lock, state, seed, index, loaded }, options);
    } catch (error) {
      await file.close();
      await lock?.release();
      throw error;
    }
  }

  /**
   * Returns the result of an earlier run for a job, or `undefined` if the job must be fetched. Must be called once
   * for each job, in the order in which they are read, with what is sent first.
   */
  recall(job: Job, request: JobRequest): Result | undefined {
    // A file may be removed at any time, and is looked up for free.
    if (job.isLocal === true) return undefined;
    const key = { first: 0, second: 0, occurrence: 0 };
    this.#hasher.hash(job, request, key);
    const { occurrence, block, isOk } = this.#journal.index.next(key.first, key.second);
    key.occurrence = occurrence;
    const { keepFailed, maxAges, refreshes = false } = this.#options;
    const mayUse = isOk || keepFailed || maxAges?.failed !== undefined;
    if (block !== undefined && (mayUse || refreshes)) {
      const result = this.#toResult(job, this.#findRecord(block, key));
      const isDue = refreshes && (isOk ? maxAges?.ok === undefined : !mayUse);
      if (result !== undefined && !isDue && !this.#isExpired(result, key)) return result;
      if (result !== undefined && refreshes) keepFile(job, result);
    }
    this.#inFlight.set(job.index, key);
    return undefined;
  }

  /** A job always expires at the same part of the last fifth of the time, so that those of one run do not all expire at once. */
  #isExpired({ ok, startedAt }: Result, { first }: JobKey): boolean {
    const { maxAges, clock } = this.#options;
    const maxAge = ok ? maxAges?.ok : maxAges?.failed;
    if (maxAge === undefined) return false;
    const age = clock.now() - startedAt;
    return age < 0 || age >= maxAge * (1 - ((first >>> 0) / 2 ** 32) * SPREAD);
  }

  /** Appends a result, unless it came from the journal. */
  write(result: Result): void | Promise<void> {
    const key = this.#inFlight.get(result.index);
    if (key === undefined) return undefined;
    this.#inFlight.delete(result.index);
    if (isCutOff(result)) return undefined;
    this.#checkLock();
    this.#pendingHashes.push(key.first, key.second);
    return this.#writer.write(encodeLine(key.occurrence, result));
  }

  /** Waits until everything is on the disk, closes the file and releases the lock. */
  async end(): Promise<void> {
    const { file, lock } = this.#journal;
    try {
      this.#checkLock();
      await this.#writer.end();
    } finally {
      await file.close().catch(() => {});
      await lock.release();
    }
  }

  /** Writing on would damage what the other run writes. */
  #checkLock(): void {
    const { state, path } = this.#journal;
    if (state.isLost) throw toOutputError(path, new Error('another run has taken over the journal'));
  }

  #findRecord(block: number, key: JobKey): string | undefined {
    try {
      return this.#reader.find(block, key);
    } catch (error) {
      throw toOutputError(this.#journal.path, error, 'read');
    }
  }

  #toResult(job: Job, record: string | undefined): Result | undefined {
    if (record === undefined) return undefined;
    const result = decodeRecord(record);
    // Two URLs may have the same hash, though that is very unlikely.
    if ('broken' in result || result.url !== job.url) return undefined;
    if (this.#options.confirm?.(result) === false) return undefined;
    if (hasOtherRedirects(result, this.#options.filter)) return undefined;
    const { index, source, line, column, input, id } = job;
    // The comparison with the baseline is made anew in each run. Assigned, since a spread takes 10 µs.
    const ofThisRun = {
      index,
      source,
      line,
      column,
      input,
      id,
      baseline: undefined,
      badRuns: undefined,
      file: result.ok ? undefined : result.file,
      isResumed: true,
    };
    return Object.assign(result, ofThisRun);
  }
}

/** Whether the saved body of a finished URL is still there; if it was removed, the URL is fetched again. */
export function isBodySaved({ ok, method, body }: Result, directory: string): boolean {
  if (body?.path === undefined) return !ok || method === 'HEAD';
  const status = lstatSync(join(directory, body.path), { throwIfNoEntry: false });
  return status?.isFile() === true && status.size === body.bytes;
}

/** Opens or creates a regular file for reading and writing. Rejects with a `UsageError`. */
async function openJournalFile(path: string): Promise<FileHandle> {
  try {
    const status = await stat(path).catch(() => undefined); // opening the file reports any other error
    // Opening a device may have an effect on it.
    if (status !== undefined && !status.isFile()) throw new Error('it is not a regular file');
    if (status === undefined) await createJournalFile(path);
    return await openOwnFile(path, 'change', { follows: true });
  } catch (error) {
    throw journalError(path, systemReason(error));
  }
}

/** Creates an empty file, unless another run has just done so. A link to a file that does not exist is not followed. */
async function createJournalFile(path: string): Promise<void> {
  try {
    await (await openOwnFile(path, 'create', { mode: 0o600 })).close(); // URLs may contain secrets
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    if ((await lstat(path)).isSymbolicLink())
      throw new Error('it is a symbolic link to a file that does not exist');
  }
}

/** Loads the index, and removes an unfinished line at the end of the file. */
async function load(
  file: FileHandle,
  path: string,
  index: JournalIndex,
  warn: (message: string) => void,
): Promise<LoadedJournal> {
  const { size } = await file.stat();
  if (size > MAX_BLOCK * BLOCK_BYTES) throw journalError(path, 'it has over 128 GiB', 'start a new one');
  try {
    const loaded = await loadJournal(file, index, (message) =>
      warn(`cannot use all of the journal "${excerpt(path, 2000)}": ${message}`),
    );
    if (loaded.end < size) await file.truncate(loaded.end);
    return loaded;
  } catch (error) {
    throw toOutputError(path, error, 'read');
  }
}

/**
 * Whether the job is not finished: the end of the run stopped it before it had a result of its own, or it counts as OK though it
 * has no response.
 */
function isCutOff({ ok, status, failure }: Result): boolean {
  return (ok && status === undefined) || failure?.kind === 'aborted';
}
