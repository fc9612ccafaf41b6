import { InputError, UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { layoutText } from './checkpoint.ts';
import { Chunker, type LazyChunk } from './chunker.ts';
import { answerFrom } from './collector-answer.ts';
import type { JobWire } from './job-line.ts';
import type { EncodedChunk, QueueEngine } from './queue-engine.ts';
import { END_KEY, endFrom, FED_KEY, INPUTS_KEY, RECONCILED_KEY, type RunEnd } from './run-end.ts';

/** How often the sender tells how far it is. */
const TELL_MS = 1000;

export interface FeederParts {
  readonly engine: QueueEngine;
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
async function unsent(engine: QueueEngine): Promise<(id: number) => boolean> {
  if ((await engine.state(RECONCILED_KEY)) !== undefined) {
    throw new UsageError(
      'Cannot tell what of this run was sent, since a part of it was sent again: go on with "fanout feed --reconcile"',
    );
  }
  const sent = await engine.published();
  return (id) => id >= sent;
}

/** Which chunks the collector has no results of. */
async function unfinished(engine: QueueEngine): Promise<(id: number) => boolean> {
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
