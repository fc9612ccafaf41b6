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
import type { NameText } from './name-text.ts';
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
    const draft = draftOf(this.#shape, new NameFields(job, status, identity));
    const { directories, file, isExact, isCut } = draft;
    const { tells } = this.#shape;
    const isTold = tells === 'jobs' || (tells === 'urls' && isExact && isPlain(job.url, identity));
    const isWhole = !isCut && fits(file) && !MARK.test(file);
    return directories + (isTold && isWhole ? file : marked(file, `~${hashOf(identity)}`));
  }
}

/** A name in the making. */
class Draft {
  /** Each with a `/` behind it. */
  directories = '';
  file = '';
  /** Whether each part says what it was made of, save that some may be cut. */
  isExact = true;
  isCut = false;

  #isFull = false;

  add({ text, isExact }: NameText, name: string): void {
    const bytes = Buffer.byteLength(this.directories) + Buffer.byteLength(name) + 1;
    this.#isFull ||= bytes > MAX_NAME_BYTES - MAX_FILE_NAME_BYTES;
    if (!this.#isFull) this.directories += `${name}/`;
    this.isExact &&= isExact;
    this.isCut ||= this.#isFull || !name.startsWith(text);
  }
}

function draftOf({ plain, hasPath, mixed, file }: TemplateShape, fields: NameFields): Draft {
  const draft = new Draft();
  for (const part of plain) {
    const text = fields.fill(part);
    draft.add(text, asPlainDirectory(text.text));
  }
  if (hasPath) for (const text of fields.directories()) draft.add(text, asDirectory(text.text));
  for (const part of mixed) {
    const text = fields.fill(part);
    draft.add(text, asDirectory(text.text));
  }
  const { text, isExact } = fields.fill(file);
  draft.file = hasPath ? asFile(text) : text;
  draft.isExact &&= isExact && !(hasPath && looksMadeFile(text));
  return draft;
}

/** Whether the path and the host are all that makes the body what it is. */
function isPlain(url: string, identity: string): boolean {
  return identity === url && !url.includes('?') && !url.includes('#');
}
