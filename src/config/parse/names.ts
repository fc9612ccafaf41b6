import { NAME_FIELDS, type NameField, type NamePart, type NameTemplate } from '../../model/job.ts';
import { safePart } from '../../model/safe-name.ts';
import { InvalidValueError, type Parser } from '../option.ts';

const MAX_LENGTH = 120;
const FIELD_LIST = NAME_FIELDS.map((field) => `{${field}}`).join(' ');

/** Templates for the names of files: `{host}{path}`. */
export const nameTemplate: Parser<NameTemplate> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.length > MAX_LENGTH) {
      throw new InvalidValueError(
        `it must be a name of 1 to ${MAX_LENGTH} characters with fields such as {host}{path}`,
      );
    }
    const parts = value.split(/(\{[^{}]*\})/).filter((part) => part !== '');
    const template = parts.map(partOf);
    refuseRepeated(template);
    refuseUnsafe(value);
    return Object.freeze(template);
  },
  print: (template) => template.map((part) => ('text' in part ? part.text : `{${part.field}}`)).join(''),
};

function partOf(part: string): NamePart {
  if (!/[{}]/.test(part)) return { text: part };
  const field = NAME_FIELDS.find((known) => part === `{${known}}`);
  if (field === undefined) throw new InvalidValueError(`it knows no ${part}, its fields are ${FIELD_LIST}`);
  return { field };
}

function refuseRepeated(template: NameTemplate): void {
  const fields = template.flatMap((part): NameField[] => ('field' in part ? [part.field] : []));
  const repeated = fields.find((field, index) => fields.indexOf(field) !== index);
  if (repeated !== undefined) throw new InvalidValueError(`it must hold {${repeated}} once`);
}

function refuseUnsafe(template: string): void {
  // A field stands for any harmless text; a path brings its own `/`.
  const example = template
    .replace('/{path}', '{path}')
    .replace(/^\{path\}/, 'x')
    .replace('{path}', '/x');
  const sample = example.replace(/\{\w+\}/g, 'x');
  if (sample.split('/').some((part) => part === '' || safePart(part) !== part)) {
    throw new InvalidValueError(
      'it must be a relative name that every file system takes: without "..", a "/" at either end, and < > : " | ? * \\',
    );
  }
}

/** The name of a directory. */
export const directoryName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new InvalidValueError('it must be the name of a directory');
    }
    return value;
  },
  print: (value) => value,
  suggestions: 'directories',
};

/** The name of a run over several machines: what may stand in a subject of NATS, and in the name of a file. */
export const runName: Parser<string> = {
  parse(value) {
    if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
      throw new InvalidValueError('it must be 1 to 64 letters, digits, dashes and underscores');
    }
    return value;
  },
  print: (value) => value,
};
