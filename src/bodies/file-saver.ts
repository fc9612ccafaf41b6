import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { BodyError } from './body-error.ts';
import { type BodyStart, FileTaker, type FileTakerOptions } from './file-taker.ts';
import type { NameMaker } from './name-maker.ts';
import { PartFile } from './part-file.ts';
import { findRecord, type ResumePoint, resumePoint } from './resume-point.ts';
import { encodeResumeRecord, type Headers, resumeRecord } from './resume-record.ts';
import type { SaveDirectory } from './save-directory.ts';
import type { BodyTaker } from './taker.ts';

export interface FileSaverOptions {
  readonly directory: SaveDirectory;
  readonly names: NameMaker;
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
export interface Asked {
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
  find(asked: Asked): Promise<ResumePoint | undefined> | undefined {
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
  begin(asked: Asked, status: number, headers: Headers): BodyTaker {
    const { resumes, directory, names } = this.#options;
    const name = names.nameOf(asked.job, status);
    const record = resumes ? resumeRecord(asked.url, status, headers) : undefined;
    return this.#take(new PartFile(directory, name), name, {
      record: record === undefined ? undefined : encodeResumeRecord(record),
    });
  }

  /** What takes the rest of a body. */
  goOn(asked: Asked, { part }: ResumePoint, start: BodyStart): BodyTaker {
    return this.#take(part, this.#options.names.nameOf(asked.job, 0), { record: undefined, start });
  }

  #take(part: PartFile, name: string, rest: Pick<FileTakerOptions, 'record' | 'start'>): FileTaker {
    const { keepsFailed, hashes } = this.#options;
    const onWriteError = (error: BodyError) => this.#look(error);
    return new FileTaker({ part, name, keepsFailed, hashes, ...rest, onWriteError });
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
