import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { ShardWriter } from '../shards/shard-writer.ts';
import { Batches } from './batches.ts';
import { ChunkInHand } from './chunk-in-hand.ts';
import { chunkJobs } from './chunk-jobs.ts';
import type { JobWire } from './job-line.ts';
import { logRecord } from './log-record.ts';
import { pause } from './persist.ts';
import type { Delivery, QueueEngine } from './queue-engine.ts';
import { COMPLETE_KEY } from './run-end.ts';
import { CAREFUL_AFTER, oneByOne } from './suspects.ts';

/** Left for the headers of a message. */
const HEADER_BYTES = 4096;

/** The lanes may take so long to end. */
const LAST_MS = 2000;

/** Partitions that one worker asks at the same time, at most. */
const MOST_LANES = 32;

export interface ChunkWorkerParts {
  readonly engine: QueueEngine;
  readonly wire: JobWire;
  /** Chunks that are under way here at a time; with partitions it is one for each, up to 32. */
  readonly lanes: number;
  /** What this worker is called in the log. */
  readonly name: string;
  /** Where results are written; into the log if left out. */
  readonly shards?: ShardWriter | undefined;
  readonly now: () => number;
  readonly warn: (text: string) => void;
}

/**
 * Takes chunks from the broker, hands their jobs to a run, and puts the results of each chunk into the log when it has them
 * all; only then the broker forgets the chunk.
 */
export class ChunkWorker {
  readonly #parts: ChunkWorkerParts;
  readonly #batches = new Batches();
  readonly #inHand = new Map<number, ChunkInHand>();
  /** The chunk of each job that was handed out and has no result. */
  readonly #chunkOf = new Map<number, ChunkInHand>();
  /** Told of a result, by the place of its job: where jobs go one by one. */
  readonly #told = new Map<number, () => void>();
  readonly #draining = new AbortController();
  readonly #leaving = new AbortController();
  #finished = 0;
  #redelivered = 0;
  #heardAt: number;

  constructor(parts: ChunkWorkerParts) {
    this.#parts = parts;
    this.#heardAt = parts.now();
  }

  /** Chunks that this worker is at, whose results it put into the log, and that had been handed out before. */
  get chunks(): Readonly<Record<'inHand' | 'finished' | 'redelivered', number>> {
    return { inHand: this.#inHand.size, finished: this.#finished, redelivered: this.#redelivered };
  }

  /** The jobs, for one reader; they end after `drain`, and when the run is complete. */
  async *jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    const { engine } = this.#parts;
    const { partitions, ackWaitMs } = engine.settings;
    const count = partitions === 1 ? this.#parts.lanes : Math.min(partitions, MOST_LANES);
    const extending = setInterval(() => {
      for (const { delivery } of this.#inHand.values()) delivery.extend();
    }, ackWaitMs / 3);
    const lanes = Array.from({ length: count }, (_, lane) => this.#lane(lane, count));
    const all = Promise.all(lanes).finally(() => this.#batches.close());
    all.catch(() => {}); // awaited below; a reader that leaves early must not turn it into a crash
    try {
      yield* this.#batches;
      await all;
    } finally {
      clearInterval(extending);
      this.leave();
      // What comes to a lane that still asks is given back, if the broker is there.
      const ended = new AbortController();
      Promise.allSettled(lanes).then(() => ended.abort());
      await pause(LAST_MS, ended.signal);
    }
  }

  /** Takes the result of a job that was handed out. */
  take(result: Result): void {
    const chunk = this.#chunkOf.get(result.index);
    if (chunk === undefined) return;
    this.#chunkOf.delete(result.index);
    chunk.add(result);
    this.#told.get(result.index)?.();
  }

  /** Takes no more chunks; those in hand are finished. */
  drain(): void {
    this.#draining.abort();
  }

  /** Gives back what is in hand, to be fetched by others. Results that come later are dropped. */
  leave(): void {
    this.#draining.abort();
    if (this.#leaving.signal.aborted) return;
    this.#leaving.abort();
    this.#chunkOf.clear();
    for (const { delivery, release } of this.#inHand.values()) {
      delivery.giveBack();
      release();
    }
    for (const tell of this.#told.values()) tell();
    this.#inHand.clear();
  }

  /** Partitions `lane`, `lane + lanes` and so on, in turn. */
  async #lane(lane: number, lanes: number): Promise<void> {
    const { engine } = this.#parts;
    const { partitions } = engine.settings;
    const { signal } = this.#draining;
    for (let at = partitions === 1 ? 0 : lane; !signal.aborted; ) {
      const delivery = await engine.next(at, signal);
      if (delivery === undefined) await this.#idle(lane);
      else if (signal.aborted) delivery.giveBack();
      else {
        this.#heardAt = this.#parts.now();
        if (delivery.attempts > 1) this.#redelivered += 1;
        await this.#work(delivery);
      }
      at = partitions === 1 || at + lanes >= partitions ? (partitions === 1 ? 0 : lane) : at + lanes;
    }
  }

  /** Nothing came: it may be all over, or the broker has lost sight of something. */
  async #idle(lane: number): Promise<void> {
    const { engine, now } = this.#parts;
    if (lane !== 0 || this.#draining.signal.aborted) return;
    if ((await engine.state(COMPLETE_KEY)) === true) return this.drain();
    if (now() - this.#heardAt < 3 * engine.settings.ackWaitMs || this.#inHand.size > 0) return;
    this.#heardAt = now();
    await engine.adoptOrphans().catch(() => false);
  }

  async #work(delivery: Delivery): Promise<void> {
    const { wire, warn, name } = this.#parts;
    const known = this.#inHand.get(delivery.id);
    if (known !== undefined) {
      // The broker did not hear in time that it is being worked on.
      known.delivery = delivery;
      return;
    }
    const jobs = chunkJobs(delivery.body, wire);
    if (jobs === undefined) {
      warn(`chunk ${delivery.id} is damaged and was dropped; "fanout feed --reconcile" sends it again`);
      return delivery.ack();
    }
    const chunk = new ChunkInHand(delivery, jobs, name);
    this.#inHand.set(delivery.id, chunk);
    if (delivery.attempts > CAREFUL_AFTER) await this.#handOutCarefully(chunk);
    else this.#handOut(chunk, jobs);
    await chunk.ended;
    if (!this.#leaving.signal.aborted) await this.#finish(chunk);
  }

  #handOut(chunk: ChunkInHand, jobs: readonly Job[]): void {
    for (const { index } of jobs) this.#chunkOf.set(index, chunk);
    this.#batches.add(jobs);
  }

  #handOutCarefully(chunk: ChunkInHand): Promise<void> {
    return oneByOne(chunk, this.#parts, this.#leaving.signal, async (job) => {
      await new Promise<void>((resolve) => {
        this.#told.set(job.index, resolve);
        this.#handOut(chunk, [job]);
      });
      this.#told.delete(job.index);
    });
  }

  async #finish(chunk: ChunkInHand): Promise<void> {
    const { engine, name, shards } = this.#parts;
    const { id } = chunk.delivery;
    try {
      const finished = { chunk: id, results: chunk.results, worker: name };
      const record = await logRecord(finished, { maxBytes: engine.maxBytes - HEADER_BYTES, shards });
      await engine.append(record, this.#leaving.signal);
      await chunk.delivery.ack();
      this.#finished += 1;
    } catch (error) {
      if (!(error instanceof OutputError)) return; // left before it was stored: it was given back
      this.leave();
      throw error;
    } finally {
      this.#inHand.delete(id);
    }
  }
}
