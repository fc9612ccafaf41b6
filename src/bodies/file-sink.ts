import { createHash, type Hash, hash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { OutputError } from '../model/errors.ts';
import type { Job, KeptFile } from '../model/job.ts';
import type { KeptBody, ResponseHeaders } from '../model/result.ts';
import { BodyError, type BodySink, writeError } from './body-sink.ts';
import type { FileNamer } from './file-name-template.ts';
import { PartialFile } from './partial-file.ts';
import {
  encodeResumeRecord,
  openResumePoint,
  type PartialBody,
  type ResumePoint,
  readResumeRecord,
  toResumeRecord,
} from './resume.ts';
import { isUntouched, validatorsOf } from './revalidation.ts';
import type { SaveDirectory } from './save-directory.ts';

/** Longest first piece that is copied instead of hashed, in bytes. */
const MAX_COPIED_BYTES = 16 * 1024;

/** The disk is full or read-only, so that no other body can be written either. */
const UNWRITABLE_DISK: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

interface FileSaverOptions {
  readonly directory: SaveDirectory;
  readonly namer: FileNamer;
  /** Whether to save the bodies of failed responses, too. */
  readonly saveAll: boolean;
  /** Whether to resume interrupted downloads. */
  readonly resumePartial: boolean;
  /** Whether to compute the SHA-256 of each body. */
  readonly checksums: boolean;
  /** Called when no more bodies can be saved. */
  readonly onUnwritable: (error: OutputError) => void;
}

/** The request whose response body is saved. */
export interface SaveRequest {
  readonly job: Job;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

/** `--save-dir`: finds the file of each job and creates the sink that writes it. */
export class FileSaver {
  readonly #options: FileSaverOptions;

  constructor(options: FileSaverOptions) {
    this.#options = options;
  }

  get saveAll(): boolean {
    return this.#options.saveAll;
  }

  /** Finds the partial file that an earlier attempt or run left. Returns `undefined` at once if there cannot be one. */
  findPartial(request: SaveRequest): Promise<ResumePoint | undefined> | undefined {
    const { resumePartial, directory, namer } = this.#options;
    if (!resumePartial || request.method !== 'GET') return undefined;
    if (request.body !== undefined || 'range' in request.headers) return undefined;
    return this.#findPartial(new PartialFile(directory, namer.partialNameFor(request.job)), request.url);
  }

  /**
   * Finds the file of an earlier run, if it is there with the bytes of its record, and under the name that it would get now.
   * Returns `undefined` at once if there cannot be one.
   */
  findKept({ job, method, body }: SaveRequest): Promise<KeptFile | undefined> | undefined {
    const { kept } = job;
    if (kept === undefined || method !== 'GET' || body !== undefined) return undefined;
    const { directory, namer } = this.#options;
    // Otherwise the path of a record could lead out of the directory.
    if (!namer.candidatesFor(job).includes(kept.path)) return undefined;
    const checked = isUntouched(directory.pathOf(kept.path), kept, job.expect?.sha256);
    return checked.then((isSame) => (isSame ? kept : undefined));
  }

  async #findPartial(file: PartialFile, url: string): Promise<ResumePoint | undefined> {
    const record = await readResumeRecord(file, url);
    if (record === undefined) {
      file.release();
      return undefined;
    }
    const point = await openResumePoint(file, record);
    if (point === undefined) await file.discard();
    return point;
  }

  /** Creates the sink for a body that arrives from its start, and that must have `expectedBytes` if they are known. */
  create(request: SaveRequest, status: number, headers: ResponseHeaders, expectedBytes?: number): BodySink {
    const { resumePartial, directory, namer } = this.#options;
    const name = namer.fileNameFor(request.job, status, headers['content-type']);
    const record = resumePartial ? toResumeRecord(request.url, status, headers) : undefined;
    const partialName = resumePartial ? namer.partialNameFor(request.job) : name;
    const file = new PartialFile(directory, partialName, resumePartial && status >= 300);
    return this.#createSink(file, name, headers, {
      resumeRecord: record === undefined ? undefined : encodeResumeRecord(record),
      expectedBytes,
    });
  }

  /** Creates the sink for the rest of a partial body. */
  resume(
    request: SaveRequest,
    { file, contentType }: ResumePoint,
    partial: PartialBody,
    headers: ResponseHeaders,
  ): BodySink {
    const name = this.#options.namer.fileNameFor(request.job, 200, contentType);
    return this.#createSink(file, name, headers, { partial, expectedBytes: partial.totalBytes });
  }

  #createSink(
    file: PartialFile,
    name: string,
    headers: ResponseHeaders,
    rest: Pick<FileSinkOptions, 'resumeRecord' | 'partial' | 'expectedBytes'>,
  ): BodySink {
    const { saveAll, checksums } = this.#options;
    const onWriteError = (error: BodyError) => this.#checkDirectory(error);
    const validators = validatorsOf(headers);
    return new FileSink({ file, name, saveAll, checksums, onWriteError, validators, ...rest });
  }

  /** Checks whether an error concerns only its body or all bodies. */
  #checkDirectory(failure: BodyError): void {
    const { directory, onUnwritable } = this.#options;
    let error = failure;
    if (!UNWRITABLE_DISK.has(failure.code)) {
      try {
        directory.probe();
        return;
      } catch (cause) {
        error = cause as BodyError; // `probe` throws nothing else
      }
    }
    onUnwritable(
      new OutputError(`${error.message}; stopping, since no more bodies can be saved`, { cause: error }),
    );
  }
}

/** The file of an earlier run for the body of a job, under any name that this body may have; `undefined` if there is none. */
export function findExisting(namer: FileNamer, root: string, job: Job): KeptBody | undefined {
  for (const path of namer.candidatesFor(job)) {
    const status = lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
    if (status?.isFile()) return { path, bytes: status.size };
  }
  return undefined;
}

interface FileSinkOptions {
  readonly file: PartialFile;
  /** The final name, relative to the save directory. */
  readonly name: string;
  /** Whether to keep the body of a failed response, too. */
  readonly saveAll: boolean;
  /** Whether to compute the SHA-256. */
  readonly checksums: boolean;
  /** The validators of the response. */
  readonly validators: ReturnType<typeof validatorsOf>;
  /** The record written beside the file, by which the download can be resumed. */
  readonly resumeRecord?: string | undefined;
  /** The part of the body that is in the file already. */
  readonly partial?: PartialBody | undefined;
  /** Length of the whole body, if it is known. */
  readonly expectedBytes?: number | undefined;
  /** Called for each error of the file system. */
  readonly onWriteError: (error: BodyError) => void;
}

/** Writes a body to a file as it arrives, and asks the reader of the body to wait for a slow disk. */
class FileSink implements BodySink {
  readonly #options: FileSinkOptions;
  readonly #hash: BodyHash | undefined;
  #bytes: number;
  #isOpen: boolean;
  #isDone = false;
  #failure: BodyError | undefined;
  #dropped: Promise<void> | undefined;

  constructor(options: FileSinkOptions) {
    this.#options = options;
    this.#hash = options.checksums ? new BodyHash(options.partial?.hash) : undefined;
    this.#bytes = options.partial?.bytes ?? 0;
    this.#isOpen = options.partial !== undefined;
  }

  write(piece: Buffer): Promise<void> | undefined {
    if (this.#isDone) return undefined;
    this.#open();
    this.#hash?.update(piece);
    this.#bytes += piece.length;
    const written = this.#options.file.write(piece);
    return written?.catch((error: unknown) => {
      throw this.#fail(error);
    });
  }

  async end(isOk: boolean, isWhole: boolean): Promise<KeptBody | undefined> {
    const { file, name, saveAll, expectedBytes } = this.#options;
    if (this.#isDone || (!isOk && !(saveAll && isWhole))) {
      await this.drop(false);
      return undefined;
    }
    if (!isWhole) {
      await this.drop(false);
      throw new BodyError('size', undefined, 'the body is larger than --max-size');
    }
    if (expectedBytes !== undefined && expectedBytes !== this.#bytes) {
      await this.drop(false);
      throw new BodyError('protocol', undefined, 'the resumed body has the wrong length');
    }
    try {
      this.#open();
      await file.commit(name);
    } catch (error) {
      const failure = this.#fail(error);
      await this.#dropped;
      throw failure;
    }
    this.#isDone = true;
    return { path: name, bytes: this.#bytes, sha256: this.#hash?.hex(), ...this.#options.validators };
  }

  drop(isInterrupted: boolean): Promise<void> | undefined {
    if (this.#isDone) return this.#dropped;
    this.#isDone = true;
    const { file } = this.#options;
    if (isInterrupted && this.#bytes > 0) this.#dropped = file.keep();
    else if (this.#isOpen) this.#dropped = file.discard();
    else file.release();
    return this.#dropped;
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#options.file.create(this.#options.resumeRecord);
  }

  #fail(error: unknown): BodyError {
    if (this.#failure !== undefined) return this.#failure;
    const { name, onWriteError } = this.#options;
    this.#failure = error instanceof BodyError ? error : writeError(name, error);
    this.drop(true); // what is on the disk is correct, and may be resumed when there is room again
    onWriteError(this.#failure);
    return this.#failure;
  }
}

/** The SHA-256 of a body. A body of one piece is hashed in one call, since creating a hash object costs more than the hash. */
export class BodyHash {
  #hash: Hash | undefined;
  #first: Buffer | undefined;

  /** @param hash of the start of the body, if that was hashed before */
  constructor(hash?: Hash) {
    this.#hash = hash;
  }

  /** Keeps a copy of the first piece until there is another. */
  update(piece: Buffer): void {
    if (this.#hash !== undefined) this.#hash.update(piece);
    else if (this.#first === undefined && piece.length <= MAX_COPIED_BYTES) this.#first = Buffer.from(piece);
    else if (this.#first === undefined) this.#hash = createHash('sha256').update(piece);
    else {
      this.#hash = createHash('sha256').update(this.#first).update(piece);
      this.#first = undefined;
    }
  }

  /** The hash in lower-case hex. Call once. */
  hex(): string {
    return this.#hash === undefined
      ? hash('sha256', this.#first ?? Buffer.alloc(0), 'hex')
      : this.#hash.digest('hex');
  }
}
