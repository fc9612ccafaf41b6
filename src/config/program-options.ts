import { systemReason, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import { clusterOptions } from './cluster-options.ts';
import { feedOptions, statusOptions } from './command-options.ts';
import {
  type GivenOptions,
  InvalidValueError,
  type OptionValues,
  option,
  type ResolvedOptions,
  type Table,
} from './option.ts';
import {
  type ConfigFile,
  checkFileKeys,
  checkVariables,
  type Environment,
  optionsFromEnvironment,
  optionsFromFile,
  optionsFromFlags,
  readConfigFile,
} from './option-sources.ts';
import { formatOfName, outputOptions } from './output-options.ts';
import { threadCount } from './parse/numbers.ts';
import { keysOfTemplate, type RecordKey } from './parse/record-format.ts';
import { urlPatterns } from './parse/texts.ts';
import { checkRefresh, checkRequirements, type Requirements, resolveOptions } from './resolve-options.ts';
import { deriveRunOptions, type RunOptions, runOptions } from './run-options.ts';

/** The options of `fanout fetch`. */
export const fetchOptions = {
  ...runOptions,
  threads: option({
    flags: '--threads <n|auto>',
    group: 'Speed and politeness',
    parser: threadCount,
    default: 1,
    help: 'number of threads that send requests',
    details:
      'Limits and rates hold for all of them together. auto starts a thread when the program is busy all the time and a core is idle, up to one less than there are cores.',
  }),
  ...outputOptions,
};

/** All options of a run, in one process or on many machines. */
export const programOptions = { ...fetchOptions, ...clusterOptions };

/** Every option that a variable or a configuration file may set: one file serves all commands. */
const knownOptions: Table = { ...programOptions, ...feedOptions, ...statusOptions };

/** The resolved options of the program. `json` has become `format`. */
export type ProgramOptions = RunOptions &
  Omit<OptionValues<typeof programOptions>, keyof typeof runOptions | 'json'>;

const REQUIREMENTS: Requirements<typeof programOptions> = {
  updateBaseline: ['baseline', '--baseline'],
  checksums: ['saveDir', '--save-dir'],
  refresh: ['saveDir', '--save-dir'],
  journalAge: ['journal', '--journal'],
  keepFailed: ['journal', '--journal'],
  flakyAfter: ['flakyState', '--flaky-state'],
  flakyState: ['flakyAfter', '--flaky-after'],
};

/** What is given to the program. Flags win over the environment, which wins over the file. */
export interface ProgramSources {
  /** The flags that were typed, by key. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/**
 * Resolves the options in `table`, a part of `programOptions`; the others have their defaults. `version` is the one in
 * the default user agent. Throws `UsageError`.
 */
export function resolveProgramOptions(
  table: Table,
  sources: ProgramSources,
  version: string,
): ProgramOptions {
  const resolved = resolveOptions(programOptions, toGiven(table, sources));
  checkRequirements(resolved, REQUIREMENTS);
  checkRefresh(resolved);
  const { json, ...values } = { ...resolved.values, ...deriveRunOptions(resolved, version) };
  const options: ProgramOptions = {
    ...values,
    format: json ? 'jsonl' : (formatOfOutput(resolved) ?? values.format),
    // As for a body that is saved.
    maxSize: values.body && !resolved.labels.has('maxSize') ? Number.POSITIVE_INFINITY : values.maxSize,
  };
  if ('format' in table && options.inlineBody !== undefined && options.format !== 'jsonl') {
    throw new UsageError(`${resolved.labels.get('inlineBody')} needs --json`);
  }
  if ('format' in table && options.record !== undefined && !showsRecord(options, options.record)) {
    throw new UsageError(`${resolved.labels.get('record')} needs --json`);
  }
  return Object.freeze({
    ...options,
    hashesBodies: writesHashes(options),
    keeps: [...(options.record ?? []), ...keysOfTemplate(options.template)],
  });
}

/**
 * The format that the name of the output chooses; `undefined` if another option does. Throws a `UsageError` for a name that
 * promises a format of reports: the file would have lines of text.
 */
function formatOfOutput({
  values,
  labels,
}: ResolvedOptions<typeof programOptions>): 'jsonl' | 'csv' | undefined {
  const { output = '', saveDir } = values;
  if (labels.has('format') || values.template !== undefined) return undefined;
  const format = formatOfName(output);
  if (format === undefined || format === 'jsonl' || format === 'csv') return format;
  const page =
    format === 'html' && saveDir === undefined ? '; for the page itself use --save-dir DIR or --body' : '';
  throw new UsageError(
    `invalid value "${excerpt(output)}" for ${labels.get('output')}: results are text, JSONL or CSV, so choose with --format; ` +
      `for a report use --report ${format}=${excerpt(output)}${page}`,
  );
}

/** Whether the records may have headers or bodies of responses, which may be secrets. */
export function hasPrivateRecords({ keeps, inlineBody }: ProgramOptions): boolean {
  return keeps.includes('headers') || inlineBody !== undefined;
}

/** Resolves the options of a command that fetches nothing itself. Throws `UsageError`. */
export function resolveCommandOptions<T extends Table>(
  table: T,
  sources: ProgramSources,
): ResolvedOptions<T> {
  return resolveOptions(table, toGiven(table, sources));
}

/**
 * What the sources give for the options in the table. Those of other commands are not even parsed: they may name a
 * secret that this machine does not have. Throws a `UsageError` for a name that no command knows.
 */
function toGiven(table: Table, { flags, environment, file }: ProgramSources): readonly GivenOptions[] {
  checkVariables(knownOptions, environment);
  if (file !== undefined) checkFileKeys(knownOptions, file);
  return [
    optionsFromFlags(table, flags, environment),
    optionsFromEnvironment(table, environment),
    ...(file === undefined ? [] : [optionsFromFile(table, file, environment)]),
  ];
}

/** Whether an output has one of these keys of records. CSV has no column for headers. */
function showsRecord(options: ProgramOptions, keys: readonly RecordKey[]): boolean {
  const { format, journal, report, template, broker } = options;
  if ([journal, report, template, broker].some((output) => output !== undefined)) return true;
  return format === 'jsonl' || (format === 'csv' && keys.some((key) => key !== 'headers'));
}

/** Whether an output has the hashes of bodies. A hash costs as much as everything else that is done with a large body. */
function writesHashes(options: ProgramOptions): boolean {
  const { format, journal, report, broker, checksums, refresh, template = [] } = options;
  const hasFiles = checksums !== undefined || refresh !== undefined;
  const hasRecords = format === 'jsonl' || report !== undefined || hasFiles;
  const isShown = template.some((part) => 'field' in part && part.field === 'sha256');
  return hasRecords || isShown || journal !== undefined || broker !== undefined;
}

/** The sources of options before the configuration file is read. */
interface ConfigSources extends Omit<ProgramSources, 'file'> {
  /** Returns the text of a file, or fails as `node:fs` does; `isNamed` says that the user has named it. */
  readText(path: string, isNamed: boolean): Promise<string>;
}

/** Options with the expressions of `excludeFile` in `exclude`, too. Throws a `UsageError` if the file cannot be used. */
export async function withExcludeFile<T extends Pick<RunOptions, 'exclude' | 'excludeFile'>>(
  options: T,
  readText: ConfigSources['readText'],
): Promise<T> {
  const { exclude, excludeFile } = options;
  if (excludeFile === undefined) return options;
  const name = `"${excerpt(excludeFile)}" for --exclude-file`;
  const text = await readText(excludeFile, true).catch((error: unknown) => {
    throw new UsageError(`cannot read ${name}: ${printable(systemReason(error))}`);
  });
  const expressions: RegExp[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const written = line.trim(); // drops a byte-order mark, too
    if (written === '' || written.startsWith('#')) continue;
    const where = `"${excerpt(written)}" in line ${index + 1} of ${name}`;
    expressions.push(...parsePatterns(written, where));
  }
  const all = [...exclude, ...expressions];
  return Object.freeze({ ...options, exclude: parsePatterns(urlPatterns.print(all), `in ${name}`) });
}

function parsePatterns(value: unknown, where: string): readonly RegExp[] {
  try {
    return urlPatterns.parse(value);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new UsageError(`invalid value ${where}: ${error.message}`);
  }
}

/** Reads the configuration file, and resolves the options in `table`, as `resolveProgramOptions`. */
export async function loadProgramOptions(
  table: Table,
  sources: ConfigSources,
  version: string,
): Promise<ProgramOptions> {
  const { flags, environment } = sources;
  return resolveProgramOptions(table, { flags, environment, file: await loadConfigFile(sources) }, version);
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
