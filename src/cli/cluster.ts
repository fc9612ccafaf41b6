import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { BrokerAddress } from '../cluster/broker-connection.ts';
import type { EncodedChunk } from '../cluster/chunk.ts';
import { type JetStreamEngine, type NewRun, openRun } from '../cluster/jetstream-engine.ts';
import type { RunSettings } from '../cluster/jetstream-setup.ts';
import type { Metrics } from '../cluster/metrics.ts';
import { describeRun, type InputRecord } from '../cluster/run-registry.ts';
import { openShardReader, openShardWriter } from '../cluster/shard-bucket.ts';
import type { ShardReader, ShardWriter } from '../cluster/shards.ts';
import { brokerOptions, type newRunOptions } from '../config/cluster-options.ts';
import { workOptions } from '../config/command-options.ts';
import type { OptionValues, ResolvedOptions, Table } from '../config/option.ts';
import type { Environment } from '../config/option-sources.ts';
import type { ListenAddress } from '../config/parse/addresses.ts';
import { maskRemaps } from '../config/parse/texts.ts';
import {
  hasPrivateRecords,
  loadConfigFile,
  type ProgramOptions,
  type ProgramSources,
  resolveCommandOptions,
} from '../config/program-options.ts';
import { readTlsFiles } from '../config/tls-files.ts';
import { systemClock } from '../core/clock.ts';
import { readSettings } from '../core/own-file.ts';
import { type Input, inputName, quotedInputName, toInputError } from '../input/input.ts';
import type { InputCounts } from '../input/read-jobs.ts';
import { InputError, systemReason, UsageError } from '../model/errors.ts';
import { excerpt, printable } from '../model/printable.ts';
import { packageVersion } from '../model/version.ts';
import { type Messages, setLogFormat } from './terminal.ts';

const DEFAULT_SETTINGS: RunSettings = {
  chunk: 500,
  partitions: 64,
  ackWaitMs: 60_000,
  maxQueued: 20_000,
  replicas: 1,
};

const BROKER_TLS_FLAGS = { cacert: '--broker-ca', cert: '--broker-cert', key: '--broker-key' };

/** Sets the format of the messages of a command, as `--log` says. `role` is the name of the command. */
export function setClusterLog(
  { log, run }: { readonly log: 'text' | 'json'; readonly run?: string | undefined },
  { stderr, pid }: NodeJS.Process,
  role: string,
): void {
  setLogFormat(stderr, log === 'json' ? { run, role, worker: workerName(pid) } : undefined);
}

/** A run that the broker has, and the connection to it. */
export interface ConnectedRun {
  readonly engine: JetStreamEngine;
  readonly run: string;
}

/** Connects to the run that the options name, and creates it if `newRun` is given. Throws a `UsageError`. */
export async function connectToRun(
  values: OptionValues<typeof brokerOptions>,
  { warn, note }: Messages,
  { newRun, isReadOnly }: { readonly newRun?: NewRun; readonly isReadOnly?: boolean } = {},
): Promise<ConnectedRun> {
  const { run } = values;
  const address = await brokerAddress(values);
  if (run === undefined) throw new UsageError('--run is missing: name the run, as in --run may');
  const engine = await openRun({ address, run, warn, note, isReadOnly }, newRun);
  return { engine, run };
}

/** The broker of the options, with its files read. Throws a `UsageError`. */
export async function brokerAddress(
  values: Omit<OptionValues<typeof brokerOptions>, 'run'>,
): Promise<BrokerAddress> {
  const { broker, brokerCreds, brokerNkey, brokerInbox, wait } = values;
  if (broker === undefined) {
    throw new UsageError('--broker is missing: name the NATS server, as in --broker nats://127.0.0.1:4222');
  }
  if (brokerCreds !== undefined && brokerNkey !== undefined) {
    throw new UsageError('--broker-creds and --broker-nkey are two ways to log in: leave one out');
  }
  const credentials = await readOptionFile(brokerCreds, '--broker-creds');
  const seed = toSeed(await readOptionFile(brokerNkey, '--broker-nkey'), brokerNkey);
  const { brokerCa: cacert, brokerCert: cert, brokerKey: key } = values;
  if (cert === undefined && key !== undefined) {
    throw new UsageError('--broker-key needs --broker-cert: name the certificate of the key');
  }
  const tls = await readTlsFiles({ cacert, cert, key }, readSettings, BROKER_TLS_FLAGS);
  return { ...broker, credentials, seed, tls, inboxPrefix: brokerInbox, waitMs: wait };
}

/** The seed in the text of a file, which may have other lines too. */
function toSeed(text: string | undefined, path: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [seed] = text.match(/^SU[A-Z2-7]{56}$/m) ?? [];
  if (seed !== undefined) return seed;
  throw new UsageError(
    `invalid value ${excerpt(path ?? '')} for --broker-nkey: must have the seed of a user, which begins with SU, on a line of its own`,
  );
}

async function readOptionFile(path: string | undefined, flag: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readSettings(path);
  } catch (error) {
    throw new UsageError(`cannot read ${excerpt(path)} for ${flag}: ${printable(systemReason(error))}`);
  }
}

/** Returns what a new run is made of: the settings of the flags, the defaults for the rest, and the list. */
export function toNewRun(
  values: OptionValues<typeof newRunOptions> & ListOptions,
  inputs: readonly Input[],
): NewRun {
  const wanted: { -readonly [Key in keyof RunSettings]?: RunSettings[Key] } = {};
  const { chunk, partitions, ackWait, maxQueued, replicas } = values;
  if (chunk !== undefined) wanted.chunk = chunk;
  if (partitions !== undefined) wanted.partitions = partitions;
  if (ackWait !== undefined) wanted.ackWaitMs = ackWait;
  if (maxQueued !== undefined) wanted.maxQueued = maxQueued;
  if (replicas !== undefined) wanted.replicas = replicas;
  return {
    settings: { ...DEFAULT_SETTINGS, ...wanted },
    wanted,
    list: describeListOptions(values),
    inputs: (known) => recordInputs(inputs, known),
    replaces: values.new,
    now: systemClock.now,
  };
}

/** Records the size, the time and the hash of each file. A file that has the size and the time that are known is not read. */
async function recordInputs(
  inputs: readonly Input[],
  known: readonly InputRecord[],
): Promise<readonly InputRecord[]> {
  const records: InputRecord[] = [];
  for (const [at, input] of inputs.entries()) {
    const record = await recordInput(input);
    const before = known[at];
    if (input.kind !== 'file' || record.size === undefined) records.push(record);
    else if (before?.sha256 !== undefined && isUnchanged(before, record)) records.push(before);
    else records.push({ ...record, sha256: await hashFile(input.path) });
  }
  return records;
}

async function recordInput(input: Input): Promise<InputRecord> {
  const name = inputName(input);
  if (input.kind !== 'file') return { name };
  const status = await stat(input.path).catch((error: unknown) => {
    throw toInputError(name, error);
  });
  if (!status.isFile()) return { name }; // a pipe can be read only once
  return { name, size: status.size, changedAt: status.mtime.toISOString() };
}

function isUnchanged(before: InputRecord, now: InputRecord): boolean {
  return before.name === now.name && before.size === now.size && before.changedAt === now.changedAt;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: 1024 ** 2 })) hash.update(bytes);
  } catch (error) {
    throw toInputError(path, error);
  }
  return hash.digest('hex');
}

/** Throws an `InputError` if a file of a run has changed since its hash was computed. */
export async function checkUnchanged(engine: JetStreamEngine, inputs: readonly Input[]): Promise<void> {
  for (const before of await recordInputs(inputs, engine.record.inputs)) {
    const recorded = engine.record.inputs.find(({ name }) => name === before.name);
    if (recorded?.sha256 === before.sha256) continue;
    throw new InputError(
      `${quotedInputName(before.name)} has changed while it was sent to the run ${describeRun(engine.record)}: use --new to start a new run of this name`,
    );
  }
}

/** Says which run the inputs are for, if it is one that was started before. */
export function noteEarlierRun({ engine }: ConnectedRun, { note }: Pick<Messages, 'note'>): void {
  if (!engine.isNew)
    note(`continuing the run ${describeRun(engine.record)}; use --new to start a new run of this name`);
}

/** The options that select URLs of the inputs. */
type ListOptions = Pick<
  ProgramOptions,
  'unique' | 'remap' | 'include' | 'exclude' | 'defaultScheme' | 'null' | 'column'
> & {
  readonly sitemap?: boolean;
};

function describeListOptions(options: ListOptions): readonly string[] {
  const { unique, remap, include, exclude, defaultScheme, null: isNullSeparated, column, sitemap } = options;
  return [
    `unique=${unique}`,
    `default-scheme=${defaultScheme ?? ''}`,
    ...maskRemaps(remap).map((rule) => `remap=${rule}`),
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
export function checkWorkerOptions({ inlineBody, store, cookies }: ProgramOptions): void {
  if (typeof cookies === 'string')
    throw new UsageError('cannot use --cookies in a cluster: each worker would have others');
  if (inlineBody === undefined || store !== undefined) return;
  throw new UsageError(
    '--inline-body needs --store DIR, because messages of a broker are too small for bodies; or use --save-dir DIR',
  );
}

/** Groups of options that may differ from machine to machine, and options that may do so in the other groups. */
const OWN_GROUPS: ReadonlySet<string> = new Set(['Cluster', 'Configuration', 'Network', 'Output']);
const OWN_OPTIONS: ReadonlySet<string> = new Set([
  'concurrency',
  'rate',
  'queueSize',
  'excludeFile',
  'saveDir',
  'netrc',
]);
const DEFAULT_USER_AGENT = /^"fanout\/[^" ]*/;

/**
 * Throws a `UsageError` if the results of this worker would differ from those of the first worker of the run, because it has
 * other options. The broker gets short hashes of the values, since they may be secrets.
 */
export async function checkSameOptions(engine: JetStreamEngine, options: ProgramOptions): Promise<void> {
  const values = new Map<string, unknown>(Object.entries(options));
  const table: Table = workOptions;
  const compared = Object.entries(table).filter(
    ([key, { group }]) => key === 'insecure' || !(OWN_GROUPS.has(group) || OWN_OPTIONS.has(key)),
  );
  const hashes = compared.map(([key, { parser }]) => {
    const value = values.get(key);
    const printed = JSON.stringify(value === undefined ? null : (parser.print(value) ?? null));
    // Versions of fanout may work side by side.
    const text = `${engine.record.id} ${key} ${printed.replace(DEFAULT_USER_AGENT, 'fanout')}`;
    return [key, createHash('sha256').update(text).digest('hex').slice(0, 8)] as const;
  });
  const different = await engine.differingOption(Object.fromEntries(hashes));
  if (different === undefined) return;
  const flag = table[different]?.flags.match(/--[\w-]+/)?.[0] ?? different;
  throw new UsageError(
    `cannot work on the run ${describeRun(engine.record)}: ${flag} differs from that of its first worker; give all workers the same options, or start a new run with "fanout cluster feed --new"`,
  );
}

/** Creates what writes the results of this worker into the directory or bucket of `--store`. Throws an `OutputError`. */
export async function createShardWriter(
  options: ProgramOptions,
  process: NodeJS.Process,
): Promise<ShardWriter | undefined> {
  const { store } = options;
  if (store === undefined) return undefined;
  return openShardWriter(store, workerName(process.pid), { isPrivate: hasPrivateRecords(options) });
}

/**
 * Creates what reads the results that workers write into the directory of `--store`, which may not exist yet, or into its
 * bucket. Throws a `UsageError` if it is neither.
 */
export async function createWorkerShardReader({ store }: ProgramOptions): Promise<ShardReader | undefined> {
  if (store === undefined) return undefined;
  const status = await stat(store).catch(() => undefined);
  if (status === undefined || status.isDirectory()) return openShardReader(store);
  throw new UsageError(
    `invalid value "${excerpt(store)}" for --store: must be what the workers write to: a directory, or a bucket such as s3://BUCKET/PREFIX`,
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
