import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { KV, KvEntry } from '@nats-io/kv';
import { ulid } from 'ulid';
import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { type Nats, permissionError, RunGoneError } from './broker-connection.ts';
import {
  apiErrorCode,
  type BrokerRun,
  deleteStreams,
  isMissing,
  parseJson,
  type RunSettings,
  settingsFrom,
  WRONG_LAST_SEQUENCE,
} from './jetstream-setup.ts';

const BUCKET = 'fanout_runs';
/** The stream behind the bucket, as NATS names it. */
const STREAM = `KV_${BUCKET}`;

/** The version of the record of a run, of chunks and of results. */
const FORMAT_VERSION = 1;

const RUN_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** What is known of one input of a run. Standard input and URLs have only a name. */
export interface InputRecord {
  readonly name: string;
  /** In bytes. */
  readonly size?: number;
  /** When the file was changed last, as an ISO date. */
  readonly changedAt?: string;
  readonly sha256?: string;
}

/** A run as the registry has it. Nothing of it changes later. */
export interface RunRecord {
  readonly v: typeof FORMAT_VERSION;
  /** A ULID: no two runs have the same one, whatever their names are. */
  readonly id: string;
  readonly name: string;
  /** An ISO date. */
  readonly startedAt: string;
  readonly settings: RunSettings;
  readonly inputs: readonly InputRecord[];
  /** The options that select URLs of the inputs. */
  readonly list: readonly string[];
}

/** What a new run is made of. */
export type RunPlan = Pick<RunRecord, 'name' | 'settings' | 'inputs' | 'list'>;

/** Creates the record of a new run with an id of its own. `nowMs` is in ms since the epoch. */
export function createRunRecord(plan: RunPlan, nowMs: number): RunRecord {
  const startedAt = new Date(nowMs).toISOString();
  return { v: FORMAT_VERSION, id: ulid(Math.floor(nowMs)), startedAt, ...plan };
}

/** Whether a text is the id of a run, and not a name. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** A run in a message: its name, its id and its start. */
export function describeRun({ name, id, startedAt }: Pick<RunRecord, 'name' | 'id' | 'startedAt'>): string {
  return `"${name}" (${id}, started ${startedAt})`;
}

/** An input in a message. */
export function describeInput({ name, size, changedAt, sha256 }: InputRecord): string {
  const text = name === '-' ? 'standard input' : `"${printable(name, 200)}"`;
  if (size === undefined || sha256 === undefined) return text;
  return `${text} (${size} bytes, changed ${changedAt}, SHA-256 ${sha256.slice(0, 12)}…)`;
}

/** The first inputs or options in which two lists differ, as texts for a message; `undefined` if they are the same. */
export function listDifference(
  before: Pick<RunRecord, 'inputs' | 'list'>,
  now: Pick<RunRecord, 'inputs' | 'list'>,
): readonly [string, string] | undefined {
  for (let at = 0; at < Math.max(before.inputs.length, now.inputs.length); at++) {
    const [first, second] = [before.inputs[at], now.inputs[at]];
    if (first?.name === second?.name && first?.size === second?.size && first?.sha256 === second?.sha256)
      continue;
    return [first, second].map((input) =>
      input === undefined ? 'no more inputs' : describeInput(input),
    ) as [string, string]; // of two inputs
  }
  const [mine, theirs] = [now.list, before.list].map((list) => list.join(' '));
  return mine === theirs ? undefined : [`the options ${theirs}`, `the options ${mine}`];
}

/** Throws a `UsageError` if a run was fed from other inputs. */
export function checkInputs(found: RunRecord, wanted: Pick<RunRecord, 'inputs' | 'list'>): void {
  const difference = listDifference(found, wanted);
  if (difference === undefined) return;
  const [before, now] = difference;
  throw new UsageError(
    `the run ${describeRun(found)} is fed from ${before}, and this is ${now}: use --new to start a new run of this name, or another --run`,
  );
}

interface RegistryParts {
  readonly nats: Nats;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
}

/**
 * The list of all runs on a broker, in a key-value bucket: the record of each run by its id, and for each name the id of the
 * run that has it now. A purged run leaves a mark, so that no process that missed the purge creates it again.
 */
export class RunRegistry {
  readonly #parts: RegistryParts;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  /** The run with this name or id. Throws a `UsageError` if another version of fanout made it. */
  async find(nameOrId: string): Promise<RunRecord | undefined> {
    const id = isRunId(nameOrId) ? nameOrId : await this.#idOf(nameOrId);
    const entry = id === undefined ? undefined : await this.#get(runKey(id));
    return entry === undefined || isDeleted(entry) ? undefined : toRecord(entry);
  }

  /**
   * Adds a run and gives it its name; with `replaces`, also if another run has the name. Resolves to `false` if another process
   * has just taken the name.
   */
  async add(record: RunRecord, { replaces = false } = {}): Promise<boolean> {
    const { nats, client } = this.#parts;
    const kv = await new nats.kv.Kvm(client).create(BUCKET, {
      replicas: record.settings.replicas,
      allow_direct: false, // a reader needs no more permissions than for any other stream
      description: 'runs of fanout',
    });
    const key = nameKey(record.name);
    await kv.put(runKey(record.id), JSON.stringify(record));
    const holder = await this.#get(key);
    try {
      if (replaces) await kv.put(key, record.id);
      else if (holder === undefined || isDeleted(holder)) await kv.create(key, record.id);
      else if (await this.#isFree(holder.string())) await kv.update(key, record.id, holder.revision);
      else throw new NameTakenError();
    } catch (error) {
      if (!(error instanceof NameTakenError) && apiErrorCode(error) !== WRONG_LAST_SEQUENCE) throw error;
      if ((await this.#idOf(record.name)) === record.id) return true; // another process of this run has added it
      await kv.purge(runKey(record.id));
      return false;
    }
    return true;
  }

  /**
   * Checks that a run still exists, and adds it again if the broker has lost its registry. Throws a `RunGoneError` if the run was
   * purged, or if another one has its name since.
   */
  async confirm(record: RunRecord): Promise<void> {
    const entry = await this.#get(runKey(record.id));
    if (entry !== undefined && !isDeleted(entry)) return;
    const other = await this.#idOf(record.name);
    const successor =
      other === undefined || other === record.id ? '' : `; the run "${record.name}" is now ${other}`;
    if (entry !== undefined) throw new RunGoneError(`the run ${describeRun(record)} was purged${successor}`);
    if (successor !== '' || !(await this.add(record)))
      throw new RunGoneError(`the broker has lost the run ${describeRun(record)}${successor}`);
  }

  /** Leaves a mark that the run was purged, and frees its name. */
  async remove({ id, name }: Pick<RunRecord, 'id' | 'name'>): Promise<void> {
    const kv = await this.#open();
    await kv.delete(runKey(id));
    await kv.purge(optionsKey(id));
    if ((await this.#idOf(name)) === id) await kv.purge(nameKey(name));
  }

  /** All runs, the oldest first. Runs of other versions of fanout are left out. */
  async list(): Promise<readonly RunRecord[]> {
    if (!(await this.#hasMessages())) return [];
    const keys: string[] = [];
    for await (const key of await (await this.#open()).keys('run.*')) keys.push(key);
    const records: RunRecord[] = [];
    for (const key of keys.sort()) {
      const entry = await this.#get(key);
      const record = entry && !isDeleted(entry) ? decodeRecord(entry.string()) : undefined;
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /**
   * Compares the options of this worker with those of the first worker of the run, both as short hashes by key. Resolves to a
   * key in which they differ, or `undefined`.
   */
  async differingOption(id: string, options: Readonly<Record<string, string>>): Promise<string | undefined> {
    const kv = await this.#open();
    const key = optionsKey(id);
    try {
      await kv.create(key, JSON.stringify(options));
      return undefined;
    } catch (error) {
      const entry = await this.#get(key);
      if (entry === undefined || isDeleted(entry)) throw error;
      const first: Record<string, unknown> = { ...Object(parseJson(entry.string())) };
      // Another version of fanout may have options that this one does not have.
      return Object.keys(options).find((name) => name in first && first[name] !== options[name]);
    }
  }

  async #idOf(name: string): Promise<string | undefined> {
    const entry = await this.#get(nameKey(name));
    return entry === undefined || isDeleted(entry) ? undefined : entry.string();
  }

  /** Whether no run has this id any more. */
  async #isFree(id: string): Promise<boolean> {
    const entry = await this.#get(runKey(id));
    return entry === undefined || isDeleted(entry);
  }

  async #get(key: string): Promise<KvEntry | undefined> {
    if (!(await this.#hasMessages())) return undefined;
    return (await (await this.#open()).get(key)) ?? undefined;
  }

  #open(): Promise<KV> {
    const { nats, client } = this.#parts;
    return new nats.kv.Kvm(client).open(BUCKET, { allow_direct: false });
  }

  /** nats-server 2.9 crashes when it is asked for a message of a stream that it is just creating. */
  async #hasMessages(): Promise<boolean> {
    try {
      return (await this.#parts.manager.streams.info(STREAM)).state.messages > 0;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}

/**
 * Deletes a run on the broker. The registry comes first: no process then creates the streams again. Throws a `UsageError` if the
 * user of the broker may not do that.
 */
export async function purgeRun(run: BrokerRun, registry: RunRegistry, record: RunRecord): Promise<void> {
  try {
    await registry.remove(record).catch(async () => {
      // The store may be full: its chunks make room for the mark.
      await run.manager.streams.purge(run.names.jobs);
      await registry.remove(record);
    });
    await deleteStreams(run);
  } catch (error) {
    const forbidden = permissionError(error, run.nats);
    if (forbidden === undefined) throw error;
    const reason = printable(forbidden.message, 200);
    throw new UsageError(`cannot delete the run ${describeRun(record)}: ${reason}`, { cause: error });
  }
}

class NameTakenError extends Error {}

function runKey(id: string): string {
  return `run.${id}`;
}

function nameKey(name: string): string {
  return `name.${name}`;
}

function optionsKey(id: string): string {
  return `options.${id}`;
}

function isDeleted({ operation }: KvEntry): boolean {
  return operation !== 'PUT';
}

function toRecord(entry: KvEntry): RunRecord {
  const record = decodeRecord(entry.string());
  if (record !== undefined) return record;
  throw new UsageError(
    `the run "${entry.key.replace('run.', '')}" is damaged or of another version of fanout: use that version, or another --run`,
  );
}

function decodeRecord(text: string): RunRecord | undefined {
  const { v, id, name, startedAt, settings, inputs, list }: Record<string, unknown> = {
    ...Object(parseJson(text)),
  };
  const checked = settingsFrom(settings);
  if (v !== FORMAT_VERSION || typeof id !== 'string' || typeof name !== 'string' || checked === undefined)
    return undefined;
  if (typeof startedAt !== 'string' || !Array.isArray(inputs) || !Array.isArray(list)) return undefined;
  if (!inputs.every((input) => typeof Object(input).name === 'string')) return undefined;
  return { v, id, name, startedAt, settings: checked, inputs, list: list.map(String) };
}
