import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { InputError, UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { Bitmap, MAX_CHUNKS } from './bitmap.ts';
import { pause } from './broker-connection.ts';
import { type EncodedChunk, encodeJob, hostPartition } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { describeRun, type RunRecord } from './run-registry.ts';
import {
  END_KEY,
  endFrom,
  FED_KEY,
  RECONCILED_KEY,
  type RunEnd,
  type RunStop,
  refuseStopped,
  untilComplete,
  untilStopped,
} from './run-state.ts';

/** A chunk ends at this size before it has all its URLs: a message must stay below 1 MiB. */
const MAX_CHARACTERS = 256 * 1024;

/** How often the sender shows that it is alive while it counts the rest of the list. */
const HEARTBEAT_MS = 1000;

interface SendParts {
  readonly engine: JetStreamEngine;
  /** The whole list, from its start. */
  readonly jobs: AsyncIterable<Iterable<Job>>;
  readonly tally: Readonly<{ read: number; skipped: number }>;
  /** Throws if an input has changed since the run was opened. */
  readonly checkUnchanged: () => Promise<void>;
  /** Send only the chunks without results. */
  readonly reconcile: boolean;
  /** Whether a list without URLs is allowed. */
  readonly allowEmpty: boolean;
  readonly now: () => number;
  /** Ends the sending. */
  readonly signal: AbortSignal;
  /** The number of jobs in the whole list, or `undefined` if it cannot be counted. */
  readonly count?: (signal: AbortSignal) => Promise<number | undefined>;
  /** Called for each chunk that this process has sent. */
  readonly sent?: ((chunk: EncodedChunk) => void) | undefined;
}

interface FeedParts extends Omit<SendParts, 'signal'> {
  /** Ends the reading of the list; also aborted here, when the run is stopped. */
  readonly reading: AbortController;
  readonly count: NonNullable<SendParts['count']>;
  /** Ends the counting. */
  readonly leaving: AbortSignal;
}

/** The end of the list, the stop of the run, or neither when the caller ended the reading. */
export interface FeedOutcome {
  readonly end?: RunEnd | undefined;
  readonly stop?: RunStop | undefined;
}

/** Sends a list until it ends or the run is stopped. After a stop, the collector is told the length of the whole list. */
export async function feed(parts: FeedParts): Promise<FeedOutcome> {
  const { engine, reading } = parts;
  await refuseStopped(engine, 'feed');
  const watching = new AbortController();
  let stop: RunStop | undefined;
  untilStopped(engine, watching.signal).then((found) => {
    stop = found;
    if (found !== undefined) reading.abort();
  });
  let complete: RunEnd | undefined;
  // Another feeder has sent the rest. What it sent twice stays in the queue, which may never have room again.
  untilComplete(engine, watching.signal).then((found) => {
    complete = found;
    if (found !== undefined && !parts.reconcile) reading.abort();
  });
  try {
    const end = (await sendList({ ...parts, signal: reading.signal })) ?? complete;
    if (end !== undefined) return { end };
    if (stop !== undefined) await reportRemaining(parts);
    return { stop };
  } finally {
    watching.abort();
  }
}

/**
 * Sends a list, or the rest of it: chunks that the broker had before are skipped. Resolves to the end of the run, or to
 * `undefined` after an abort. Throws a `UsageError` when this is not the list that the run began with.
 */
export async function sendList(parts: SendParts): Promise<RunEnd | undefined> {
  const { engine, reconcile, signal, tally } = parts;
  const previous = endFrom(await engine.state(END_KEY));
  // The files are those of the run. Standard input and sitemaps have to be read to know.
  const isSame = engine.record.inputs.every(({ sha256 }) => sha256 !== undefined);
  if (previous !== undefined && !reconcile && isSame) return previous;
  const isNeeded = reconcile
    ? await withoutResults(engine)
    : previous === undefined
      ? await unsent(engine)
      : () => false;
  const list = new ListDigest(previous ?? readSentList(await engine.state(FED_KEY)));
  const chunker = new Chunker({
    ...engine.settings,
    size: engine.settings.chunk,
    maxBytes: engine.maxBytes,
    onLine: (line) => list.add(line),
  });
  const chunks = encodeNeeded(cutList(chunker, parts, list), isNeeded);
  const counting = new AbortController();
  let expected: number | undefined;
  const beforeSending = () =>
    engine.setState(FED_KEY, { ...progressOf(tally), ...list.sent(), chunks: chunker.count, expected });
  const tellExpected = async () => {
    expected = await parts.count?.(AbortSignal.any([signal, counting.signal]));
    if (!counting.signal.aborted) await beforeSending();
  };
  tellExpected().catch(() => {}); // only the status shows it
  const options = { ...parts, beforeSending };
  const sending = reconcile ? engine.queue.republish(chunks, options) : engine.queue.publish(chunks, options);
  await sending.finally(() => counting.abort());
  if (signal.aborted) return undefined;
  if (tally.read === 0 && !parts.allowEmpty) {
    throw new InputError('no URLs in the input (use --allow-empty to permit this)');
  }
  await parts.checkUnchanged();
  const end = { chunks: chunker.count, ...progressOf(tally), ...list.sent() };
  if (previous !== undefined && end.sha256 !== previous.sha256) throw otherList(engine.record, previous, end);
  if (previous === undefined) await engine.setState(END_KEY, end);
  return end;
}

function progressOf({ read, skipped }: SendParts['tally']): Pick<RunEnd, 'read' | 'skipped'> {
  return { read, skipped };
}

function otherList(record: RunRecord, before: SentList, now: SentList): UsageError {
  const [first, second] = [before, now].map(
    ({ jobs, sha256 }) => `${jobs} URLs, SHA-256 ${sha256.slice(0, 12)}…`,
  );
  return new UsageError(
    `this list is not the one that the run ${describeRun(record)} is fed from: it begins with ${second}, and that one with ${first}; feed the same list again, or use --new to start a new run of this name`,
  );
}

/** The part of a list that was sent. */
export interface SentList {
  /** The number of jobs. */
  readonly jobs: number;
  /** The SHA-256 of their lines. */
  readonly sha256: string;
}

/** Computes the digest of a list while it is read, and compares it with that of the part that was sent before. */
class ListDigest {
  readonly #hash = createHash('sha256');
  readonly #before: SentList | undefined;
  #jobs = 0;
  #isVerified = false;
  #isDifferent = false;

  constructor(before: SentList | undefined) {
    this.#before = before;
    this.#isVerified = before === undefined || before.jobs === 0;
  }

  /** Whether the list begins with what was sent before. */
  get isVerified(): boolean {
    return this.#isVerified;
  }

  /** What was sent before. */
  get before(): SentList | undefined {
    return this.#before;
  }

  /** Whether this list is known to be another one. */
  get isDifferent(): boolean {
    return this.#isDifferent;
  }

  add(line: string): void {
    this.#hash.update(line).update('\n');
    this.#jobs += 1;
    if (this.#jobs !== this.#before?.jobs) return;
    this.#isVerified = this.sent().sha256 === this.#before.sha256;
    this.#isDifferent = !this.#isVerified;
  }

  /** The list so far. */
  sent(): SentList {
    return { jobs: this.#jobs, sha256: this.#hash.copy().digest('hex') };
  }
}

function readSentList(value: unknown): SentList | undefined {
  const { jobs, sha256 }: Record<string, unknown> = { ...Object(value) };
  return typeof jobs === 'number' && typeof sha256 === 'string' ? { jobs, sha256 } : undefined;
}

/** Counts the rest of the list, and writes its total to the run's state. That may take long, so there are heartbeats. */
async function reportRemaining({ engine, tally, count, leaving }: FeedParts): Promise<void> {
  const { read, skipped } = tally;
  const chunks = await engine.published();
  const { jobs, sha256 } = readSentList(await engine.state(FED_KEY)) ?? {};
  const sent = { chunks, read, skipped, jobs, sha256 };
  const counted = new AbortController();
  const heartbeats = (async () => {
    for (let counting = 1; !counted.signal.aborted; counting++) {
      await engine.setState(FED_KEY, { ...sent, counting });
      await pause(HEARTBEAT_MS, counted.signal);
    }
  })();
  const total = await count(leaving).finally(() => counted.abort());
  await heartbeats;
  await engine.setState(FED_KEY, { ...sent, total, isLast: true });
}

/** Selects the chunks that were never sent. */
async function unsent(engine: JetStreamEngine): Promise<(id: number) => boolean> {
  if ((await engine.state(RECONCILED_KEY)) !== undefined) {
    throw new UsageError(
      'a part of this run was sent again, so what is missing is unknown: continue with "fanout cluster feed --reconcile"',
    );
  }
  const published = await engine.published();
  return (id) => id >= published;
}

/**
 * Selects the chunks without results: those that have no commit, unless each running collector has taken their results before the
 * broker lost its data, and those whose commit a collector cannot read, which is then deleted.
 */
async function withoutResults(engine: JetStreamEngine): Promise<(id: number) => boolean> {
  const collectors = await engine.askCollectors();
  if (collectors === 'silent') {
    throw new UsageError(
      'cannot find out which chunks have no result: the collector does not respond; try again when it does',
    );
  }
  const refused = new Set(collectors.flatMap((collector) => collector.refused));
  const committed = new Bitmap();
  for await (const { chunk, sequence } of engine.log.committed()) {
    if (refused.has(chunk)) await engine.log.remove(sequence);
    else if (chunk < MAX_CHUNKS) committed.set(chunk);
  }
  await engine.setState(RECONCILED_KEY, true);
  const isTaken = (id: number) => collectors.length > 0 && collectors.every(({ done }) => done.has(id));
  return (id) => !committed.has(id) && !isTaken(id);
}

/**
 * The chunks of a list, once it is known to begin with what was sent before: until then at most a window of them waits. Throws a
 * `UsageError` if it begins with anything else.
 */
async function* cutList(
  chunker: Chunker,
  { jobs, engine, signal, reconcile }: SendParts,
  list: ListDigest,
): AsyncGenerator<LazyChunk, void, void> {
  const waiting: LazyChunk[] = [];
  // What is sent again is checked at the end: any part of the list may be missing, and files have been compared before.
  const published = reconcile ? Number.POSITIVE_INFINITY : await engine.published();
  for await (const batch of jobs) {
    for (const job of batch) {
      const chunk = chunker.add(job);
      if (list.isDifferent && list.before !== undefined)
        throw otherList(engine.record, list.before, list.sent());
      if (chunk !== undefined) waiting.push(chunk);
      if (waiting.length === 0 || !(list.isVerified || (waiting[0]?.id ?? 0) < published)) continue;
      yield* waiting.splice(0);
    }
  }
  // After an abort the list may not be complete, and its last chunk would differ.
  if (signal.aborted) return;
  if (!reconcile && !list.isVerified && list.before !== undefined)
    throw otherList(engine.record, list.before, list.sent());
  yield* waiting;
  yield* chunker.end();
}

async function* encodeNeeded(
  chunks: AsyncIterable<LazyChunk>,
  isNeeded: (id: number) => boolean,
): AsyncGenerator<EncodedChunk, void, void> {
  for await (const chunk of chunks) if (isNeeded(chunk.id)) yield chunk.encode();
}

interface ChunkerParts {
  /** URLs in a chunk. */
  readonly size: number;
  readonly partitions: number;
  /** The size of the largest message in bytes. */
  readonly maxBytes: number;
  /** Called with the line of each job. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** The lines of a partition that are not yet in a chunk. */
interface PendingLines {
  lines: string[];
  characters: number;
}

/** A chunk whose body is encoded on demand: chunks that were sent before do not need one. */
interface LazyChunk {
  readonly id: number;
  encode(): EncodedChunk;
}

/**
 * Cuts a list of jobs into chunks, numbered from 0. The result depends only on the list, the size and the partitions: the
 * same list gives the same chunks with the same numbers on every machine.
 */
export class Chunker {
  readonly #parts: ChunkerParts;
  readonly #pending: PendingLines[];
  #next = 0;

  constructor(parts: ChunkerParts) {
    this.#parts = parts;
    this.#pending = Array.from({ length: parts.partitions }, () => ({ lines: [], characters: 0 }));
  }

  /** The number of chunks so far. */
  get count(): number {
    return this.#next;
  }

  /** Adds a job. Returns the chunk that is full with it, or `undefined`. */
  add(job: Job): LazyChunk | undefined {
    const { size, partitions, maxBytes } = this.#parts;
    const partition = hostPartition(job.url, partitions);
    const pending = this.#pending[partition];
    if (pending === undefined) throw new RangeError(`There is no partition ${partition}`);
    const line = encodeFitting(job, maxBytes);
    this.#parts.onLine?.(line);
    pending.lines.push(line);
    pending.characters += line.length;
    const isFull = pending.lines.length >= size || pending.characters >= maxCharacters(maxBytes);
    return isFull ? this.#take(partition, pending) : undefined;
  }

  /** The chunks that are not full, after the last job. */
  *end(): Generator<LazyChunk, void, void> {
    for (const [partition, pending] of this.#pending.entries()) {
      if (pending.lines.length > 0) yield this.#take(partition, pending);
    }
  }

  #take(partition: number, pending: PendingLines): LazyChunk {
    const { lines } = pending;
    const id = this.#next++;
    pending.lines = [];
    pending.characters = 0;
    const count = lines.length;
    return { id, encode: () => ({ id, partition, count, body: gzipSync(lines.join('\n'), { level: 1 }) }) };
  }
}

/** How long a chunk may be before its last job, which may take half of a message. */
function maxCharacters(maxBytes: number): number {
  return Math.min(MAX_CHARACTERS, Math.floor(maxBytes / 4));
}

/** The line of a job, or, if it is too large for a message, of an invalid job that says so. */
function encodeFitting(job: Job, maxBytes: number): string {
  const encoded = encodeJob(job);
  if (encoded.length <= maxCharacters(maxBytes) || Buffer.byteLength(encoded) <= maxBytes / 2) return encoded;
  const { index, source, line, url, id } = job;
  if (job.given !== undefined) {
    const { given, ...rest } = job;
    return encodeFitting(rest, maxBytes);
  }
  const invalid = `a job of ${encoded.length} characters is too large for a message of the broker: at most half a message is possible`;
  return encodeJob({ index, source, line, url, invalid, ...(id === undefined ? {} : { id }) });
}
