import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { EncodedChunk } from '../cluster/chunk.ts';
import { type JetStreamEngine, type NewRun, openRun } from '../cluster/jetstream-engine.ts';
import type { Metrics } from '../cluster/metrics.ts';
import type { RunSettings } from '../cluster/run-settings.ts';
import { ShardReader, ShardWriter } from '../cluster/shards.ts';
import { brokerOptions, type newRunOptions } from '../config/cluster-options.ts';
import type { OptionValues, ResolvedOptions, Table } from '../config/option.ts';
import {
  type ConfigFile,
  type Environment,
  optionsFromEnvironment,
  optionsFromFile,
  optionsFromFlags,
  toVariableName,
} from '../config/option-sources.ts';
import type { ListenAddress } from '../config/parse/addresses.ts';
import {
  loadConfigFile,
  type ProgramOptions,
  programOptions,
  resolveProgramOptions,
} from '../config/program-options.ts';
import { resolveOptions } from '../config/resolve-options.ts';
import { type Input, inputName } from '../input/input.ts';
import type { InputCounts } from '../input/read-jobs.ts';
import { systemReason, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { packageVersion } from '../model/version.ts';

const DEFAULT_SETTINGS: RunSettings = {
  chunk: 500,
  partitions: 1,
  ackWaitMs: 60_000,
  maxQueued: 20_000,
  maxLog: 5000,
  replicas: 1,
};

/** A run that the broker has, and the connection to it. */
export interface ConnectedRun {
  readonly engine: JetStreamEngine;
  readonly run: string;
}

/** Connects to the run that the options name, and creates it if `newRun` is given. Throws a `UsageError`. */
export async function connectToRun(
  values: OptionValues<typeof brokerOptions>,
  warn: (message: string) => void,
  newRun?: NewRun,
): Promise<ConnectedRun> {
  const { broker, run, brokerCreds, brokerCa } = values;
  if (broker === undefined) {
    throw new UsageError(
      'Cannot tell where the run is: give --broker, as in "--broker nats://127.0.0.1:4222"',
    );
  }
  if (run === undefined) throw new UsageError('Cannot tell which run is meant: give it a name with --run');
  const credentials = await readOptionFile(brokerCreds, '--broker-creds');
  const ca = await readOptionFile(brokerCa, '--broker-ca');
  const engine = await openRun({ address: { ...broker, credentials, ca }, run, warn }, newRun);
  return { engine, run };
}

async function readOptionFile(path: string | undefined, flag: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`Cannot read ${printable(path)} for ${flag}: ${printable(systemReason(error))}`);
  }
}

/** Returns the settings of a new run: those of the flags, and the defaults for the rest. */
export function toNewRun(values: OptionValues<typeof newRunOptions>): NewRun {
  const wanted: { -readonly [Key in keyof RunSettings]?: RunSettings[Key] } = {};
  const { chunk, partitions, ackWait, maxQueued, maxLog, replicas } = values;
  if (chunk !== undefined) wanted.chunk = chunk;
  if (partitions !== undefined) wanted.partitions = partitions;
  if (ackWait !== undefined) wanted.ackWaitMs = ackWait;
  if (maxQueued !== undefined) wanted.maxQueued = maxQueued;
  if (maxLog !== undefined) wanted.maxLog = maxLog;
  if (replicas !== undefined) wanted.replicas = replicas;
  return { settings: { ...DEFAULT_SETTINGS, ...wanted }, wanted };
}

/** Returns what a list must have in common with an earlier one to continue feeding the same run. */
export function describeList(
  inputs: readonly Input[],
  options: Pick<ProgramOptions, 'unique' | 'defaultScheme'> & { readonly sitemap?: boolean },
): readonly string[] {
  const { unique, defaultScheme, sitemap } = options;
  return [
    ...inputs.map(inputName),
    `unique=${unique}`,
    `default-scheme=${defaultScheme ?? ''}`,
    ...(sitemap ? ['sitemap'] : []),
  ];
}

/** Where the options of a cluster command come from. */
interface OptionSources {
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/** Adds the configuration file to flags and environment. Throws a `UsageError` if it cannot be read. */
export async function loadOptionSources(
  flags: OptionSources['flags'],
  environment: Environment,
): Promise<OptionSources> {
  const readText = (path: string) => readFile(path, 'utf8');
  return { flags, environment, file: await loadConfigFile({ flags, environment, readText }) };
}

/** Resolves the options in the table, and ignores those of other commands. Throws a `UsageError`. */
export function resolveClusterOptions<T extends Table>(table: T, sources: OptionSources): ResolvedOptions<T> {
  checkNames(table, sources);
  const { flags, environment, file } = pickSources(table, sources);
  return resolveOptions(table, [
    optionsFromFlags(table, flags, environment),
    optionsFromEnvironment(table, environment),
    ...(file === undefined ? [] : [optionsFromFile(table, file, environment)]),
  ]);
}

/**
 * Resolves the options of a command that only looks at a run or changes it, such as `status`. The configuration file gives
 * the broker only: its other keys, such as `output`, are for the commands that make up the run. Throws a `UsageError`.
 */
export function resolveAdminOptions<T extends Table>(table: T, sources: OptionSources): ResolvedOptions<T> {
  checkNames(table, sources);
  return resolveClusterOptions(table, { ...sources, file: pickSources(brokerOptions, sources).file });
}

/** Resolves all options of a run: those in the table from the sources, the others to their defaults. Throws a `UsageError`. */
export function resolveRunOptions(table: Table, sources: OptionSources, version: string): ProgramOptions {
  checkNames(table, sources);
  const shared = Object.fromEntries(
    Object.entries(table).filter(([key]) => Object.hasOwn(programOptions, key)),
  );
  return resolveProgramOptions(pickSources(shared, sources), version);
}

// One configuration file serves all commands, so a key or variable is wrong only if neither `fetch` nor this command has it.
function checkNames(table: Table, { environment, file }: OptionSources): void {
  const all = { ...programOptions, ...table };
  optionsFromEnvironment(all, environment);
  if (file !== undefined) optionsFromFile(all, file, environment);
}

// Other options are not even parsed: they may name a secret that this machine does not have.
function pickSources(table: Table, { flags, environment, file }: OptionSources): OptionSources {
  const variables = new Set(Object.keys(table).map(toVariableName));
  const isInTable = ([key]: readonly [string, unknown]) => Object.hasOwn(table, key);
  return {
    flags: Object.fromEntries(Object.entries(flags).filter(isInTable)),
    environment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => !name.startsWith('FANOUT_') || variables.has(name)),
    ),
    file: file && { ...file, values: Object.fromEntries(Object.entries(file.values).filter(isInTable)) },
  };
}

interface MetricsRole {
  readonly role: 'feed' | 'work' | 'collect' | 'fetch';
  readonly run: string | undefined;
  readonly process: Pick<NodeJS.Process, 'version'>;
  readonly warn: (message: string) => void;
}

/** Serves metrics at the address of `--metrics`. The code is loaded on use. Throws a `UsageError` if the address cannot be used. */
export async function createMetrics(
  address: ListenAddress | undefined,
  { role, run = '', process, warn }: MetricsRole,
): Promise<Metrics | undefined> {
  if (address === undefined) return undefined;
  const { Metrics } = await import('../cluster/metrics.ts');
  const metrics = await Metrics.open({
    ...address,
    version: packageVersion(),
    nodeVersion: process.version,
    role,
    run,
  });
  warn(`metrics are at ${metrics.url}`);
  return metrics;
}

/** Adds the state of the broker and of the feed to the metrics. Returns a function to be called with each chunk that was sent. */
export function countSentChunks(
  metrics: Metrics,
  engine: JetStreamEngine,
  counts: Readonly<InputCounts>,
): (chunk: EncodedChunk) => void {
  const sent = { chunks: 0, urls: 0 };
  metrics.watchBroker(engine, { hasQueue: true });
  metrics.watchFeed({
    read: () => counts.read,
    skipped: () => counts.skipped,
    sentChunks: () => sent.chunks,
    sentUrls: () => sent.urls,
  });
  return ({ count }) => {
    sent.chunks += 1;
    sent.urls += count;
  };
}

/** Throws a `UsageError` if records with bodies would have to go through the broker. */
export function checkInlineBody({ inlineBody, shards }: ProgramOptions): void {
  if (inlineBody === undefined || shards !== undefined) return;
  throw new UsageError(
    'Cannot use --inline-body with a broker, whose messages are too small: give --shards DIR, too, and the records go there; or save bodies with --save-dir DIR',
  );
}

/** Creates what writes the results of this worker into the directory of `--shards`. Throws an `OutputError`. */
export async function createShardWriter(
  { shards }: ProgramOptions,
  process: NodeJS.Process,
): Promise<ShardWriter | undefined> {
  return shards === undefined ? undefined : ShardWriter.open(shards, workerName(process.pid));
}

/**
 * Creates what reads the results that workers write into the directory of `--shards`, which may not exist yet.
 * Throws a `UsageError` if it is not a directory.
 */
export async function createWorkerShardReader({ shards }: ProgramOptions): Promise<ShardReader | undefined> {
  if (shards === undefined) return undefined;
  const status = await stat(shards).catch(() => undefined);
  if (status === undefined || status.isDirectory()) return new ShardReader(shards);
  throw new UsageError(
    `Cannot use "${printable(shards, 200)}" for --shards: it must be the directory that the workers write to`,
  );
}

/** Returns the name of a worker in records, in the log of results and in the names of its shards: host name and process id. */
export function workerName(pid: number): string {
  const host = hostname()
    .replace(/[^\w.-]+/g, '_')
    .replace(/^\W+/, '')
    .slice(0, 100);
  return `${host || 'worker'}-${pid}`;
}
