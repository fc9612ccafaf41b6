import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { EncodedChunk } from '../cluster/chunk.ts';
import { type JetStreamEngine, type NewRun, openRun } from '../cluster/jetstream-engine.ts';
import type { RunSettings } from '../cluster/jetstream-setup.ts';
import type { Metrics } from '../cluster/metrics.ts';
import { ShardReader, ShardWriter } from '../cluster/shards.ts';
import { brokerOptions, type newRunOptions } from '../config/cluster-options.ts';
import type { OptionValues, ResolvedOptions, Table } from '../config/option.ts';
import type { Environment } from '../config/option-sources.ts';
import type { ListenAddress } from '../config/parse/addresses.ts';
import {
  hasPrivateRecords,
  loadConfigFile,
  type ProgramOptions,
  type ProgramSources,
  resolveCommandOptions,
} from '../config/program-options.ts';
import { readSettings } from '../core/own-file.ts';
import { type Input, inputName } from '../input/input.ts';
import type { InputCounts } from '../input/read-jobs.ts';
import { systemReason, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import { packageVersion } from '../model/version.ts';
import type { Messages } from './terminal.ts';

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
  { warn, note }: Messages,
  newRun?: NewRun,
): Promise<ConnectedRun> {
  const { broker, run, brokerCreds, brokerCa } = values;
  if (broker === undefined) {
    throw new UsageError('--broker is missing: name the NATS server, as in --broker nats://127.0.0.1:4222');
  }
  if (run === undefined) throw new UsageError('--run is missing: name the run, as in --run may');
  const credentials = await readOptionFile(brokerCreds, '--broker-creds');
  const ca = await readOptionFile(brokerCa, '--broker-ca');
  const engine = await openRun({ address: { ...broker, credentials, ca }, run, warn, note }, newRun);
  return { engine, run };
}

async function readOptionFile(path: string | undefined, flag: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readSettings(path);
  } catch (error) {
    throw new UsageError(`cannot read ${excerpt(path)} for ${flag}: ${printable(systemReason(error))}`);
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
  options: Pick<ProgramOptions, 'unique' | 'include' | 'exclude' | 'defaultScheme' | 'null' | 'column'> & {
    readonly sitemap?: boolean;
  },
): readonly string[] {
  const { unique, include, exclude, defaultScheme, null: isNullSeparated, column, sitemap } = options;
  return [
    ...inputs.map(inputName),
    `unique=${unique}`,
    `default-scheme=${defaultScheme ?? ''}`,
    ...include.map((expression) => `include=${expression}`),
    ...exclude.map((expression) => `exclude=${expression}`),
    ...(sitemap ? ['sitemap'] : []),
    ...(isNullSeparated ? ['null'] : []),
    ...(column === undefined ? [] : [`column=${column}`]),
  ];
}

/** Adds the configuration file to flags and environment. Throws a `UsageError` if it cannot be read. */
export async function loadOptionSources(
  flags: ProgramSources['flags'],
  environment: Environment,
): Promise<ProgramSources> {
  const file = await loadConfigFile({ flags, environment, readText: readSettings });
  return { flags, environment, file };
}

/**
 * Resolves the options of a command that only looks at a run or changes it, such as `status`. The configuration file gives
 * the broker only: its other keys, such as `output`, are for the commands that make up the run. Throws a `UsageError`.
 */
export function resolveAdminOptions<T extends Table>(table: T, sources: ProgramSources): ResolvedOptions<T> {
  const { file } = sources;
  const isForBroker = ([key]: readonly [string, unknown]) => Object.hasOwn(brokerOptions, key);
  const given = file && {
    ...file,
    values: Object.fromEntries(Object.entries(file.values).filter(isForBroker)),
  };
  // The whole file is checked for unknown keys.
  resolveCommandOptions({}, { ...sources, flags: {} });
  return resolveCommandOptions(table, { ...sources, file: given });
}

interface MetricsRole {
  readonly role: 'feed' | 'work' | 'collect' | 'fetch';
  readonly run: string | undefined;
  readonly process: Pick<NodeJS.Process, 'version'>;
  readonly note: Messages['note'];
}

/** Serves metrics at the address of `--metrics`. The code is loaded on use. Throws a `UsageError` if the address cannot be used. */
export async function createMetrics(
  address: ListenAddress | undefined,
  { role, run = '', process, note }: MetricsRole,
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
  note(`metrics are at ${metrics.url}`);
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

/** Throws a `UsageError` if records with bodies would have to go through the broker, or workers would have to share cookies. */
export function checkWorkerOptions({ inlineBody, shards, cookies }: ProgramOptions): void {
  if (typeof cookies === 'string')
    throw new UsageError('cannot use --cookies in a cluster: each worker would have others');
  if (inlineBody === undefined || shards !== undefined) return;
  throw new UsageError(
    '--inline-body needs --shards DIR, because messages of a broker are too small for bodies; or use --save-dir DIR',
  );
}

/** Creates what writes the results of this worker into the directory of `--shards`. Throws an `OutputError`. */
export async function createShardWriter(
  options: ProgramOptions,
  process: NodeJS.Process,
): Promise<ShardWriter | undefined> {
  const { shards } = options;
  if (shards === undefined) return undefined;
  return ShardWriter.open(shards, workerName(process.pid), { isPrivate: hasPrivateRecords(options) });
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
    `invalid value "${excerpt(shards)}" for --shards: must be the directory that the workers write to`,
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
