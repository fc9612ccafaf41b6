import {
  brokerOptions,
  laneOptions,
  metricsOptions,
  newRunOptions,
  readShardsOptions,
  reconcileOptions,
  storeOptions,
  writtenShardsOptions,
} from './cluster-options.ts';
import { option } from './option.ts';
import { outputOptions, reportOptions } from './output-options.ts';
import { boolean } from './parse/numbers.ts';
import { fileName } from './parse/texts.ts';
import { runOptions } from './run-options.ts';

// Of the options of a run: those that end it are for the whole run, which no worker sees.
const { unique, defaultScheme, deadline, failFast, maxFailures, ...fetching } = runOptions;

/** What ends a run before its list does: for the collector, which sees all results. */
const limitOptions = { deadline, failFast, maxFailures };

// Of the options of the outputs: results come from the broker, and what keeps them is the file of --store.
const { allowEmpty, sitemap, journal, keepFailed, config, printConfig, dryRun, ...outputs } = outputOptions;

/** Where options come from beside the command line: for each command of several machines. */
const configOptions = { config, printConfig };

/** The options of `fanout feed`. */
export const feedOptions = {
  unique,
  defaultScheme,
  allowEmpty,
  ...brokerOptions,
  ...newRunOptions,
  ...reconcileOptions,
  ...metricsOptions,
  ...configOptions,
};

/** The options of `fanout work`. */
export const workOptions = {
  ...fetching,
  ...brokerOptions,
  ...laneOptions,
  ...writtenShardsOptions,
  ...metricsOptions,
  ...configOptions,
};

/** The options of `fanout collect`. */
export const collectOptions = {
  ...limitOptions,
  ...outputs,
  ...reportOptions,
  ...brokerOptions,
  ...storeOptions,
  ...readShardsOptions,
  ...metricsOptions,
  ...configOptions,
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
  ...configOptions,
};

/** The options of `fanout dead`. */
export const deadOptions = {
  ...brokerOptions,
  output: option({
    flags: '-o, --output <file>',
    group: 'Output',
    parser: fileName,
    default: undefined,
    help: 'write to this file and not to standard output',
  }),
  ...configOptions,
};

/** The options of `fanout purge`. */
export const purgeOptions = { ...brokerOptions, ...configOptions };
