import { REPORT_KINDS } from '../model/result.ts';
import { brokerOptions, clusterOptions, newRunOptions } from './cluster-options.ts';
import { type OptionValues, option } from './option.ts';
import { outputOptions } from './output-options.ts';
import { fileName, shardPlace } from './parse/names.ts';
import { duration, ratio } from './parse/numbers.ts';
import { boolean, oneOf, reasonText } from './parse/texts.ts';
import { runOptions } from './run-options.ts';

// The options of each command but `fetch`.

const output = option({
  flags: '-o, --output <file>',
  group: 'Output',
  parser: fileName,
  default: undefined,
  defaultText: 'standard output',
  help: 'write to this file',
});

/** The options of `fanout report`. */
export const reportCommandOptions = {
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'jsonl', 'csv', ...REPORT_KINDS, 'sed']),
    default: undefined,
    defaultText: 'that of the name of -o, or else text',
    help: 'text, jsonl, csv, junit, json, markdown, html or sed',
    details:
      'sed: a script that writes the new URL wherever one has moved permanently: sed -E -i -f moved.sed docs/*.md',
  }),
  output,
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print only what is not OK (text format)',
  }),
  store: option({
    flags: '--store <place>',
    group: 'Output',
    parser: shardPlace,
    default: undefined,
    defaultText: 'the directory of the file',
    help: 'directory or s3://BUCKET of the shards that a file names',
  }),
  color: outputOptions.color,
};

export type ReportCommandOptions = OptionValues<typeof reportCommandOptions>;

/** The options of `fanout extract`. */
export const extractOptions = {
  baseUrl: outputOptions.baseUrl,
  rootDir: outputOptions.rootDir,
  json: option({
    flags: '--json',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print JSON lines: file, line, column, url, text',
    details: 'All links are printed, also those to files and those that cannot be fetched.',
  }),
  output,
  config: outputOptions.config,
};

/** The options of `fanout diff`. */
export const diffOptions = {
  slower: option({
    flags: '--slower <ratio>',
    group: 'Output',
    parser: ratio,
    default: 2,
    help: 'ratio of durations from which a URL counts as slower',
  }),
  slowerBy: option({
    flags: '--slower-by <duration>',
    group: 'Output',
    parser: duration(),
    default: 500,
    help: 'difference from which a URL counts as slower',
  }),
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'json']),
    default: undefined,
    defaultText: 'json if the name of -o is, or else text',
    help: 'text, or json for one JSON object',
  }),
  output,
  quiet: option({
    flags: '-q, --quiet',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print only newly failing URLs',
  }),
  store: reportCommandOptions.store,
  color: outputOptions.color,
};

export type DiffOptions = OptionValues<typeof diffOptions>;

// The collector has the options that limit a whole run, since only it sees all results. Workers have none of them.
const { unique, include, remap, defaultScheme, deadline, failFast, maxFailures, ...workerOptions } =
  runOptions;

// A cluster run has no journal: its results are in the broker. Its workers save files, and only they have them. Its list is split by lines, and documents have none.
const {
  refresh,
  checksums,
  journal,
  journalAge,
  keepFailed,
  dryRun,
  extract,
  baseUrl,
  rootDir,
  ...clusterOutputs
} = outputOptions;

/** The options of `fanout cluster fetch`. */
export const clusterFetchOptions = { ...runOptions, ...clusterOutputs, ...clusterOptions };

const {
  allowEmpty,
  sitemap,
  null: nullSeparated,
  column,
  config,
  printConfig,
  verbose,
  ...collectorOutputs
} = clusterOutputs;

const { lanes, drainTimeout, store, manifest, metrics } = clusterOptions;

const { run: runName, ...withoutRun } = brokerOptions;

/** The options of `fanout cluster feed`. */
export const feedOptions = {
  unique,
  remap,
  include,
  exclude: runOptions.exclude,
  excludeFile: runOptions.excludeFile,
  defaultScheme,
  allowEmpty,
  null: nullSeparated,
  column,
  ...brokerOptions,
  ...newRunOptions,
  reconcile: option({
    flags: '--reconcile',
    group: 'Cluster',
    parser: boolean,
    default: false,
    help: 'send again what has no result',
    details: 'For a broker that has lost data. The collector must be running.',
    notInFile: true,
  }),
  metrics,
  json: option({
    flags: '--json',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print one JSON object at the end: what was sent',
  }),
  config,
  printConfig,
};

/** The options of `fanout cluster work`. */
export const workOptions = {
  ...workerOptions,
  verbose,
  ...brokerOptions,
  lanes,
  drainTimeout,
  store,
  metrics,
  config,
  printConfig,
};

/** The options of `fanout cluster collect`. */
export const collectOptions = {
  deadline,
  failFast,
  maxFailures,
  ...collectorOutputs,
  ...brokerOptions,
  manifest,
  store: option({
    flags: '--store <place>',
    group: 'Cluster',
    parser: shardPlace,
    default: undefined,
    help: 'directory or s3://BUCKET that workers write results to',
    details: 'Without it, they are only counted.',
  }),
  metrics,
  config,
  printConfig,
};

/** The options of `fanout cluster status`. */
export const statusOptions = {
  ...brokerOptions,
  json: option({
    flags: '--json',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print one JSON object',
  }),
  watch: option({
    flags: '--watch',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'print the status every second until the run ends',
  }),
  config,
  printConfig,
};

const jsonLines = option({ ...statusOptions.json, help: 'print one JSON object per line' });

/** The options of `fanout cluster dead`. */
export const deadOptions = { ...brokerOptions, json: jsonLines, output, config, printConfig };

/** The options of `fanout cluster purge`. */
export const purgeOptions = {
  ...brokerOptions,
  yes: option({
    flags: '--yes',
    group: 'Cluster',
    parser: boolean,
    default: false,
    help: 'delete a run that is not complete without asking',
    notInFile: true,
  }),
  json: statusOptions.json,
  config,
  printConfig,
};

/** The options of `fanout cluster workers`. */
export const workersOptions = { ...brokerOptions, json: jsonLines, config, printConfig };

/** The options of `fanout cluster resume`. */
export const resumeOptions = { ...brokerOptions, json: statusOptions.json, config, printConfig };

/** The options of `fanout cluster stop` and `fanout cluster pause`. */
export const stopOptions = {
  ...brokerOptions,
  reason: option({
    flags: '--reason <text>',
    group: 'Cluster',
    parser: reasonText,
    default: undefined,
    help: 'why, for messages and "fanout cluster status"',
    notInFile: true,
  }),
  json: statusOptions.json,
  config,
  printConfig,
};

/** The options of `fanout cluster runs`. */
export const runsOptions = { ...withoutRun, json: jsonLines, config, printConfig };
