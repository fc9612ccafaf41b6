import { createHash, type Hash, hash } from 'node:crypto';
import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { KeptBody } from '../model/result.ts';
import { BodyError, type BodySink, writeError } from './body-sink.ts';
import type { FileNamer } from './file-name-template.ts';
import { PartFile } from './partial-file.ts';
import {
  type BodyStart,
  encodeResumeRecord,
  findRecord,
  type Headers,
  type ResumePoint,
  resumePoint,
  resumeRecord,
} from './resume.ts';
import type { SaveDirectory } from './save-directory.ts';

const NOTHING = Buffer.alloc(0);
const MAX_COPIED_BYTES = 16 * 1024;

/** The SHA-256 of a body. Most come in one piece, for which no object of OpenSSL is made: it costs more than the hash. */
export class BodyHash {
  #hash: Hash | undefined;
  #first: Buffer | undefined;

  /** @param start of the body, if the beginning of it was hashed before */
  constructor(start?: Hash) {
    this.#hash = start;
  }

  /** Holds a copy of the first piece until there is another. */
  update(piece: Buffer): void {
    if (this.#hash !== undefined) this.#hash.update(piece);
    else if (this.#first === undefined && piece.length <= MAX_COPIED_BYTES) this.#first = Buffer.from(piece);
    else if (this.#first === undefined) this.#hash = createHash('sha256').update(piece);
    else {
      this.#hash = createHash('sha256').update(this.#first).update(piece);
      this.#first = undefined;
    }
  }

  /** In lower-case hex, once. */
  hex(): string {
    return this.#hash === undefined
      ? hash('sha256', this.#first ?? NOTHING, 'hex')
      : this.#hash.digest('hex');
  }
}

interface FileSinkOptions {
  readonly part: PartFile;
  /** The final name, relative to the directory that bodies are saved in. */
  readonly name: string;
  /** Whether the body of an answer that is not OK is kept, too. */
  readonly keepsFailed: boolean;
  /** Whether its SHA-256 is told. */
  readonly hashes: boolean;
  /** What is written beside the file so that it can be gone on with. */
  readonly record: string | undefined;
  /** What of the body is in the file already. */
  readonly start?: BodyStart | undefined;
  /** Told of each error of the file system. */
  readonly onWriteError: (error: BodyError) => void;
}

/** `--save-dir`: writes a body to a file as it comes. Writing waits for the disk, and so does all that comes after. */
class FileSink implements BodySink {
  readonly #options: FileSinkOptions;
  readonly #hash: BodyHash | undefined;
  #bytes: number;
  #isOpen: boolean;
  #isOver = false;

  constructor(options: FileSinkOptions) {
    this.#options = options;
    this.#hash = options.hashes ? new BodyHash(options.start?.hash) : undefined;
    this.#bytes = options.start?.bytes ?? 0;
    this.#isOpen = options.start !== undefined;
  }

  write(piece: Buffer): void {
    if (this.#isOver) return;
    const { part } = this.#options;
    this.#attempt(() => {
      this.#open();
      part.write(piece);
    });
    this.#hash?.update(piece);
    this.#bytes += piece.length;
  }

  end(isOk: boolean, isWhole: boolean): KeptBody | undefined {
    const { part, name, keepsFailed, start } = this.#options;
    if (this.#isOver) return undefined;
    if (!isOk && !(keepsFailed && isWhole)) {
      this.drop(false);
      return undefined;
    }
    if (!isWhole) {
      this.drop(false);
      throw new BodyError('size', undefined, 'the body is larger than --max-size');
    }
    if (start?.totalBytes !== undefined && start.totalBytes !== this.#bytes) {
      this.drop(false);
      throw new BodyError('protocol', undefined, 'the parts of the body are not as long as the whole');
    }
    this.#attempt(() => {
      this.#open();
      part.commit();
    });
    this.#isOver = true;
    return { path: name, bytes: this.#bytes, sha256: this.#hash?.hex() };
  }

  drop(isBrokenOff: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { part } = this.#options;
    if (isBrokenOff && this.#bytes > 0) part.leave();
    else part.discard();
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#options.part.create(this.#options.record);
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.drop(true); // what is on the disk is right, and with more room may be gone on with
      const { name, onWriteError } = this.#options;
      const failure = error instanceof BodyError ? error : writeError(name, error);
      onWriteError(failure);
      throw failure;
    }
  }
}

interface FileSaverOptions {
  readonly directory: SaveDirectory;
  readonly names: FileNamer;
  /** Whether the bodies of answers that are not OK are saved, too. */
  readonly keepsFailed: boolean;
  /** Whether a body that broke off is gone on with. */
  readonly resumes: boolean;
  /** Whether a saved body has its SHA-256. */
  readonly hashes: boolean;
  /** Called when no body can be saved any more. */
  readonly onUnwritable: (error: OutputError) => void;
}

/** One request, as far as it says whose body its answer has. */
export interface SaveRequest {
  readonly job: Job;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

// The disk is full, or may only be read; whatever is tried next ends the same way.
const FULL: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** `--save-dir`: knows the file of each job, and gives what writes it. */
export class FileSaver {
  readonly #options: FileSaverOptions;

  constructor(options: FileSaverOptions) {
    this.#options = options;
  }

  get keepsFailed(): boolean {
    return this.#options.keepsFailed;
  }

  /** The beginning that an earlier attempt or run has left; `undefined` at once for nearly all. */
  find(asked: SaveRequest): Promise<ResumePoint | undefined> | undefined {
    const { resumes, directory, names } = this.#options;
    if (!resumes || asked.method !== 'GET' || asked.body !== undefined || 'range' in asked.headers)
      return undefined;
    const part = new PartFile(directory, names.nameOf(asked.job, 0));
    const record = findRecord(part, asked.url);
    const found = record === undefined ? undefined : resumePoint(part, record);
    if (found === undefined) part.discard();
    return found?.then((point) => {
      if (point === undefined) part.discard();
      return point;
    });
  }

  /** What takes the body of an answer from its beginning. */
  begin(asked: SaveRequest, status: number, headers: Headers): BodySink {
    const { resumes, directory, names } = this.#options;
    const name = names.nameOf(asked.job, status);
    const record = resumes ? resumeRecord(asked.url, status, headers) : undefined;
    return this.#take(new PartFile(directory, name), name, {
      record: record === undefined ? undefined : encodeResumeRecord(record),
    });
  }

  /** What takes the rest of a body. */
  goOn(asked: SaveRequest, { part }: ResumePoint, start: BodyStart): BodySink {
    return this.#take(part, this.#options.names.nameOf(asked.job, 0), { record: undefined, start });
  }

  #take(part: PartFile, name: string, rest: Pick<FileSinkOptions, 'record' | 'start'>): FileSink {
    const { keepsFailed, hashes } = this.#options;
    const onWriteError = (error: BodyError) => this.#look(error);
    return new FileSink({ part, name, keepsFailed, hashes, ...rest, onWriteError });
  }

  /** Looks whether it is this body alone that cannot be written. */
  #look(failure: BodyError): void {
    const { directory, onUnwritable } = this.#options;
    let error = failure;
    if (!FULL.has(failure.code)) {
      try {
        directory.probe();
        return;
      } catch (fault) {
        error = fault as BodyError; // `probe` throws nothing else
      }
    }
    onUnwritable(new OutputError(`${error.message}; no body can be saved any more`, { cause: error }));
  }
}
