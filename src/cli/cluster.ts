import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { EncodedChunk } from '../cluster/chunk.ts';
import { type NewRun, openRun } from '../cluster/cluster-run.ts';
import type { JetStreamEngine } from '../cluster/jetstream-engine.ts';
import type { Metrics } from '../cluster/metrics.ts';
import type { RunSettings } from '../cluster/run-settings.ts';
import { ShardReader, ShardWriter } from '../cluster/shards.ts';
import { brokerOptions, type newRunOptions } from '../config/cluster-options.ts';
import type { Resolved, Table } from '../config/option.ts';
import {
  type ConfigFile,
  type Environment,
  environmentLayer,
  fileLayer,
  flagLayer,
  type ResolvedOptions,
  resolveOptions,
  variableOf,
} from '../config/option-sources.ts';
import type { ListenAddress } from '../config/parse/addresses.ts';
import {
  loadConfigFile,
  type ProgramOptions,
  programOptions,
  resolveProgramOptions,
} from '../config/program-options.ts';
import type { InputCounts } from '../input/read-jobs.ts';
import { systemReason, UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { packageVersion } from '../model/version.ts';

export interface OpenedRun {
  readonly engine: JetStreamEngine;
  readonly run: string;
}

/** Opens the run that the options name, and creates it when `created` is given. Throws a `UsageError`. */
export async function openBroker(
  values: Resolved<typeof brokerOptions>,
  warn: (text: string) => void,
  created?: NewRun,
): Promise<OpenedRun> {
  const { broker, run, brokerCreds, brokerCa } = values;
  if (broker === undefined) {
    throw new UsageError(
      'Cannot tell where the run is: give --broker, as in "--broker nats://127.0.0.1:4222"',
    );
  }
  if (run === undefined) throw new UsageError('Cannot tell which run is meant: give it a name with --run');
  const credentials = await textOf(brokerCreds, '--broker-creds');
  const ca = await textOf(brokerCa, '--broker-ca');
  const engine = await openRun({ address: { ...broker, credentials, ca }, run, warn }, created);
  return { engine, run };
}

/** What a new run is to be, from the flags. */
export function newRunOf(values: Resolved<typeof newRunOptions>): NewRun {
  const wanted: { -readonly [Key in keyof RunSettings]?: RunSettings[Key] } = {};
  const { chunk, partitions, ackWait, maxQueued, maxLog, replicas } = values;
  if (chunk !== undefined) wanted.chunk = chunk;
  if (partitions !== undefined) wanted.partitions = partitions;
  if (ackWait !== undefined) wanted.ackWaitMs = ackWait;
  if (maxQueued !== undefined) wanted.maxQueued = maxQueued;
  if (maxLog !== undefined) wanted.maxLog = maxLog;
  if (replicas !== undefined) wanted.replicas = replicas;
  return { settings: { ...DEFAULTS, ...wanted }, wanted };
}

const DEFAULTS: RunSettings = {
  chunk: 500,
  partitions: 1,
  ackWaitMs: 60_000,
  maxQueued: 20_000,
  maxLog: 5000,
  replicas: 1,
};

async function textOf(path: string | undefined, flag: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`Cannot read ${printable(path)} for ${flag}: ${printable(systemReason(error))}`);
  }
}

interface GivenFlags {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/** All that was given to a command of several machines. Throws a `UsageError` when its file cannot be read. */
export async function givenTo(flags: GivenFlags['flags'], environment: Environment): Promise<GivenFlags> {
  const readText = (path: string) => readFile(path, 'utf8');
  return { flags, environment, file: await loadConfigFile({ flags, environment, readText }) };
}

/** The part of a command's options that this table has; what belongs to other commands is passed over. */
export function resolvePart<T extends Table>(table: T, given: GivenFlags): ResolvedOptions<T> {
  checkNames(table, given);
  const { flags, environment, file } = only(table, given);
  return resolveOptions(table, [
    flagLayer(table, flags, environment),
    environmentLayer(table, environment),
    ...(file === undefined ? [] : [fileLayer(table, file, environment)]),
  ]);
}

/**
 * As `resolvePart`, but the file says where the run is and no more. Its other keys are those of the commands that the run
 * is made of: `output` is where results go, and no list of the dead.
 */
export function resolveVisit<T extends Table>(table: T, given: GivenFlags): ResolvedOptions<T> {
  checkNames(table, given);
  return resolvePart(table, { ...given, file: only(brokerOptions, given).file });
}

/** The options of a whole run, of which the command has those in the table; the others have their defaults. */
export function resolveAsProgram(table: Table, given: GivenFlags, version: string): ProgramOptions {
  checkNames(table, given);
  const shared = Object.fromEntries(
    Object.entries(table).filter(([key]) => Object.hasOwn(programOptions, key)),
  );
  return resolveProgramOptions(only(shared, given), version);
}

/** Throws a `UsageError` for a key or variable that no command has: one file serves all, and all are in `fetch`. */
function checkNames(table: Table, { environment, file }: GivenFlags): void {
  const known = { ...programOptions, ...table };
  environmentLayer(known, environment);
  if (file !== undefined) fileLayer(known, file, environment);
}

// What is left out is not even parsed: it may name a secret that this machine does not have.
function only(table: Table, { flags, environment, file }: GivenFlags): GivenFlags {
  const variables = new Set(Object.keys(table).map(variableOf));
  const isOurs = ([key]: readonly [string, unknown]) => Object.hasOwn(table, key);
  return {
    flags: Object.fromEntries(Object.entries(flags).filter(isOurs)),
    environment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => !name.startsWith('FANOUT_') || variables.has(name)),
    ),
    file: file && { ...file, values: Object.fromEntries(Object.entries(file.values).filter(isOurs)) },
  };
}

interface MetricsRole {
  readonly role: 'feed' | 'work' | 'collect' | 'fetch';
  readonly run: string | undefined;
  readonly process: Pick<NodeJS.Process, 'version'>;
  readonly warn: (text: string) => void;
}

/** Opens what `--metrics` asks for, whose code is loaded on use. Throws a `UsageError` when it cannot be. */
export async function openMetrics(
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

/** Throws a `UsageError` for bodies in records that would have to go through the broker. */
export function checkInlineBody({ inlineBody, shards }: ProgramOptions): void {
  if (inlineBody === undefined || shards !== undefined) return;
  throw new UsageError(
    'Cannot use --inline-body with a broker, whose messages are too small: give --shards DIR, too, and the records go there; or save bodies with --save-dir DIR',
  );
}

/** The files that this worker writes results into, if `--shards` says so. Throws an `OutputError` when there can be none. */
export async function openShards(
  { shards }: ProgramOptions,
  process: NodeJS.Process,
): Promise<ShardWriter | undefined> {
  return shards === undefined ? undefined : ShardWriter.open(shards, workerName(process.pid));
}

/** Where results are read that workers, perhaps later ones, write into files. Throws a `UsageError` when it is no directory. */
export async function findShards(directory: string | undefined): Promise<ShardReader | undefined> {
  if (directory === undefined) return undefined;
  const found = await stat(directory).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return new ShardReader(directory);
  throw new UsageError(
    `Cannot use "${printable(directory, 200)}" for --shards: it must be the directory that the workers write to`,
  );
}

/** Shows how far the feeding is; gives what is to be told of each chunk that was sent. */
export function countSent(
  metrics: Metrics,
  engine: JetStreamEngine,
  tally: Readonly<InputCounts>,
): (chunk: EncodedChunk) => void {
  const sent = { chunks: 0, urls: 0 };
  metrics.watchBroker(engine, { hasQueue: true });
  metrics.watchFeed({
    read: () => tally.read,
    skipped: () => tally.skipped,
    sentChunks: () => sent.chunks,
    sentUrls: () => sent.urls,
  });
  return ({ count }) => {
    sent.chunks += 1;
    sent.urls += count;
  };
}

/** What a worker is called in records, in the log of results and in the names of its files: the machine and the process. */
export function workerName(pid: number): string {
  const host = hostname()
    .replace(/[^\w.-]+/g, '_')
    .replace(/^\W+/, '')
    .slice(0, 100);
  return `${host || 'worker'}-${pid}`;
}
