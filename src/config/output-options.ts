import { journalOptions } from './journal-options.ts';
import { judgementOptions } from './judgement-options.ts';
import { option, type Resolved } from './option.ts';
import { boolean } from './parsers/boolean.ts';
import { oneOf } from './parsers/one-of.ts';
import { fileName } from './parsers/text.ts';

/** The options of the program alone: what it writes, where, and where its configuration is. */
export const outputOptions = {
  allowEmpty: option({
    flags: '--allow-empty',
    group: 'Lines',
    parser: boolean,
    default: false,
    help: 'end well when the inputs hold no URL, and not with exit code 2',
  }),
  sitemap: option({
    flags: '--sitemap',
    group: 'Lines',
    parser: boolean,
    default: false,
    help: 'read the inputs as sitemaps or sitemap indexes, files or URLs of them, and not as lists',
  }),
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'jsonl', 'csv']),
    default: 'text',
    help: 'write results as text, jsonl or csv',
  }),
  json: option({
    flags: '--json',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'the same as --format jsonl',
  }),
  ordered: option({
    flags: '--ordered',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write results in the order of the input',
  }),
  output: option({
    flags: '-o, --output <file>',
    group: 'Output',
    parser: fileName,
    default: undefined,
    help: 'write results to this file and not to standard output',
  }),
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write failures and the summary only',
  }),
  silent: option({
    flags: '--silent',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write nothing but files; the exit code tells the outcome',
  }),
  progress: option({
    flags: '--progress',
    group: 'Output',
    parser: boolean,
    default: undefined,
    help: 'draw the progress bar even where standard error is no terminal',
    noHelp: 'draw no progress bar',
  }),
  color: option({
    flags: '--color <when>',
    group: 'Output',
    parser: oneOf(['auto', 'always', 'never']),
    default: 'auto',
    help: 'use colours: auto, always or never',
  }),
  summary: option({
    flags: '--summary <format>',
    group: 'Reports',
    parser: oneOf(['text', 'json']),
    default: 'text',
    help: 'write the summary on standard error as text or as one JSON object',
  }),
  failed: option({
    flags: '--failed <file>',
    group: 'Reports',
    parser: fileName,
    default: undefined,
    help: 'write the failed URLs to this file, as a list that fanout fetch reads',
  }),
  ...journalOptions,
  ...judgementOptions,
  config: option({
    flags: '--config <file>',
    group: 'Configuration',
    parser: fileName,
    default: undefined,
    defaultText: 'fanout.config.json, if there is one',
    help: 'read options from this JSON file, by their long flags in camel case. Flags win over the environment (FANOUT_MAX_SIZE=1mb), which wins over the file; a repeated flag replaces the whole list of the file',
    notInFile: true,
  }),
  printConfig: option({
    flags: '--print-config',
    group: 'Configuration',
    parser: boolean,
    default: false,
    help: 'show as JSON what holds, with secrets masked, and stop',
    notInFile: true,
  }),
  dryRun: option({
    flags: '--dry-run',
    group: 'Configuration',
    parser: boolean,
    default: false,
    help: 'read the input, print each job as JSONL, and fetch nothing',
  }),
};

/** The options of the program alone as they hold. `--json` has become `format`. */
export type OutputOptions = Omit<Resolved<typeof outputOptions>, 'json'>;
