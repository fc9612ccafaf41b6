import { REPORT_KINDS } from '../model/report-kind.ts';
import { option, type Resolved } from './option.ts';
import { outputOptions } from './output-options.ts';
import { boolean } from './parsers/boolean.ts';
import { directoryName } from './parsers/directory-name.ts';
import { oneOf } from './parsers/one-of.ts';
import { fileName } from './parsers/text.ts';

const FORMATS = ['text', 'jsonl', ...REPORT_KINDS] as const;

/** The options of `fanout report`. */
export const reportCommandOptions = {
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(FORMATS),
    default: 'text',
    help: 'write text, jsonl, junit, json, markdown, html or csv',
  }),
  output: option({
    flags: '-o, --output <file>',
    group: 'Output',
    parser: fileName,
    default: undefined,
    help: 'write to this file and not to standard output',
  }),
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'leave out of the text what is OK',
  }),
  shards: option({
    flags: '--shards <dir>',
    group: 'Output',
    parser: directoryName,
    default: undefined,
    defaultText: 'the directory of the file',
    help: 'find here the shards that a file of results names',
  }),
  color: outputOptions.color,
};

export type ReportCommandOptions = Resolved<typeof reportCommandOptions>;
