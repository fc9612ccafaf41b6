import type { Job, NameField, NamePart, NameTemplate } from '../model/job.ts';
import { MAX_FILE_NAME_BYTES, MAX_NAME_BYTES } from '../model/safe-name.ts';
import {
  asFile,
  bodyKey,
  directoryName,
  fits,
  hasBodySuffix,
  hashOf,
  MARK,
  marked,
  NameFields,
  type NameText,
  plainDirectoryName,
} from './file-name.ts';

/** A template cut into the parts of a name. */
interface TemplateShape {
  /** Directories before the path. */
  readonly plain: readonly NameTemplate[];
  readonly hasPath: boolean;
  /** Directories behind those of the path. */
  readonly mixed: readonly NameTemplate[];
  readonly file: NameTemplate;
  /** What its names tell apart by themselves: every two jobs, all that a plain URL says, or less. */
  readonly tells: 'jobs' | 'urls' | 'less';
}

// As long in each name.
const FIXED: ReadonlySet<NameField> = new Set(['hash', 'status']);

/** Cuts a template at each `/`; a path brings its own. */
function shapeOf(template: NameTemplate): TemplateShape {
  const path = template.findIndex((part) => 'field' in part && part.field === 'path');
  const before = partsOf(path === -1 ? template : template.slice(0, path));
  const fromPath = path === -1 ? [] : partsOf(template.slice(path));
  // The path starts with a `/` of its own.
  if (path !== -1 && before.at(-1)?.length === 0) before.pop();
  const tells = tellsOf(template, [...before, ...fromPath]);
  const file = (path === -1 ? before : fromPath).pop() ?? [];
  return { plain: before, hasPath: path !== -1, mixed: fromPath, file, tells };
}

function partsOf(template: NameTemplate): NamePart[][] {
  const parts: NamePart[][] = [[]];
  for (const piece of template) {
    if ('field' in piece) parts.at(-1)?.push(piece);
    else {
      for (const [index, text] of piece.text.split('/').entries()) {
        if (index > 0) parts.push([]);
        if (text !== '') parts.at(-1)?.push({ text });
      }
    }
  }
  return parts;
}

function tellsOf(template: NameTemplate, parts: readonly NameTemplate[]): TemplateShape['tells'] {
  const has = (part: NameTemplate, field: NameField) =>
    part.some((piece) => 'field' in piece && piece.field === field);
  const decisive = parts.find((part) => has(part, 'index') || has(part, 'hash'));
  if (decisive !== undefined && isReadable(decisive)) return 'jobs';
  if (!has(template, 'host') || !has(template, 'path')) return 'less';
  // A URL with a query is not plain, so here a query is empty.
  const others = (part: NameTemplate) => part.filter((piece) => 'text' in piece || piece.field !== 'query');
  return parts.every((part) => isReadable(others(part))) ? 'urls' : 'less';
}

/** Whether the values of all fields can be read back from what they give together: at most one has an unknown end. */
function isReadable(part: NameTemplate): boolean {
  let first = 0;
  let last = part.length;
  while (first < last && isBounded(part[first], part[first + 1], 0)) first += 1;
  while (first < last && isBounded(part[last - 1], part[last - 2], -1)) last -= 1;
  return last - first <= 1;
}

/** Whether a piece at the edge of what is left has a known length, or is a number that something else follows. */
function isBounded(piece: NamePart | undefined, neighbour: NamePart | undefined, nearest: 0 | -1): boolean {
  if (piece === undefined || 'text' in piece || FIXED.has(piece.field)) return true;
  if (piece.field !== 'index' || neighbour === undefined) return false;
  if ('text' in neighbour) return !/\d/.test(neighbour.text.at(nearest) ?? '');
  // An extension starts with a dot, and may be missing.
  return neighbour.field === 'ext' && nearest === 0;
}

interface FileNamerOptions {
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
export class FileNamer {
  readonly #shape: TemplateShape;
  readonly #defaultMethod: string;

  constructor(options: FileNamerOptions) {
    this.#shape = shapeOf(options.template);
    this.#defaultMethod = options.defaultMethod;
  }

  /** @param status of the answer, for templates that have it */
  nameOf(job: Job, status: number): string {
    if (job.save !== undefined) return job.save;
    const identity = bodyKey(job, this.#defaultMethod);
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
    draft.add(text, plainDirectoryName(text.text));
  }
  if (hasPath) for (const text of fields.directories()) draft.add(text, directoryName(text.text));
  for (const part of mixed) {
    const text = fields.fill(part);
    draft.add(text, directoryName(text.text));
  }
  const { text, isExact } = fields.fill(file);
  draft.file = hasPath ? asFile(text) : text;
  draft.isExact &&= isExact && !(hasPath && hasBodySuffix(text));
  return draft;
}

/** Whether the path and the host are all that makes the body what it is. */
function isPlain(url: string, identity: string): boolean {
  return identity === url && !url.includes('?') && !url.includes('#');
}
