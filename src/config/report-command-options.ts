import { REPORT_KINDS } from '../model/result.ts';
import { option, type Resolved } from './option.ts';
import { outputOptions } from './output-options.ts';
import { directoryName } from './parse/names.ts';
import { boolean, ratio } from './parse/numbers.ts';
import { fileName, oneOf } from './parse/texts.ts';
import { duration } from './parse/units.ts';

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

/** The options of `fanout diff`. */
export const diffOptions = {
  slower: option({
    flags: '--slower <ratio>',
    group: 'Output',
    parser: ratio,
    default: 2,
    help: 'call a URL slower when it takes so many times as long',
  }),
  slowerBy: option({
    flags: '--slower-by <duration>',
    group: 'Output',
    parser: duration(),
    default: 500,
    help: 'call it slower only when it takes at least so much longer, too',
  }),
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'json']),
    default: 'text',
    help: 'write text, or one JSON object',
  }),
  output: reportCommandOptions.output,
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'name only what is newly broken',
  }),
  shards: reportCommandOptions.shards,
  color: outputOptions.color,
};

export type DiffOptions = Resolved<typeof diffOptions>;
