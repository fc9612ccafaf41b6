import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { outputError, systemReason } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { decodeRecord } from '../model/record.ts';
import type { Result } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { type Identity, KeyMaker, type Words } from './job-key.ts';
import { journalFault, openLine, readHeader, sealLines } from './journal-format.ts';
import { JournalIndex, MAX_PLACE } from './journal-index.ts';
import { JournalLock, type Processes } from './journal-lock.ts';
import { BYTES_PER_PLACE, type Loaded, loadJournal, RecordReader } from './journal-reader.ts';
import { type After, JournalWriter } from './journal-writer.ts';

/** Opens a regular file for reading and writing, and makes it if there is none. Rejects with a UsageError. */
async function openJournalFile(path: string): Promise<FileHandle> {
  try {
    const found = await stat(path).catch(() => undefined); // if there is more wrong with it, opening it says what
    // Opening a pipe or a device may do something to it, or wait for ever.
    if (found !== undefined && !found.isFile()) throw journalFault(path, 'it is not a regular file');
    return await open(path, constants.O_RDWR | constants.O_CREAT);
  } catch (error) {
    throw error instanceof Error && 'code' in error ? journalFault(path, systemReason(error)) : error;
  }
}

export interface JournalOptions {
  /** Whether a failure of an earlier run stands, in place of being fetched again. */
  readonly keepFailed: boolean;
  /** Asked before a result of an earlier run is used, such as whether its body is still there; false fetches it again. */
  readonly confirm?: ((result: Result) => boolean) | undefined;
  /** Told of damage, in whole sentences. */
  readonly warn: (message: string) => void;
  readonly after: After;
  /** `process`, for the lock. */
  readonly processes: Processes;
}

interface Parts {
  readonly file: FileHandle;
  readonly path: string;
  readonly lock: JournalLock;
  readonly index: JournalIndex;
  readonly loaded: Loaded;
  readonly seed: Words;
}

/**
 * A file that gets a line for each finished URL, so that a run which was killed goes on where it stopped.
 * - It belongs behind every other sink: a line says that the result is written and its body in its place.
 * - A job is the same in each run when its method, URL and body are, and as many of the same were read before it. So lines
 *   of the list may come, go and move.
 * - After a kill the journal holds all but what finished in its last moments (see `JournalWriter`); that is fetched again.
 * - A job that was cut off by the end of the run has no line, since it is not finished.
 */
export class Journal implements Sink {
  /** Records that were found in it. */
  readonly records: number;
  readonly #options: JournalOptions;
  readonly #parts: Parts;
  readonly #reader: RecordReader;
  readonly #writer: JournalWriter;
  readonly #keys: KeyMaker;
  /** The keys of the lines that are not written yet, two words each. */
  readonly #unsealed: number[] = [];
  /** The jobs under way, by their index. */
  readonly #underWay = new Map<number, Identity>();

  private constructor(parts: Parts, options: JournalOptions) {
    const { file, path, loaded } = parts;
    this.#parts = parts;
    this.#options = options;
    this.records = loaded.records;
    this.#reader = new RecordReader(file.fd, loaded.end);
    this.#keys = new KeyMaker(parts.seed);
    const seal = (batch: Buffer) => sealLines(batch, this.#unsealed.splice(0));
    this.#writer = new JournalWriter({ file, name: path, end: loaded.end, after: options.after, seal });
  }

  /**
   * Opens a journal or makes a new one, and locks it. Rejects with a UsageError when the file is none or another run uses
   * it, and with an OutputError when it cannot be read or written.
   */
  static async open(path: string, options: JournalOptions): Promise<Journal> {
    const file = await openJournalFile(path);
    let lock: JournalLock | undefined;
    try {
      lock = await JournalLock.take(await realpath(path), options.processes);
      const seed = await readHeader(file, path);
      const index = new JournalIndex();
      const loaded = await load(file, path, index, options.warn);
      return new Journal({ file, path, lock, index, loaded, seed }, options);
    } catch (error) {
      await file.close();
      await lock?.release();
      throw error;
    }
  }

  /**
   * The result that an earlier run has given for a job, as that of this job; `undefined` when it is to be fetched. To be
   * called once for each job, in the order in which they are read, with what is sent: the method and the body may be
   * those of the whole run.
   */
  recall(job: Job, method: string, body: string | Uint8Array | undefined): Result | undefined {
    const identity = { first: 0, second: 0, n: 0 };
    this.#keys.keyOf(method, job.url, body, identity);
    const { n, place, isOk } = this.#parts.index.read(identity.first, identity.second);
    identity.n = n;
    if (place !== undefined && (isOk || this.#options.keepFailed)) {
      const result = this.#resultOf(job, this.#find(place, identity));
      if (result !== undefined) return result;
    }
    this.#underWay.set(job.index, identity);
    return undefined;
  }

  /** Appends a result, unless it came from the journal. */
  write(result: Result): void | Promise<void> {
    const identity = this.#underWay.get(result.index);
    if (identity === undefined) return undefined;
    this.#underWay.delete(result.index);
    if (isCutOff(result)) return undefined;
    this.#unsealed.push(identity.first, identity.second);
    return this.#writer.write(openLine(identity.n, result));
  }

  /** Waits until all is on the disk, and lets go of the file and its lock. */
  async end(): Promise<void> {
    const { file, lock } = this.#parts;
    try {
      await this.#writer.end();
    } finally {
      await file.close().catch(() => {});
      await lock.release();
    }
  }

  #find(place: number, identity: Identity): string | undefined {
    try {
      return this.#reader.find(place, identity);
    } catch (error) {
      throw outputError(this.#parts.path, error, 'read');
    }
  }

  #resultOf(job: Job, record: string | undefined): Result | undefined {
    if (record === undefined) return undefined;
    const result = decodeRecord(record);
    // Two URLs may share a key, though it is next to impossible.
    if ('broken' in result || result.url !== job.url) return undefined;
    if (this.#options.confirm?.(result) === false) return undefined;
    const { index, source, line, id } = job;
    // What the baseline of that run said is not what that of this one says. Assigned, since a spread takes 10 µs.
    const asOfNow = { index, source, line, id, baseline: undefined, badRuns: undefined, isResumed: true };
    return Object.assign(result, asOfNow);
  }
}

async function load(
  file: FileHandle,
  path: string,
  index: JournalIndex,
  warn: (message: string) => void,
): Promise<Loaded> {
  const { size } = await file.stat();
  if (size > MAX_PLACE * BYTES_PER_PLACE) throw journalFault(path, 'it has over 128 GiB', 'start a new one');
  const named = (message: string) =>
    warn(`Cannot use all of the journal ${JSON.stringify(path)}: ${message}`);
  try {
    const loaded = await loadJournal(file, index, named);
    if (loaded.end < size) await file.truncate(loaded.end);
    return loaded;
  } catch (error) {
    throw outputError(path, error, 'read');
  }
}

/** Whether the end of the run ended it, and not what the server did. */
function isCutOff({ failure }: Result): boolean {
  return failure?.kind === 'aborted' || failure?.code === 'ERR_DEADLINE';
}
