import { REPORT_KINDS } from '../model/result.ts';
import { brokerOptions, clusterOptions, newRunOptions } from './cluster-options.ts';
import { type OptionValues, option } from './option.ts';
import { outputOptions } from './output-options.ts';
import { directoryName, fileName } from './parse/names.ts';
import { duration, ratio } from './parse/numbers.ts';
import { boolean, oneOf } from './parse/texts.ts';
import { runOptions } from './run-options.ts';

// The options of each command but `fetch`, whose table is `programOptions`.

const output = option({
  flags: '-o, --output <file>',
  group: 'Output',
  parser: fileName,
  default: undefined,
  help: 'write to this file and not to standard output',
});

/** The options of `fanout report`. */
export const reportCommandOptions = {
  format: option({
    flags: '--format <format>',
    group: 'Output',
    parser: oneOf(['text', 'jsonl', 'csv', ...REPORT_KINDS]),
    default: 'text',
    help: 'write text, jsonl, csv, junit, json, markdown or html',
  }),
  output,
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

export type ReportCommandOptions = OptionValues<typeof reportCommandOptions>;

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
  output,
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

export type DiffOptions = OptionValues<typeof diffOptions>;

// The collector has the options that limit a whole run, since only it sees all results. Workers have none of them.
const { unique, defaultScheme, deadline, failFast, maxFailures, ...workerOptions } = runOptions;

// The collector has no inputs and no journal: results come from the broker, and the file of --store keeps them.
const { allowEmpty, sitemap, journal, keepFailed, config, printConfig, dryRun, ...collectorOutputs } =
  outputOptions;

const { lanes, shards, store, metrics } = clusterOptions;

/** The options of `fanout feed`. */
export const feedOptions = {
  unique,
  defaultScheme,
  allowEmpty,
  ...brokerOptions,
  ...newRunOptions,
  reconcile: option({
    flags: '--reconcile',
    group: 'Several machines',
    parser: boolean,
    default: false,
    help: 'send again what has no result, after the broker has lost something; the collector must run',
    notInFile: true,
  }),
  metrics,
  config,
  printConfig,
};

/** The options of `fanout work`. */
export const workOptions = {
  ...workerOptions,
  ...brokerOptions,
  lanes,
  shards,
  metrics,
  config,
  printConfig,
};

/** The options of `fanout collect`. */
export const collectOptions = {
  deadline,
  failFast,
  maxFailures,
  ...collectorOutputs,
  ...brokerOptions,
  store,
  shards: option({
    flags: '--shards <dir>',
    group: 'Several machines',
    parser: directoryName,
    default: undefined,
    help: 'read the results that workers write with --shards in this directory; without it they are counted alone',
  }),
  metrics,
  config,
  printConfig,
};

/** The options of `fanout status`. */
export const statusOptions = {
  ...brokerOptions,
  json: option({
    flags: '--json',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write one JSON object',
  }),
  watch: option({
    flags: '--watch',
    group: 'Output',
    parser: boolean,
    default: false,
    help: 'write it again every second, until the run is complete or stopped',
  }),
  config,
  printConfig,
};

/** The options of `fanout dead`. */
export const deadOptions = { ...brokerOptions, output, config, printConfig };

/** The options of `fanout purge`. */
export const purgeOptions = { ...brokerOptions, config, printConfig };
