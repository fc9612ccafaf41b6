import { UsageError } from '../model/errors.ts';
import { clusterOptions, JOURNAL_CONFLICTS } from './cluster-options.ts';
import { type OptionValues, option, type ResolvedOptions } from './option.ts';
import {
  type ConfigFile,
  type Environment,
  optionsFromEnvironment,
  optionsFromFile,
  optionsFromFlags,
  readConfigFile,
} from './option-sources.ts';
import { outputOptions } from './output-options.ts';
import { wholeNumber } from './parse/numbers.ts';
import { checkRequirements, type Requirements, resolveOptions } from './resolve-options.ts';
import { deriveRunOptions, type RunOptions, runOptions } from './run-options.ts';

/** All options of `fanout fetch`. */
export const programOptions = {
  ...runOptions,
  threads: option({
    flags: '--threads <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: 1,
    help: 'fetch in so many threads, each with its part of the hosts and of the workers',
  }),
  ...clusterOptions,
  ...outputOptions,
};

/** The resolved options of the program. `json` has become `format`. */
export type ProgramOptions = RunOptions &
  Omit<OptionValues<typeof programOptions>, keyof typeof runOptions | 'json'>;

const BROKER = ['broker', '--broker'] as const;

const REQUIREMENTS: Requirements<typeof programOptions> = {
  updateBaseline: ['baseline', '--baseline'],
  keepFailed: ['journal', '--journal'],
  flakyAfter: ['flakyState', '--flaky-state'],
  flakyState: ['flakyAfter', '--flaky-after'],
  run: BROKER,
  brokerCreds: BROKER,
  brokerCa: BROKER,
  chunk: BROKER,
  partitions: BROKER,
  ackWait: BROKER,
  maxQueued: BROKER,
  maxLog: BROKER,
  replicas: BROKER,
  lanes: BROKER,
  store: BROKER,
  shards: BROKER,
  metrics: BROKER,
};

/** What is given to the program. Flags win over the environment, which wins over the file. */
interface ProgramSources {
  /** The flags that were typed, by key. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/** Resolves the options of the program. `version` is the one in the default user agent. Throws `UsageError`. */
export function resolveProgramOptions(sources: ProgramSources, version: string): ProgramOptions {
  const { flags, environment, file } = sources;
  const resolved = resolveOptions(programOptions, [
    optionsFromFlags(programOptions, flags, environment),
    optionsFromEnvironment(programOptions, environment),
    ...(file === undefined ? [] : [optionsFromFile(programOptions, file, environment)]),
  ]);
  checkBroker(resolved);
  checkRequirements(resolved, REQUIREMENTS);
  const { json, ...values } = { ...resolved.values, ...deriveRunOptions(resolved, version) };
  const options: ProgramOptions = { ...values, format: json ? 'jsonl' : values.format };
  return Object.freeze({ ...options, hashesBodies: writesHashes(options) });
}

/** Throws a `UsageError` for options that a run over several machines does not have. */
function checkBroker({ values }: ResolvedOptions<typeof programOptions>): void {
  if (values.broker === undefined) return;
  const flag = values.journal !== undefined ? '--journal' : values.keepFailed ? '--keep-failed' : undefined;
  if (flag !== undefined) {
    throw new UsageError(`Cannot use ${flag} with --broker: ${JOURNAL_CONFLICTS[flag]}`);
  }
  if (values.threads > 1) {
    throw new UsageError(
      'Cannot use --threads with --broker: each process of such a run has one; start fanout work once for each core',
    );
  }
}

/** Whether an output has the hashes of bodies. A hash costs as much as everything else that is done with a large body. */
function writesHashes({ format, journal, report, updateBaseline, broker }: ProgramOptions): boolean {
  const hasRecords = format === 'jsonl' || report !== undefined || updateBaseline;
  return hasRecords || journal !== undefined || broker !== undefined;
}

/** The sources of options before the configuration file is read. */
interface ConfigSources extends Omit<ProgramSources, 'file'> {
  /** Returns the text of a file, or fails as `node:fs` does. */
  readText(path: string): Promise<string>;
}

/** Reads the configuration file, and resolves the options of the program. Throws `UsageError`. */
export async function loadProgramOptions(sources: ConfigSources, version: string): Promise<ProgramOptions> {
  const { flags, environment } = sources;
  return resolveProgramOptions({ flags, environment, file: await loadConfigFile(sources) }, version);
}

/** Reads the file of `--config` or `FANOUT_CONFIG`, or the default one if it exists. Throws `UsageError`. */
export function loadConfigFile(sources: ConfigSources): Promise<ConfigFile | undefined> {
  const { flags, environment, readText } = sources;
  // Only this option is resolved: the others may come from the file.
  const table = { config: outputOptions.config };
  const configFlag = flags.config === undefined ? {} : { config: flags.config };
  const { values } = resolveOptions(table, [
    optionsFromFlags(table, configFlag, environment),
    optionsFromEnvironment(table, environment),
  ]);
  return readConfigFile(values.config, readText);
}
