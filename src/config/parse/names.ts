import { NAME_FIELDS, type NameField, type NamePart, type NameTemplate } from '../../model/job.ts';
import { excerpt } from '../../model/printable.ts';
import { safePart } from '../../model/safe-name.ts';
import { InvalidValueError, type Parser } from '../option.ts';

/** Longest template, in characters. */
const MAX_TEMPLATE_LENGTH = 120;
const FIELD_LIST = NAME_FIELDS.map((field) => `{${field}}`).join(' ');

/** The name of a file. */
export const fileName: Parser<string> = {
  parse: (value) => parsePath(value, 'file'),
  print: (value) => value,
  suggestions: 'files',
};

/** The name of a file of checksums, which is replaced as a whole. */
export const checksumFile: Parser<string> = {
  ...fileName,
  parse(value) {
    const name = fileName.parse(value);
    if (name === '-' || name.startsWith('/dev/')) throw new InvalidValueError('must be the name of a file');
    if (/\.gz$/i.test(name)) throw new InvalidValueError('must not end in .gz, which sha256sum cannot read');
    return name;
  },
};

/** The name of a cookie file, or `false` for no cookies. */
export const cookies: Parser<string | false> = {
  ...fileName,
  parse: (value) => (value === false || value === 'false' ? false : fileName.parse(value)),
  print: (value) => value,
};

/** The name of a netrc file, or `true` for the one in the home directory. */
export const netrcFile: Parser<string | true | undefined> = {
  ...fileName,
  parse(value) {
    if (value === false || value === 'false') return undefined;
    return value === true || value === 'true' ? true : fileName.parse(value);
  },
  print: (value) => value,
};

/** The name of an earlier result file, or `true` for the journal. */
export const earlierResults: Parser<string | true | undefined> = netrcFile;

/** The longest path of a Unix domain socket on Linux, in bytes. On macOS it is 103. */
const MAX_SOCKET_PATH = 107;

/** The path of a Unix domain socket. */
export const socketPath: Parser<string> = {
  ...fileName,
  parse(value) {
    const path = fileName.parse(value);
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
      throw new InvalidValueError(`must be at most ${MAX_SOCKET_PATH} bytes, the limit of the system`);
    }
    return path;
  },
};

/** The name of a directory. */
export const directoryName: Parser<string> = {
  parse: (value) => parsePath(value, 'directory'),
  print: (value) => value,
  suggestions: 'directories',
};

/** Where shards are: the name of a directory, or a bucket as `s3://BUCKET/PREFIX`. */
export const shardPlace: Parser<string> = {
  ...directoryName,
  parse(value) {
    const name = parsePath(value, 'directory');
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return name;
    if (/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/[\w./=-]*)?$/.test(name)) return name;
    throw new InvalidValueError('must be a directory, or a bucket such as s3://BUCKET/PREFIX');
  },
};

/** The name of a directory for bodies. Refuses what is meant as an input or as standard output. */
export const saveDirectoryName: Parser<string> = {
  ...directoryName,
  parse(value) {
    const name = parsePath(value, 'directory');
    if (name === '-') {
      throw new InvalidValueError('must be the name of a directory; --body writes a page to standard output');
    }
    if (/^https?:\/\//i.test(name)) {
      throw new InvalidValueError('must be the name of a directory, which comes before the URL');
    }
    return name;
  },
};

function parsePath(value: unknown, kind: 'file' | 'directory'): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw new InvalidValueError(`must be the name of a ${kind}`);
  }
  return value;
}

/** The name of a run over several machines, which becomes part of a NATS subject and of a file name. */
export const runName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
      throw new InvalidValueError('must be 1 to 64 letters, digits, dashes and underscores');
    }
    return value;
  },
  print: (value) => value,
};

/** The prefix of inboxes, which is the beginning of a NATS subject. */
export const inboxPrefix: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || value.length > 64 || !/^[\w-]+(\.[\w-]+)*$/.test(value)) {
      throw new InvalidValueError(
        'must be 1 to 64 letters, digits, dashes and underscores, with single dots between them',
      );
    }
    return value;
  },
  print: (value) => value,
};

/** A template for the names of files, such as `{host}{path}`. Each field occurs at most once. */
export const nameTemplate: Parser<NameTemplate> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.length > MAX_TEMPLATE_LENGTH) {
      throw new InvalidValueError(
        `must be a name of 1 to ${MAX_TEMPLATE_LENGTH} characters with fields such as {host}{path}`,
      );
    }
    const parts = value.split(/(\{[^{}]*\})/).filter((part) => part !== '');
    const template = parts.map(parseNamePart);
    checkRepeatedFields(template);
    checkPath(value);
    return Object.freeze(template);
  },
  print: (template) => template.map((part) => ('text' in part ? part.text : `{${part.field}}`)).join(''),
};

function parseNamePart(part: string): NamePart {
  if (!/[{}]/.test(part)) return { text: part };
  const field = NAME_FIELDS.find((name) => part === `{${name}}`);
  if (field === undefined) {
    throw new InvalidValueError(`unknown field ${excerpt(part)}; the fields are ${FIELD_LIST}`);
  }
  return { field };
}

function checkRepeatedFields(template: NameTemplate): void {
  const fields = template.flatMap((part): NameField[] => ('field' in part ? [part.field] : []));
  const repeated = fields.find((field, index) => fields.indexOf(field) !== index);
  if (repeated !== undefined) throw new InvalidValueError(`must contain {${repeated}} only once`);
}

/** Checks that the template gives a relative path that is valid on every file system, if its fields do. */
function checkPath(template: string): void {
  // A {path} begins with its own `/`. The names of other fields are harmless, as their values are.
  const example = template
    .replace('/{path}', '{path}')
    .replace(/^\{path\}/, 'x')
    .replace('{path}', '/x');
  if (example.split('/').some((part) => safePart(part) !== part)) {
    throw new InvalidValueError(
      'must be a relative path that is valid on every file system: no "..", no "/" at either end, none of < > : " | ? * \\',
    );
  }
}
