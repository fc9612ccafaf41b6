import { option } from './option.ts';
import { listenAddress } from './parse/addresses.ts';
import { fileName, inboxPrefix, runName, shardPlace } from './parse/names.ts';
import { duration, wholeNumber } from './parse/numbers.ts';
import { brokerUrl, maskBroker } from './parse/server-urls.ts';
import { boolean, oneOf } from './parse/texts.ts';

/** Which run on which broker: for every command of a run over several machines. */
export const brokerOptions = {
  broker: option({
    flags: '--broker <url>',
    group: 'Cluster',
    parser: brokerUrl,
    default: undefined,
    help: 'NATS server with JetStream: nats://[user:password@]host',
    details: 'Or tls://. FANOUT_BROKER keeps a password off the command line.',
    expands: true,
    mask: maskBroker,
  }),
  run: option({
    flags: '--run <name>',
    group: 'Cluster',
    parser: runName,
    default: undefined,
    help: 'name or id of the run, the same on every machine',
  }),
  wait: option({
    flags: '--wait <duration>',
    group: 'Cluster',
    parser: duration(),
    default: 30_000,
    help: 'wait this long at start for a broker that is away',
    details: 'Then the exit code is 69.',
  }),
  brokerCreds: option({
    flags: '--broker-creds <file>',
    group: 'Cluster',
    parser: fileName,
    default: undefined,
    help: 'NATS credentials file',
  }),
  brokerCa: option({
    flags: '--broker-ca <file>',
    group: 'Cluster',
    parser: fileName,
    default: undefined,
    help: 'use TLS, and trust only the certificates in this file',
    details: 'The file is in PEM format.',
  }),
  brokerCert: option({
    flags: '--broker-cert <file>',
    group: 'Cluster',
    parser: fileName,
    default: undefined,
    help: 'use TLS, and send this client certificate (PEM)',
  }),
  brokerKey: option({
    flags: '--broker-key <file>',
    group: 'Cluster',
    parser: fileName,
    default: undefined,
    defaultText: 'the file of --broker-cert',
    help: 'private key of --broker-cert: a PEM file without passphrase',
  }),
  brokerNkey: option({
    flags: '--broker-nkey <file>',
    group: 'Cluster',
    parser: fileName,
    default: undefined,
    help: 'NATS nkey: a file with the seed of a user (SU...)',
  }),
  brokerInbox: option({
    flags: '--broker-inbox <prefix>',
    group: 'Cluster',
    parser: inboxPrefix,
    default: undefined,
    defaultText: '_INBOX',
    help: 'first part of the subjects at which responses arrive',
    details: 'For brokers that give each account a prefix of its own.',
  }),
  log: option({
    flags: '--log <format>',
    group: 'Cluster',
    parser: oneOf(['text', 'json']),
    default: 'text',
    help: 'text or json: the format of messages on standard error',
    details: 'With json, each line is an object with time, level, message, run, role and worker.',
  }),
};

/** Settings of a whole run, for the command that creates it. */
export const newRunOptions = {
  new: option({
    flags: '--new',
    group: 'Cluster',
    parser: boolean,
    default: false,
    help: 'start a new run also if the name of --run is in use',
    details: 'To reach the earlier run after that, give its id to --run.',
    notInFile: true,
  }),
  chunk: option({
    flags: '--chunk <n>',
    group: 'Cluster',
    parser: wholeNumber({ min: 1, max: 10_000 }),
    default: undefined,
    defaultText: '500',
    help: 'number of URLs in a chunk, the unit of work',
  }),
  partitions: option({
    flags: '--partitions <n>',
    group: 'Cluster',
    parser: wholeNumber({ min: 1, max: 1024 }),
    default: undefined,
    defaultText: '64',
    help: 'divide the hosts into n partitions',
    details:
      'One worker at a time fetches from the hosts of a partition, so limits per host hold over all machines. With more than 64 workers, use more partitions. 1: each worker has limits of its own.',
  }),
  ackWait: option({
    flags: '--ack-wait <duration>',
    group: 'Cluster',
    parser: duration({ minMs: 1000 }),
    default: undefined,
    defaultText: '60s',
    help: 'give the chunks of a worker to others if silent this long',
  }),
  maxQueued: option({
    flags: '--max-queued <n>',
    group: 'Cluster',
    parser: wholeNumber({ min: 1, max: 10_000_000 }),
    default: undefined,
    defaultText: '20000',
    help: 'maximum number of chunks that wait in the broker',
  }),
  replicas: option({
    flags: '--replicas <n>',
    group: 'Cluster',
    parser: wholeNumber({ min: 1, max: 5 }),
    default: undefined,
    defaultText: '1',
    help: 'number of copies of all data in a cluster of brokers',
  }),
};

/** The options of a run over several machines in `fanout fetch`. */
export const clusterOptions = {
  ...brokerOptions,
  ...newRunOptions,
  lanes: option({
    flags: '--lanes <n>',
    group: 'Cluster',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: undefined,
    defaultText: '3',
    help: 'number of chunks to work on at a time',
    details: 'Up to 64 while hosts are what limits the worker.',
  }),
  drainTimeout: option({
    flags: '--drain-timeout <duration>',
    group: 'Cluster',
    parser: duration(),
    default: 10_000,
    help: 'time to finish chunks after SIGTERM or SIGINT',
    details: 'Then results so far are handed in, and other workers fetch the rest.',
  }),
  store: option({
    flags: '--store <place>',
    group: 'Cluster',
    parser: shardPlace,
    default: undefined,
    help: 'write results to files in this directory or s3://BUCKET',
    details: 'Only their places are sent through the broker.',
  }),
  manifest: option({
    flags: '--manifest <file>',
    group: 'Cluster',
    parser: fileName,
    default: undefined,
    help: 'write where the results in shards are',
    details:
      'One line of JSON for each chunk, for fanout report --store. Results that are not in shards are records in this file.',
  }),
  metrics: option({
    flags: '--metrics <address>',
    group: 'Cluster',
    parser: listenAddress,
    default: undefined,
    help: 'serve OpenMetrics at http://ADDRESS/metrics',
    details:
      'A port (9464) is for this machine only; 0.0.0.0:9464 or [::]:9464 is for all that can reach it.',
  }),
};
