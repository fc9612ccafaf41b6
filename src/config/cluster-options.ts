import { UsageError } from '../model/errors.ts';
import { option, type Resolved } from './option.ts';
import { brokerUrl, listenAddress, maskBroker } from './parse/addresses.ts';
import { directoryName, runName } from './parse/names.ts';
import { boolean, wholeNumber } from './parse/numbers.ts';
import { fileName } from './parse/texts.ts';
import { duration } from './parse/units.ts';

/** What a long run tells of itself while it goes on: for every command that takes part in one. */
export const metricsOptions = {
  metrics: option({
    flags: '--metrics <address>',
    group: 'Several machines',
    parser: listenAddress,
    default: undefined,
    help: 'serve OpenMetrics at http://ADDRESS/metrics meanwhile: a port alone is for this machine (9464); 0.0.0.0:9464 or [::]:9464 is for all who can reach it',
  }),
};

/** Which run on which broker: for every command that has to do with several machines. */
export const brokerOptions = {
  broker: option({
    flags: '--broker <url>',
    group: 'Several machines',
    parser: brokerUrl,
    default: undefined,
    help: 'the NATS server, with JetStream, that holds the run: nats://[user:password@]host[:port], tls://...; FANOUT_BROKER keeps a password off the command line',
    expands: true,
    mask: maskBroker,
  }),
  run: option({
    flags: '--run <name>',
    group: 'Several machines',
    parser: runName,
    default: undefined,
    help: 'the name of the run: the same for all who take part in it',
  }),
  brokerCreds: option({
    flags: '--broker-creds <file>',
    group: 'Several machines',
    parser: fileName,
    default: undefined,
    help: 'show this NATS credentials file to the broker',
  }),
  brokerCa: option({
    flags: '--broker-ca <file>',
    group: 'Several machines',
    parser: fileName,
    default: undefined,
    help: 'use TLS, and trust the certificates in this PEM file alone',
  }),
};

/** What holds for a whole run: part of the options of whoever begins it. */
export const newRunOptions = {
  chunk: option({
    flags: '--chunk <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 10_000 }),
    default: undefined,
    defaultText: '500',
    help: 'hand out so many URLs at a time',
  }),
  partitions: option({
    flags: '--partitions <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 1024 }),
    default: undefined,
    defaultText: '1',
    help: 'with more than one, each host is in one partition and one machine at a time works on a partition, so that the limits for one host hold over all machines',
  }),
  ackWait: option({
    flags: '--ack-wait <duration>',
    group: 'Several machines',
    parser: duration({ minMs: 1000 }),
    default: undefined,
    defaultText: '60s',
    help: 'give the chunks of a worker to others when it is silent for so long',
  }),
  maxQueued: option({
    flags: '--max-queued <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 10_000_000 }),
    default: undefined,
    defaultText: '20000',
    help: 'let so many chunks wait in the broker, and feed no more until then',
  }),
  maxLog: option({
    flags: '--max-log <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 10_000_000 }),
    default: undefined,
    defaultText: '5000',
    help: 'let the results of so many chunks wait in the broker, and fetch no more until then',
  }),
  replicas: option({
    flags: '--replicas <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 5 }),
    default: undefined,
    defaultText: '1',
    help: 'keep so many copies of everything in a cluster of brokers',
  }),
};

/** How much one machine takes: part of the options of `fanout work`. */
export const laneOptions = {
  lanes: option({
    flags: '--lanes <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: undefined,
    defaultText: '3',
    help: 'work on so many chunks at a time; with partitions it is one for each, up to 32',
  }),
};

/** Where results are kept: part of the options of `fanout collect`. */
export const storeOptions = {
  store: option({
    flags: '--store <file>',
    group: 'Several machines',
    parser: fileName,
    default: undefined,
    defaultText: 'fanout-NAME.jsonl',
    help: 'keep the results in this file, JSONL, and go on from it after a crash; FILE.checkpoint belongs to it',
  }),
};

/** Where a worker writes results that do not go through the broker: part of the options of `fanout work`. */
export const writtenShardsOptions = {
  shards: option({
    flags: '--shards <dir>',
    group: 'Several machines',
    parser: directoryName,
    default: undefined,
    help: 'write results into files in this directory, which many may share, and send only their places through the broker',
  }),
};

/** Where a collector finds those: part of the options of `fanout collect`. */
export const readShardsOptions = {
  shards: option({
    flags: '--shards <dir>',
    group: 'Several machines',
    parser: directoryName,
    default: undefined,
    help: 'read the results that workers write with --shards in this directory; without it they are counted alone',
  }),
};

/** What makes `fanout fetch` a run over several machines: part of `programOptions`. */
export const clusterOptions = {
  ...brokerOptions,
  ...newRunOptions,
  ...laneOptions,
  ...writtenShardsOptions,
  ...storeOptions,
  ...metricsOptions,
};

export type ClusterOptions = Resolved<typeof clusterOptions>;

/** How a list is sent again: part of the options of `fanout feed`. */
export const reconcileOptions = {
  reconcile: option({
    flags: '--reconcile',
    group: 'Several machines',
    parser: boolean,
    default: false,
    help: 'send again what has no result, after the broker has lost something; the collector must run',
    notInFile: true,
  }),
};

/** What takes the place of a flag of the journal in a run over a broker. */
export const IN_PLACE_OF_JOURNAL: Readonly<Record<string, string>> = {
  '--journal':
    'the collector keeps all results in a file already, which --store names; the same command goes on from it',
  '--keep-failed':
    'failures stand in the file of --store; to fetch them again, begin another run with the list of --failed',
};

/** Throws a `UsageError` when a journal is asked for together with a broker. */
export function refuseJournal({ values }: { readonly values: Readonly<Record<string, unknown>> }): void {
  if (values.broker === undefined) return;
  const flag = values.journal !== undefined ? '--journal' : values.keepFailed ? '--keep-failed' : undefined;
  if (flag === undefined) return;
  throw new UsageError(`Cannot use ${flag} with --broker: ${IN_PLACE_OF_JOURNAL[flag]}`);
}
