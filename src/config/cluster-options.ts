import { option } from './option.ts';
import { listenAddress } from './parse/addresses.ts';
import { directoryName, fileName, runName } from './parse/names.ts';
import { duration, wholeNumber } from './parse/numbers.ts';
import { brokerUrl, maskBroker } from './parse/server-urls.ts';

/** Which run on which broker: for every command of a run over several machines. */
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

/** Settings of a whole run, for the command that creates it. */
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

/** The options of a run over several machines in `fanout fetch`. */
export const clusterOptions = {
  ...brokerOptions,
  ...newRunOptions,
  lanes: option({
    flags: '--lanes <n>',
    group: 'Several machines',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: undefined,
    defaultText: '3',
    help: 'work on so many chunks at a time; with partitions it is one for each, up to 32',
  }),
  shards: option({
    flags: '--shards <dir>',
    group: 'Several machines',
    parser: directoryName,
    default: undefined,
    help: 'write results into files in this directory, which many may share, and send only their places through the broker',
  }),
  store: option({
    flags: '--store <file>',
    group: 'Several machines',
    parser: fileName,
    default: undefined,
    defaultText: 'fanout-NAME.jsonl',
    help: 'keep the results in this file, JSONL, and go on from it after a crash; FILE.checkpoint belongs to it',
  }),
  metrics: option({
    flags: '--metrics <address>',
    group: 'Several machines',
    parser: listenAddress,
    default: undefined,
    help: 'serve OpenMetrics at http://ADDRESS/metrics meanwhile: a port alone is for this machine (9464); 0.0.0.0:9464 or [::]:9464 is for all who can reach it',
  }),
};

/** Why the journal flags cannot be used with a broker, by flag. */
export const JOURNAL_CONFLICTS: Readonly<Record<string, string>> = {
  '--journal':
    'the collector keeps all results in a file already, which --store names; the same command goes on from it',
  '--keep-failed':
    'failures stand in the file of --store; to fetch them again, begin another run with the list of --failed',
};
