import type { ReportKind } from '../model/result.ts';
import { InvalidValueError, option, type Parser } from './option.ts';
import { checksumFile, directoryName, earlierResults, fileName } from './parse/names.ts';
import { resultAges, verbosity, wholeNumber } from './parse/numbers.ts';
import { lineTemplate, recordKeys } from './parse/record-format.ts';
import { webUrl } from './parse/server-urls.ts';
import { boolean, oneOf, reports } from './parse/texts.ts';

/** The name of a column, or its number from 1. */
const column: Parser<string | number> = {
  parse(value) {
    if (typeof value === 'string' && !/^\s*[+-]?\d*\s*$/.test(value)) return value.trim();
    const number = typeof value === 'string' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1) {
      throw new InvalidValueError('must be the name of a column, or its number from 1');
    }
    return number;
  },
  print: (value) => value,
};

/** The format of the results that the name of their file shows, `.gz` aside; `undefined` if it shows none. */
export function formatOfName(file: string | undefined): 'jsonl' | 'csv' | ReportKind | undefined {
  const [, extension = ''] = /\.([a-z]+)(?:\.gz)?$/i.exec(file ?? '') ?? [];
  return FORMATS.get(extension.toLowerCase());
}

const FORMATS: ReadonlyMap<string, 'jsonl' | 'csv' | ReportKind> = new Map([
  ...(['jsonl', 'csv', 'json', 'html', 'markdown'] as const).map((format) => [format, format] as const),
  ['ndjson', 'jsonl'],
  ['htm', 'html'],
  ['md', 'markdown'],
  ['xml', 'junit'],
]);

/** What the program reads and writes: inputs, results, journal, comparison with earlier runs, reports, configuration. */
export const outputOptions = {
  allowEmpty: option({
    flags: '--allow-empty',
    group: 'Input',
    parser: boolean,
    default: false,
    help: 'exit 0, not 2, if there are no URLs in the input',
  }),
  sitemap: option({
    flags: '--sitemap',
    group: 'Input',
    parser: boolean,
    default: false,
    help: 'read the inputs as sitemaps or sitemap indexes',
    details: 'Inputs may be files or URLs.',
  }),
  null: option({
    flags: '-0, --null',
    group: 'Input',
    parser: boolean,
    default: false,
    help: 'lines of the inputs end with NUL, not with a line break',
    details: 'For lists from find -print0 and the like.',
  }),
  column: option({
    flags: '--column <name|n>',
    group: 'Input',
    parser: column,
    default: undefined,
    help: 'read a column of CSV or TSV files, by name or number from 1',
    details:
      'A name is looked up in the first row. With a number, the first row is skipped if it has no URL in that column.',
  }),
  extract: option({
    flags: '--extract',
    group: 'Input',
    parser: boolean,
    default: false,
    help: 'read the inputs as documents, and fetch the links in them',
    details:
      'Markdown, HTML, reStructuredText, XML, JSON, text and source comments, by extension or content. Inputs may be ' +
      'directories and patterns; what .gitignore excludes is left out. Links to files are looked up on the disk.',
  }),
  baseUrl: option({
    flags: '--base-url <url>',
    group: 'Input',
    parser: webUrl,
    default: undefined,
    help: 'resolve relative links of documents against this URL',
    details: 'With --root-dir, it is the URL of that directory, and each document has its own below it.',
  }),
  rootDir: option({
    flags: '--root-dir <dir>',
    group: 'Input',
    parser: directoryName,
    default: undefined,
    defaultText: 'the working directory',
    help: 'directory of links of documents that start with /',
  }),
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'jsonl', 'csv']),
    default: 'text',
    defaultText: 'that of the name of -o, or else text',
    help: 'format of the results: text, jsonl or csv',
  }),
  json: option({
    flags: '--json',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'the same as --format jsonl',
  }),
  template: option({
    flags: '--template <text>',
    group: 'Output',
    parser: lineTemplate,
    default: undefined,
    help: 'write a line of your own: {status} {url} {time}',
    details:
      'Fields are the keys of the record, kind, code and message of a failure, path and sha256 of a saved body, and ' +
      'verdict, time and size as in the text format. A field without a value is "-". \\n and \\t are a line break and a tab.',
  }),
  record: option({
    flags: '--record <keys>',
    group: 'Output',
    parser: recordKeys,
    default: undefined,
    help: 'more keys in the record: headers, address, tls, title, input',
    details:
      'They are about the last response. headers: those of the response. address: the address and port that it came from. ' +
      'tls: protocol, cipher and certificate. title: that of an HTML page. input: the URL as it was read, where it differs from url. ' +
      'It needs an output that has them: JSONL, CSV (without headers), --template, a report or a journal.',
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
    defaultText: 'standard output',
    help: 'write results to this file',
    details:
      'The name chooses the format: .jsonl, .ndjson or .csv; any other is text, unless --format says otherwise. With .gz at its end, the file is compressed.',
  }),
  onlyFailures: option({
    flags: '--only-failures',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write only the results of URLs that failed, in every format',
  }),
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'do not print text lines of URLs that are OK',
    details: 'JSONL and CSV keep every record: see --only-failures.',
  }),
  silent: option({
    flags: '--silent',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print nothing; files and the exit code tell the outcome',
  }),
  body: option({
    flags: '--body',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write the body of a single URL to standard output',
    details: 'Only if it is OK. Its result line goes to standard error.',
    notInFile: true,
  }),
  verbose: option({
    flags: '-v, --verbose',
    group: 'Output',
    parser: verbosity,
    default: 0,
    repeatable: true,
    help: 'print retries, pauses and limits on standard error',
    details: '-vv prints each request too.',
  }),
  progress: option({
    flags: '--progress',
    group: 'Output',
    parser: boolean,
    default: undefined,
    help: 'show the progress bar even if there is no terminal',
    noHelp: 'do not show the progress bar',
  }),
  color: option({
    flags: '--color <when>',
    group: 'Output',
    parser: oneOf(['auto', 'always', 'never']),
    default: 'auto',
    help: 'use colors: auto, always or never',
  }),
  report: option({
    flags: '--report <kind=file>',
    group: 'Reports and comparison',
    parser: reports,
    default: undefined,
    repeatable: true,
    help: 'write a report: junit, json, markdown or html',
    details: 'As in --report junit=report.xml.',
  }),
  summary: option({
    flags: '--summary <format>',
    group: 'Reports and comparison',
    parser: oneOf(['text', 'json']),
    default: 'text',
    help: 'format of the summary on standard error: text or json',
  }),
  failed: option({
    flags: '--failed <file>',
    group: 'Reports and comparison',
    parser: fileName,
    default: undefined,
    help: 'write the failed URLs to a file, as a new list',
  }),
  refresh: option({
    flags: '--refresh[=file]',
    group: 'Bodies',
    parser: earlierResults,
    default: undefined,
    defaultText: 'none; the journal without a file',
    help: 'fetch again only bodies that have changed since',
    details:
      'Files that an earlier run has saved are named by --journal or an earlier JSONL result file. If-None-Match and If-Modified-Since are sent, and a 304 is OK and keeps the file, as 404 and 410 do, which fail. Files that are missing or have other bytes are fetched.',
  }),
  checksums: option({
    flags: '--checksums <file>',
    group: 'Bodies',
    parser: checksumFile,
    default: undefined,
    help: 'write the SHA-256 of saved files, as sha256sum does',
    details:
      'Names are relative to --save-dir: run sha256sum -c there. The lines are sorted by name. Those of an existing file stay, if their files are still there.',
  }),
  journal: option({
    flags: '--journal <file>',
    group: 'Resume',
    parser: fileName,
    default: undefined,
    help: 'record finished URLs in a file, and resume from it',
    details: 'Run the same command again to continue where it stopped.',
  }),
  journalAge: option({
    flags: '--journal-age <age>',
    group: 'Resume',
    parser: resultAges,
    default: undefined,
    help: 'fetch URLs again whose result in the journal is older',
    details:
      '12h or 7d; or an age for each class: ok=7d,fail=1h, where URLs that failed are not fetched again before. So that not all results expire at once, each one does within the last fifth of this time.',
  }),
  keepFailed: option({
    flags: '--keep-failed',
    group: 'Resume',
    parser: boolean,
    default: false,
    help: 'when resuming, do not retry URLs that failed',
  }),
  baseline: option({
    flags: '--baseline <file>',
    group: 'Reports and comparison',
    parser: fileName,
    default: undefined,
    help: 'ignore failures listed in a file; report fixed ones',
    details:
      'The file is written by --update-baseline, or has JSONL results or a list of URLs. Any failure of a URL in it is known, whatever its kind or status.',
  }),
  updateBaseline: option({
    flags: '--update-baseline',
    group: 'Reports and comparison',
    parser: boolean,
    default: false,
    help: 'write the failures of this run to the baseline file',
    details: 'Old failures of URLs that are not in the list are kept. Not done if the run is cut short.',
  }),
  flakyAfter: option({
    flags: '--flaky-after <n>',
    group: 'Reports and comparison',
    parser: wholeNumber({ min: 1 }),
    default: undefined,
    help: 'fail only for URLs that failed n runs in a row',
  }),
  flakyState: option({
    flags: '--flaky-state <file>',
    group: 'Reports and comparison',
    parser: fileName,
    default: undefined,
    help: 'file that keeps the counts of --flaky-after',
  }),
  config: option({
    flags: '--config <file>',
    group: 'Configuration',
    parser: fileName,
    default: undefined,
    defaultText: 'fanout.config.json, if there is one',
    help: 'read options from this JSON file',
    details:
      'Keys are the long flags in camel case. Flags win over the environment (FANOUT_MAX_SIZE=1mb), which wins over the file. "hosts" in it has settings of single hosts: {"*.example.com": {"perHost": 2}}, with headers, perHost, hostRate, timeout, accept, insecure and user.',
    notInFile: true,
  }),
  printConfig: option({
    flags: '--print-config',
    group: 'Configuration',
    parser: boolean,
    default: false,
    help: 'print the options in effect as JSON, without secrets',
    notInFile: true,
  }),
  dryRun: option({
    flags: '--dry-run',
    group: 'Configuration',
    parser: boolean,
    default: false,
    help: 'read the input, print each job as JSON, fetch nothing',
  }),
};
