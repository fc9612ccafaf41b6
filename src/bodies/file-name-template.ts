import type { Job, NameField, NamePart, NameTemplate } from '../model/job.ts';
import { MAX_FILE_NAME_BYTES, MAX_NAME_BYTES } from '../model/safe-name.ts';
import {
  bodyKey,
  directoryName,
  fitsFileName,
  HASH_MARK,
  hashKey,
  insertMark,
  looksTyped,
  NameFields,
  type NameText,
  NO_RESPONSE,
  pathDirectoryName,
  type ResponseFields,
  TYPE_MARK,
  UNKNOWN_EXTENSION,
  urlExtension,
} from './file-name.ts';

/** Fields whose values have the same length in each name. */
const FIXED_LENGTH: ReadonlySet<NameField> = new Set(['hash', 'status']);

interface FileNamerOptions {
  readonly template: NameTemplate;
  /** Method of a job that sets none and has no body. */
  readonly defaultMethod: string;
}

/**
 * Gives each job the name of the file for its body, relative to the save directory, with `/` between its parts.
 *
 * - A name depends only on the job, not on other jobs or on existing files.
 * - Two different URLs never have the same name, even if the file system ignores case: if a name does not show all that
 *   distinguishes its job, or looks as if it were marked, `~` and a hash of the job are inserted before the extension.
 * - The name that a job sets with `save` is used unchanged.
 */
export class FileNamer {
  readonly #shape: TemplateShape;
  readonly #defaultMethod: string;

  constructor(options: FileNamerOptions) {
    this.#shape = toShape(options.template);
    this.#defaultMethod = options.defaultMethod;
  }

  /** The name for the body of a response. */
  fileNameFor(job: Job, status: number, contentType: string | readonly string[] | undefined): string {
    return this.#nameFor(job, { status: String(status), extension: extensionForType(contentType) });
  }

  /** The name of the file that holds the start of a body. The same for each response, so that it is known before the request. */
  partialNameFor(job: Job): string {
    return this.#nameFor(job, { status: '0', extension: undefined });
  }

  /** The name before there is a response, with `{status}` and `{ext}` for what depends on it. */
  previewFor(job: Job): string {
    return this.#nameFor(job, NO_RESPONSE);
  }

  /** Every name that the body of a response with status 200 may have, the likely ones first. */
  candidatesFor(job: Job): readonly string[] {
    const nameWith = (extension: string | undefined) => this.#nameFor(job, { status: '200', extension });
    const [html, text] = [nameWith('html'), nameWith('txt')];
    if (html === text) return [html];
    return [...new Set([html, text, nameWith(undefined), ...[...KNOWN_EXTENSIONS].map(nameWith)])];
  }

  #nameFor(job: Job, response: ResponseFields): string {
    if (job.save !== undefined) return job.save;
    const key = bodyKey(job, this.#defaultMethod);
    const draft = fillTemplate(this.#shape, new NameFields(job, response, key));
    const { directories, file, suffix, isExact, isTruncated } = draft;
    const { uniqueness } = this.#shape;
    const isUnique = uniqueness === 'job' || (uniqueness === 'url' && isExact && isPlainUrl(job.url, key));
    const isTyped = uniqueness === 'url' && suffix !== '' && suffix !== UNKNOWN_SUFFIX;
    const name = file + (isTyped ? TYPE_MARK : '') + suffix;
    const isUnmarked = !isTruncated && fitsFileName(name) && !HASH_MARK.test(name);
    return directories + (isUnique && isUnmarked ? name : insertMark(file + suffix, `~${hashKey(key)}`));
  }
}

const UNKNOWN_SUFFIX = `.${UNKNOWN_EXTENSION}`;

/** Whether the key of a body is a URL without a fragment. */
function isPlainUrl(url: string, key: string): boolean {
  return key === url && !url.includes('#');
}

/** A name while its parts are added. */
class NameDraft {
  /** Each with a `/` at its end. */
  directories = '';
  file = '';
  /** The extension that the file needs, with its dot. */
  suffix = '';
  /** Whether each part shows its whole value, unless it is truncated. */
  isExact = true;
  isTruncated = false;
  #isFull = false;

  addDirectory({ text, isExact }: NameText, name: string): void {
    const bytes = Buffer.byteLength(this.directories) + Buffer.byteLength(name) + 1;
    this.#isFull ||= bytes > MAX_NAME_BYTES - MAX_FILE_NAME_BYTES;
    if (!this.#isFull) this.directories += `${name}/`;
    this.isExact &&= isExact;
    this.isTruncated ||= this.#isFull || !name.startsWith(text);
  }
}

function fillTemplate(shape: TemplateShape, fields: NameFields): NameDraft {
  const draft = new NameDraft();
  for (const part of shape.leading) {
    const text = fields.fill(part);
    draft.addDirectory(text, directoryName(text.text));
  }
  if (shape.hasPath) {
    for (const text of fields.directories()) draft.addDirectory(text, pathDirectoryName(text.text));
  }
  for (const part of shape.trailing) {
    const text = fields.fill(part);
    draft.addDirectory(text, pathDirectoryName(text.text));
  }
  const { text, extension, isExact } = shape.isPathFile
    ? fields.pathFile()
    : withExtension(fields.fill(shape.file));
  draft.file = text;
  if (shape.hasPath && extension === '') draft.suffix = `.${fields.responseExtension ?? UNKNOWN_EXTENSION}`;
  draft.isExact &&= isExact && !(shape.hasPath && looksTyped(text));
  return draft;
}

function withExtension(name: NameText) {
  return { ...name, extension: urlExtension(name.text) };
}

/** A template split into the parts of a name. */
interface TemplateShape {
  /** Directories before those of the path. */
  readonly leading: readonly NameTemplate[];
  readonly hasPath: boolean;
  /** Directories after those of the path. */
  readonly trailing: readonly NameTemplate[];
  readonly file: NameTemplate;
  /** Whether the file is the last segment of the path and nothing else, so that the query is added to it. */
  readonly isPathFile: boolean;
  /** What its names always distinguish: every two jobs, every two plain URLs, or neither. */
  readonly uniqueness: 'job' | 'url' | 'none';
}

/** Splits a template at each `/`. The field `path` adds directories of its own. */
function toShape(template: NameTemplate): TemplateShape {
  const pathIndex = template.findIndex((part) => 'field' in part && part.field === 'path');
  const hasPath = pathIndex !== -1;
  const leading = splitParts(hasPath ? template.slice(0, pathIndex) : template);
  const fromPath = hasPath ? splitParts(template.slice(pathIndex)) : [];
  // The path starts with a `/` of its own.
  if (hasPath && leading.at(-1)?.length === 0) leading.pop();
  const uniqueness = uniquenessOf(template, [...leading, ...fromPath]);
  const file = (hasPath ? fromPath : leading).pop() ?? [];
  const isPathFile = hasPath && fromPath.length === 0 && file.length === 1 && !hasField(template, 'query');
  return { leading, hasPath, trailing: fromPath, file, isPathFile, uniqueness };
}

function splitParts(template: NameTemplate): NamePart[][] {
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

function hasField(part: NameTemplate, field: NameField): boolean {
  return part.some((piece) => 'field' in piece && piece.field === field);
}

function uniquenessOf(template: NameTemplate, parts: readonly NameTemplate[]): TemplateShape['uniqueness'] {
  const identifying = parts.find((part) => hasField(part, 'index') || hasField(part, 'hash'));
  if (identifying !== undefined && isReadable(identifying)) return 'job';
  if (!hasField(template, 'host') || !hasField(template, 'path')) return 'none';
  // A URL with a query is not exact by such a template.
  const others = (part: NameTemplate) => part.filter((piece) => 'text' in piece || piece.field !== 'query');
  return parts.every((part) => isReadable(others(part))) ? 'url' : 'none';
}

/** Whether the value of each field can be read from the filled-in part: at most one may have an unknown length. */
function isReadable(part: NameTemplate): boolean {
  let first = 0;
  let last = part.length;
  while (first < last && isBounded(part[first], part[first + 1], 0)) first += 1;
  while (first < last && isBounded(part[last - 1], part[last - 2], -1)) last -= 1;
  return last - first <= 1;
}

/**
 * Whether the end of a piece is known: it has a fixed length, or is a number next to something else.
 *
 * @param nearest the index of the character of `neighbour` that is next to the piece
 */
function isBounded(piece: NamePart | undefined, neighbour: NamePart | undefined, nearest: 0 | -1): boolean {
  if (piece === undefined || 'text' in piece || FIXED_LENGTH.has(piece.field)) return true;
  if (piece.field !== 'index' || neighbour === undefined) return false;
  return 'text' in neighbour && !/\d/.test(neighbour.text.at(nearest) ?? '');
}

/** The usual file extension of each common media type (https://www.iana.org/assignments/media-types). */
const EXTENSIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'application/epub+zip': 'epub',
    'application/gzip': 'gz',
    'application/java-archive': 'jar',
    'application/javascript': 'js',
    'application/json': 'json',
    'application/jsonl': 'jsonl',
    'application/manifest+json': 'webmanifest',
    'application/msword': 'doc',
    'application/pdf': 'pdf',
    'application/postscript': 'ps',
    'application/rtf': 'rtf',
    'application/vnd.ms-excel': 'xls',
    'application/vnd.ms-powerpoint': 'ppt',
    'application/vnd.oasis.opendocument.spreadsheet': 'ods',
    'application/vnd.oasis.opendocument.text': 'odt',
    'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
    'application/wasm': 'wasm',
    'application/x-7z-compressed': '7z',
    'application/x-bzip2': 'bz2',
    'application/x-gzip': 'gz',
    'application/x-javascript': 'js',
    'application/x-ndjson': 'ndjson',
    'application/x-tar': 'tar',
    'application/x-xz': 'xz',
    'application/xhtml+xml': 'xhtml',
    'application/xml': 'xml',
    'application/yaml': 'yaml',
    'application/zip': 'zip',
    'application/zstd': 'zst',
    'audio/aac': 'aac',
    'audio/flac': 'flac',
    'audio/mp4': 'm4a',
    'audio/mpeg': 'mp3',
    'audio/ogg': 'ogg',
    'audio/wav': 'wav',
    'audio/webm': 'weba',
    'font/otf': 'otf',
    'font/ttf': 'ttf',
    'font/woff': 'woff',
    'font/woff2': 'woff2',
    'image/avif': 'avif',
    'image/bmp': 'bmp',
    'image/gif': 'gif',
    'image/jpeg': 'jpg',
    'image/png': 'png',
    'image/svg+xml': 'svg',
    'image/tiff': 'tiff',
    'image/vnd.microsoft.icon': 'ico',
    'image/webp': 'webp',
    'image/x-icon': 'ico',
    'text/calendar': 'ics',
    'text/css': 'css',
    'text/csv': 'csv',
    'text/html': 'html',
    'text/javascript': 'js',
    'text/markdown': 'md',
    'text/plain': 'txt',
    'text/tab-separated-values': 'tsv',
    'text/vtt': 'vtt',
    'text/xml': 'xml',
    'text/yaml': 'yaml',
    'video/mp4': 'mp4',
    'video/mpeg': 'mpeg',
    'video/ogg': 'ogv',
    'video/quicktime': 'mov',
    'video/webm': 'webm',
  }),
);

const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set(EXTENSIONS.values());

/** A structured syntax suffix (RFC 6839), such as that of `application/problem+json`. */
const SUFFIX = /\+(json|xml|yaml|zip)$/;

/**
 * The file extension for a body with this Content-Type, without a dot; `undefined` if the type is missing or unknown, or says
 * nothing, as `application/octet-stream`.
 */
function extensionForType(contentType: string | readonly string[] | undefined): string | undefined {
  const [type = ''] = String(contentType ?? '').split(/[;,]/, 1);
  const name = type.trim().toLowerCase();
  return EXTENSIONS.get(name) ?? SUFFIX.exec(name)?.[1];
}
