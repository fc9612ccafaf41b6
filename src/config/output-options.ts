import { option, type Resolved } from './option.ts';
import { boolean, wholeNumber } from './parse/numbers.ts';
import { fileName, oneOf, reports } from './parse/texts.ts';

/** How a run that was cut short goes on: part of `outputOptions`. */
const journalOptions = {
  journal: option({
    flags: '--journal <file>',
    group: 'Resume',
    parser: fileName,
    default: undefined,
    help: 'note each finished URL in this file; the same command with the same file goes on where it stopped',
  }),
  keepFailed: option({
    flags: '--keep-failed',
    group: 'Resume',
    parser: boolean,
    default: false,
    help: 'let the failures in the journal stand, in place of fetching them again',
  }),
};

/** Reports beside the results: part of `programOptions`. */
export const reportOptions = {
  report: option({
    flags: '--report <kind=file>',
    group: 'Reports',
    parser: reports,
    default: undefined,
    repeatable: true,
    help: 'write a report to a file: junit, json, markdown, html or csv, as in --report junit=report.xml (repeatable)',
  }),
};

export type ReportOptions = Resolved<typeof reportOptions>;

/** How earlier runs bear on this one: part of `outputOptions`. */
const judgementOptions = {
  baseline: option({
    flags: '--baseline <file>',
    group: 'Reports',
    parser: fileName,
    default: undefined,
    help: 'let failures pass that are known from this file, a JSONL result or a list of URLs, and name mended ones',
  }),
  updateBaseline: option({
    flags: '--update-baseline',
    group: 'Reports',
    parser: boolean,
    default: false,
    help: 'write the failures of this run to the file of --baseline, unless the run is cut short',
  }),
  flakyAfter: option({
    flags: '--flaky-after <n>',
    group: 'Reports',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    help: 'let a URL fail the run only after so many bad runs in a row, counted in the file of --state',
  }),
  state: option({
    flags: '--state <file>',
    group: 'Reports',
    parser: fileName,
    default: undefined,
    help: 'keep the bad runs of each URL in this file from one run to the next',
  }),
};

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
