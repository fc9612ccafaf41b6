import { MAX_FILE_NAME_BYTES, MAX_NAME_BYTES } from '../model/file-name.ts';
import type { Job } from '../model/job.ts';
import type { NameTemplate } from '../model/name-template.ts';
import {
  asDirectory,
  asFile,
  asPlainDirectory,
  fits,
  looksMadeFile,
  MARK,
  marked,
} from './file-and-directory.ts';
import { hashOf, identityOf } from './identity.ts';
import { NameFields } from './name-fields.ts';
import { shapeOf, type TemplateShape } from './template-shape.ts';

export interface NameMakerOptions {
  readonly template: NameTemplate;
  /** Method of a job that names none and has no body. */
  readonly defaultMethod: string;
}

/**
 * Gives each job the name of the file that its body is saved in, relative to some directory, with `/` between its parts.
 *
 * A name depends on the job alone, not on other jobs or on what is on the disk, and two different URLs never have the
 * same one, also where the case of letters does not count: as soon as something that tells jobs apart is missing from
 * a name, `~` and digits of a hash over all of it come before the extension; and so they do in a name that looks as if
 * they had. What a job says in `save` is taken as it is.
 */
export class NameMaker {
  readonly #shape: TemplateShape;
  readonly #defaultMethod: string;

  constructor(options: NameMakerOptions) {
    this.#shape = shapeOf(options.template);
    this.#defaultMethod = options.defaultMethod;
  }

  /** @param status of the answer, for templates that have it */
  nameOf(job: Job, status: number): string {
    if (job.save !== undefined) return job.save;
    const identity = identityOf(job, this.#defaultMethod);
    const { directories, file, isExact, isCut } = draftOf(this.#shape, new NameFields(job, status, identity));
    const { tells } = this.#shape;
    const isTold = tells === 'jobs' || (tells === 'urls' && isExact && isPlain(job.url, identity));
    const isWhole = !isCut && fits(file) && !MARK.test(file);
    const name = isTold && isWhole ? file : marked(file, `~${hashOf(identity)}`);
    return directories.length === 0 ? name : `${directories.join('/')}/${name}`;
  }
}

interface Draft {
  readonly directories: readonly string[];
  readonly file: string;
  /** Whether each part says what it was made of, save that some may be cut. */
  readonly isExact: boolean;
  readonly isCut: boolean;
}

function draftOf({ before, fromPath }: TemplateShape, fields: NameFields): Draft {
  const hasPath = fromPath.length > 0;
  const plain = before.map((part) => fields.fill(part));
  const mixed = hasPath ? [...fields.directories(), ...fromPath.map((part) => fields.fill(part))] : [];
  const isExact = [...plain, ...mixed].every((part) => part.isExact);
  const last = (hasPath ? mixed : plain).pop()?.text ?? '_';
  const file = hasPath ? asFile(last) : last;
  const directories = [
    ...plain.map(({ text }) => asPlainDirectory(text)),
    ...mixed.map(({ text }) => asDirectory(text)),
  ];
  const isCut = [...plain, ...mixed].some(({ text }, index) => directories[index]?.startsWith(text) !== true);
  const kept = fitting(directories, MAX_NAME_BYTES - MAX_FILE_NAME_BYTES);
  return {
    directories: kept,
    file,
    isExact: isExact && !(hasPath && looksMadeFile(last)),
    isCut: isCut || kept.length < directories.length,
  };
}

/** As many directories, from the first on, as fit into so many bytes. */
function fitting(directories: readonly string[], maxBytes: number): readonly string[] {
  let bytes = 0;
  const tooMany = directories.findIndex((name) => {
    bytes += Buffer.byteLength(name) + 1;
    return bytes > maxBytes;
  });
  return tooMany === -1 ? directories : directories.slice(0, tooMany);
}

/** Whether the path and the host are all that makes the body what it is. */
function isPlain(url: string, identity: string): boolean {
  return identity === url && !url.includes('?') && !url.includes('#');
}
