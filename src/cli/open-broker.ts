import { readFile } from 'node:fs/promises';
import type { JetStreamEngine } from '../broker/jetstream-engine.ts';
import { type NewRun, openRun } from '../broker/open-run.ts';
import type { RunSettings } from '../broker/run-settings.ts';
import type { brokerOptions, newRunOptions } from '../config/broker-options.ts';
import type { Resolved } from '../config/option.ts';
import { UsageError } from '../model/errors.ts';
import { systemReason } from '../model/output-error.ts';
import { printable } from '../model/printable.ts';

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
