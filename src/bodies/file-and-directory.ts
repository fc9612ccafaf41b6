import { MAX_FILE_NAME_BYTES } from '../model/file-name.ts';

// So that a few levels always fit into a whole name.
const MAX_DIRECTORY_BYTES = 100;

// `/docs` may be a page, and `/docs/guide` another: on a disk the first is a file, and the second needs a directory.
// So among the parts of a path a file always has an extension that is not `.d`, and a directory has none or is called `.d`.
const HAS_EXTENSION = /.\.[^.]+$/;
const DIRECTORY_EXTENSION = /\.d$/i;
const FILE_SUFFIX = '.body';
const DIRECTORY_SUFFIX = '.d';

// What looks longer is part of the name.
const EXTENSION = /(?<=.)\.[^.]{1,16}$/u;

/** Digits of a hash as `identity.ts` makes them, after what sets them apart from the rest of a name. */
export const MARK = /~[0-9a-f]{20}/i;

/** The name of a directory on the way to other files of the same path. */
export function asDirectory(text: string): string {
  return HAS_EXTENSION.test(text)
    ? cut(text, MAX_DIRECTORY_BYTES - DIRECTORY_SUFFIX.length) + DIRECTORY_SUFFIX
    : asPlainDirectory(text);
}

/** The name of a directory where there are no files beside it. */
export function asPlainDirectory(text: string): string {
  return cut(text, MAX_DIRECTORY_BYTES);
}

/** The name of a file that directories may stand beside. */
export function asFile(text: string): string {
  return HAS_EXTENSION.test(text) && !DIRECTORY_EXTENSION.test(text) ? text : text + FILE_SUFFIX;
}

/** Whether `asFile` gives this for a shorter name. */
export function looksMadeFile(text: string): boolean {
  return text.toLowerCase().endsWith(FILE_SUFFIX);
}

/** The extension of a name with its dot; empty when it has none. */
export function extensionOf(name: string): string {
  return EXTENSION.exec(name)?.[0] ?? '';
}

/** Puts a mark before the extension of a file's name, and cuts what comes before until the name fits. */
export function marked(name: string, mark: string): string {
  const extension = extensionOf(name);
  const stem = name.slice(0, name.length - extension.length);
  return cut(stem, MAX_FILE_NAME_BYTES - Buffer.byteLength(mark + extension)) + mark + extension;
}

/** Whether a file's name is short enough as it is. */
export function fits(name: string): boolean {
  return name.length * 3 <= MAX_FILE_NAME_BYTES || Buffer.byteLength(name) <= MAX_FILE_NAME_BYTES;
}

/** At most so many bytes of UTF-8, and no part of a character. What is cut off there ends in no space and no dot. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text);
  let end = maxBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // within a character
  return bytes.toString('utf8', 0, end).replace(/[. ]+$/, (edge) => '_'.repeat(edge.length));
}
