import { UsageError } from '../model/errors.ts';
import { type ClusterOptions, clusterOptions, refuseJournal } from './cluster-options.ts';
import { deriveRunOptions } from './derive-run-options.ts';
import { refuseThreads, type ThreadOptions, threadOptions } from './network-options.ts';
import {
  type ConfigFile,
  type Environment,
  environmentLayer,
  fileLayer,
  flagLayer,
  type ResolvedOptions,
  readConfigFile,
  resolveOptions,
} from './option-sources.ts';
import { type OutputOptions, outputOptions, type ReportOptions, reportOptions } from './output-options.ts';
import { type RunOptions, runOptions } from './run-options.ts';

/** All options of `fanout fetch`. */
export const programOptions = {
  ...runOptions,
  ...threadOptions,
  ...clusterOptions,
  ...outputOptions,
  ...reportOptions,
};

export type ProgramOptions = RunOptions & ThreadOptions & ClusterOptions & OutputOptions & ReportOptions;

/** Everything that was given to the program. Flags win over the environment, which wins over the file. */
interface ProgramLayers {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/** Resolves the options of the program; throws `UsageError`. `version` is named in the default user agent. */
export function resolveProgramOptions(layers: ProgramLayers, version: string): ProgramOptions {
  const { flags, environment, file } = layers;
  const settled = resolveOptions(programOptions, [
    flagLayer(programOptions, flags, environment),
    environmentLayer(programOptions, environment),
    ...(file === undefined ? [] : [fileLayer(programOptions, file, environment)]),
  ]);
  refuseJournal(settled);
  refuseThreads(settled);
  requirePartners(settled);
  const { json, ...values } = { ...settled.values, ...deriveRunOptions(settled, version) };
  const options: ProgramOptions = { ...values, format: json ? 'jsonl' : values.format };
  return Object.freeze({ ...options, hashesBodies: writesHashes(options) });
}

/** Whether records are written: to hash a large body costs as much as all else that is done with it. */
function writesHashes({ format, journal, report, updateBaseline, broker }: ProgramOptions): boolean {
  const hasRecords = format === 'jsonl' || report !== undefined || updateBaseline;
  return hasRecords || journal !== undefined || broker !== undefined;
}

// What makes no sense without another option: the option, and what it needs.
const PARTNERS: Readonly<Record<string, 'baseline' | 'broker' | 'flakyAfter' | 'journal' | 'state'>> = {
  updateBaseline: 'baseline',
  keepFailed: 'journal',
  flakyAfter: 'state',
  state: 'flakyAfter',
  run: 'broker',
  brokerCreds: 'broker',
  brokerCa: 'broker',
  chunk: 'broker',
  partitions: 'broker',
  ackWait: 'broker',
  maxQueued: 'broker',
  maxLog: 'broker',
  replicas: 'broker',
  lanes: 'broker',
  store: 'broker',
  shards: 'broker',
  metrics: 'broker',
};

function requirePartners({ values, places }: ResolvedOptions<typeof programOptions>): void {
  const held = new Map<string, unknown>(Object.entries(values));
  for (const [key, partner] of Object.entries(PARTNERS)) {
    // A `false` in a file asks for nothing.
    if (!held.get(key) || held.get(partner) !== undefined) continue;
    const flag = /--[\w-]+/.exec(programOptions[partner].flags)?.[0];
    throw new UsageError(`Cannot use ${places.get(key)} alone: it needs ${flag}, too`);
  }
}

/** What the options of the program are made of. `readText` gives the text of a file, or fails as `node:fs` does. */
interface ProgramSources {
  /** Flags that were really given, by key. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readText(path: string): Promise<string>;
}

/** Finds and reads the configuration file, and resolves the options of the program; throws `UsageError`. */
export async function loadProgramOptions(sources: ProgramSources, version: string): Promise<ProgramOptions> {
  const { flags, environment } = sources;
  return resolveProgramOptions({ flags, environment, file: await loadConfigFile(sources) }, version);
}

/** Finds and reads the configuration file, if there is one; throws `UsageError`. */
export function loadConfigFile(sources: ProgramSources): Promise<ConfigFile | undefined> {
  const { flags, environment, readText } = sources;
  return readConfigFile(namedFile(flags, environment), readText);
}

// Which file to read must be known before the options of the file are.
function namedFile(flags: ProgramSources['flags'], environment: Environment): string | undefined {
  const table = { config: outputOptions.config };
  const given = flags.config === undefined ? {} : { config: flags.config };
  return resolveOptions(table, [flagLayer(table, given, environment), environmentLayer(table, environment)])
    .values.config;
}
