import { gzipSync } from 'node:zlib';
import { InputError, UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { layoutText } from './checkpoint.ts';
import type { EncodedChunk } from './chunk.ts';
import { answerFrom } from './claim.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { encodeJob, hostPartition, type JobWire } from './job-codec.ts';
import { pause } from './persist.ts';
import {
  END_KEY,
  endFrom,
  FED_KEY,
  INPUTS_KEY,
  RECONCILED_KEY,
  type RunEnd,
  type RunStop,
  refuseStopped,
  untilStopped,
} from './run-stop.ts';

/** A chunk with larger jobs than usual ends here: a message must stay below 1 MiB. */
const MAX_CHARACTERS = 256 * 1024;

interface ChunkerParts {
  /** URLs in a chunk. */
  readonly size: number;
  readonly partitions: number;
  readonly wire: JobWire;
  /** The largest message that the broker takes. */
  readonly maxBytes: number;
}

/** Lines that wait until there are enough of them. */
interface Pending {
  lines: string[];
  characters: number;
}

/** A chunk whose body is made on demand: of chunks that were sent before, none is needed. */
interface LazyChunk {
  readonly id: number;
  encode(): EncodedChunk;
}

/**
 * Cuts a list of jobs into chunks, numbered from 0. The chunks depend on the list, the size and the partitions alone: the
 * same list gives the same chunks with the same numbers, on any machine.
 */
export class Chunker {
  readonly #parts: ChunkerParts;
  readonly #pending: Pending[];
  #next = 0;

  constructor(parts: ChunkerParts) {
    this.#parts = parts;
    this.#pending = Array.from({ length: parts.partitions }, () => ({ lines: [], characters: 0 }));
  }

  /** Chunks that were given out. */
  get count(): number {
    return this.#next;
  }

  /** The chunk that this job has made full, or `undefined`. */
  add(job: Job): LazyChunk | undefined {
    const { wire, size, partitions, maxBytes } = this.#parts;
    const partition = hostPartition(job.url, partitions);
    const pending = this.#pending[partition];
    if (pending === undefined) throw new RangeError(`There is no partition ${partition}`);
    const line = fitting(encodeJob(job, wire), job, this.#parts, maxBytes);
    pending.lines.push(line);
    pending.characters += line.length;
    const isFull = pending.lines.length >= size || pending.characters >= MAX_CHARACTERS;
    return isFull ? this.#take(partition, pending) : undefined;
  }

  /** What is left after the last job. */
  *end(): Generator<LazyChunk, void, void> {
    for (const [partition, pending] of this.#pending.entries()) {
      if (pending.lines.length > 0) yield this.#take(partition, pending);
    }
  }

  #take(partition: number, pending: Pending): LazyChunk {
    const { lines } = pending;
    const id = this.#next++;
    pending.lines = [];
    pending.characters = 0;
    const count = lines.length;
    return { id, encode: () => ({ id, partition, count, body: gzipSync(lines.join('\n'), { level: 1 }) }) };
  }
}

/** Instead of a job that no message can carry, one that says so. */
function fitting(line: string, job: Job, { wire }: ChunkerParts, maxBytes: number): string {
  // A chunk has up to 256 Ki characters before its last job.
  if (line.length <= MAX_CHARACTERS || Buffer.byteLength(line) <= maxBytes / 2) return line;
  const { index, source, line: number, url, id } = job;
  const invalid = `Cannot send a job of ${line.length} characters through the broker: it must be half a message at most`;
  return encodeJob({ index, source, line: number, url, invalid, ...(id === undefined ? {} : { id }) }, wire);
}

/** How often the sender tells how far it is. */
const TELL_MS = 1000;

interface FeederParts {
  readonly engine: JetStreamEngine;
  readonly wire: JobWire;
  /** The whole list, from its start. */
  readonly jobs: AsyncIterable<Iterable<Job>>;
  readonly tally: Readonly<{ read: number; skipped: number }>;
  /** What was read, in words: the same run must be fed from the same inputs. */
  readonly inputs: readonly string[];
  /** Send again what has no result, and nothing else. */
  readonly reconcile: boolean;
  /** No URL at all is no error. */
  readonly allowEmpty: boolean;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** Told of each chunk that the broker has got from this process. */
  readonly sent?: ((chunk: EncodedChunk) => void) | undefined;
}

/**
 * Sends a list, or the rest of it: chunks that the broker has had are passed over. Resolves to the end of the run, or to
 * `undefined` when the signal came first. Throws a `UsageError` when this list cannot go on in this run.
 */
export async function feed(parts: FeederParts): Promise<RunEnd | undefined> {
  const { engine, reconcile, signal, tally } = parts;
  const known = endFrom(await engine.state(END_KEY));
  await checkInputs(parts);
  if (known !== undefined && !reconcile) return known;
  const wanted = reconcile ? await unfinished(engine) : await unsent(engine);
  const chunker = new Chunker({
    ...engine.settings,
    wire: parts.wire,
    size: engine.settings.chunk,
    maxBytes: engine.maxBytes,
  });
  const chunks = encoded(chunksOf(chunker, parts), wanted);
  if (reconcile) await engine.republish(chunks, parts);
  else await engine.publish(chunks, parts);
  if (signal.aborted) return undefined;
  if (tally.read === 0 && !parts.allowEmpty) {
    throw new InputError(
      'Cannot find any URL in the input: it must hold at least one; --allow-empty makes this no error',
    );
  }
  const end = { chunks: chunker.count, read: tally.read, skipped: tally.skipped };
  if (known !== undefined && JSON.stringify(end) !== JSON.stringify({ ...end, ...known })) {
    throw new UsageError(
      `Cannot go on with this list: it has ${end.read} URLs, and the run was fed ${known.read}; feed the same inputs as before`,
    );
  }
  await engine.setState(END_KEY, end);
  return end;
}

async function checkInputs({ engine, inputs }: FeederParts): Promise<void> {
  const before = await engine.state(INPUTS_KEY);
  if (before === undefined) return engine.setState(INPUTS_KEY, inputs);
  if (JSON.stringify(before) === JSON.stringify(inputs)) return;
  throw new UsageError(
    'Cannot feed these inputs to this run: it was begun with others, or with other flags for lines; feed the same ones, or name another --run',
  );
}

/** Which chunks were never sent. */
async function unsent(engine: JetStreamEngine): Promise<(id: number) => boolean> {
  if ((await engine.state(RECONCILED_KEY)) !== undefined) {
    throw new UsageError(
      'Cannot tell what of this run was sent, since a part of it was sent again: go on with "fanout feed --reconcile"',
    );
  }
  const sent = await engine.published();
  return (id) => id >= sent;
}

/** Which chunks the collector has no results of. */
async function unfinished(engine: JetStreamEngine): Promise<(id: number) => boolean> {
  const answered = await engine.ask({ tries: 3 });
  const answer = answered === undefined || answered === 'silent' ? undefined : answerFrom(answered);
  if (answer === undefined) {
    const reason = answered === undefined ? 'there is no collector' : 'the collector does not answer';
    throw new UsageError(
      `Cannot tell what has no result yet: ${reason}; start "fanout collect" for this run, and try again`,
    );
  }
  const { layout, done } = answer;
  const { chunk, partitions } = engine.settings;
  if (layout.chunk !== chunk || layout.partitions !== partitions) {
    throw new UsageError(
      `Cannot send this run again with ${layoutText(engine.settings)}: it was begun with ${layoutText(layout)}; "fanout purge" it, and feed it with these`,
    );
  }
  await engine.setState(RECONCILED_KEY, true);
  return (id) => !done.has(id);
}

async function* chunksOf(chunker: Chunker, parts: FeederParts): AsyncGenerator<LazyChunk, void, void> {
  const { jobs, now, engine, tally, signal } = parts;
  let told = Number.NEGATIVE_INFINITY;
  for await (const batch of jobs) {
    for (const job of batch) {
      const chunk = chunker.add(job);
      if (chunk !== undefined) yield chunk;
    }
    if (now() - told < TELL_MS) continue;
    told = now();
    await engine.setState(FED_KEY, { chunks: chunker.count, read: tally.read, skipped: tally.skipped });
  }
  // After an abort the list may have no end, and the last chunk would be another one.
  if (!signal.aborted) yield* chunker.end();
}

async function* encoded(
  chunks: AsyncIterable<LazyChunk>,
  isWanted: (id: number) => boolean,
): AsyncGenerator<EncodedChunk, void, void> {
  for await (const chunk of chunks) if (isWanted(chunk.id)) yield chunk.encode();
}

const BEAT_MS = 1000;

interface StoppableFeed extends Omit<FeederParts, 'signal'> {
  /** Ends the reading of the list: also aborted here, when the run is stopped. */
  readonly reading: AbortController;
  /** How many jobs the whole list has, if that can be known. */
  readonly count: (signal: AbortSignal) => Promise<number | undefined>;
  /** Ends the counting. */
  readonly leaving: AbortSignal;
}

/** What became of the sending: the end of the list, the stop of the run, or neither when the reading was ended by the caller. */
export interface FeedOutcome {
  readonly end?: RunEnd | undefined;
  readonly stop?: RunStop | undefined;
}

/** Sends a list until it ends or the run is stopped. Then the collector is told how long the whole list is. */
export async function feedUntilStopped(parts: StoppableFeed): Promise<FeedOutcome> {
  const { engine, reading } = parts;
  await refuseStopped(engine, 'feed');
  const watching = new AbortController();
  let stop: RunStop | undefined;
  untilStopped(engine, watching.signal).then((found) => {
    stop = found;
    if (found !== undefined) reading.abort();
  });
  try {
    const end = await feed({ ...parts, signal: reading.signal });
    if (end !== undefined) return { end };
    if (stop !== undefined) await tellTheRest(parts);
    return { stop };
  } finally {
    watching.abort();
  }
}

/** A long list takes long to count, so there are signs of life meanwhile. */
async function tellTheRest({ engine, tally, count, leaving }: StoppableFeed): Promise<void> {
  const { read, skipped } = tally;
  const chunks = await engine.published();
  const counted = new AbortController();
  const beating = (async () => {
    for (let counting = 1; !counted.signal.aborted; counting++) {
      await engine.setState(FED_KEY, { chunks, read, skipped, counting });
      await pause(BEAT_MS, counted.signal);
    }
  })();
  const total = await count(leaving).finally(() => counted.abort());
  await beating;
  await engine.setState(FED_KEY, { chunks, read, skipped, total, isLast: true });
}
