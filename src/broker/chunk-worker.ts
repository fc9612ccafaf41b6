import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { Batches } from './batches.ts';
import { ChunkInHand } from './chunk-in-hand.ts';
import { chunkJobs } from './chunk-jobs.ts';
import type { ChunkWorkerParts } from './chunk-worker-parts.ts';
import { IdleWatch } from './idle-watch.ts';
import { logRecord } from './log-record.ts';
import { laneCount, partitionTurns } from './partition-turns.ts';
import type { Delivery } from './queue-engine.ts';
import { STOP_POLL_MS } from './run-stop.ts';
import { settledWithin } from './settled-within.ts';
import { CAREFUL_AFTER, oneByOne } from './suspects.ts';

const HEADER_BYTES = 4096; // left for the headers of a message
const LAST_MS = 2000; // for the lanes to end

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
  /** Ends the turns of jobs that go one by one. */
  readonly #turning = new AbortController();
  readonly #idle: IdleWatch;
  #extending: NodeJS.Timeout | undefined;
  #lanes: readonly Promise<void>[] = [];
  #isStopped = false;
  #finished = 0;
  #redelivered = 0;

  constructor(parts: ChunkWorkerParts) {
    this.#parts = parts;
    this.#idle = new IdleWatch(parts.engine, parts.now);
  }

  /** Chunks that this worker is at, whose results it put into the log, and that had been handed out before. */
  get chunks(): Readonly<Record<'inHand' | 'finished' | 'redelivered', number>> {
    return { inHand: this.#inHand.size, finished: this.#finished, redelivered: this.#redelivered };
  }

  /** The jobs, for one reader; they end after `drain`, and when the run is complete. `leave` is to follow. */
  async *jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    const { engine, lanes } = this.#parts;
    const { partitions, ackWaitMs } = engine.settings;
    this.#extending = setInterval(() => {
      for (const { delivery } of this.#inHand.values()) delivery.extend();
    }, ackWaitMs / 3);
    const count = laneCount(partitions, lanes);
    this.#lanes = Array.from({ length: count }, (_, lane) => this.#lane(lane, count));
    const all = Promise.all(this.#lanes).finally(() => this.#batches.close());
    all.catch(() => {}); // awaited below; a reader that leaves early must not turn it into a crash
    yield* this.#batches;
    await all;
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

  /** Takes no more chunks, since the run was stopped. `handIn` is to follow, when no more results will come. */
  stop(): void {
    this.#isStopped = true;
    this.#turning.abort();
    this.#draining.abort();
  }

  /** After `stop`: puts what there is of the chunks in hand into the log, and gives them back. */
  async handIn(): Promise<void> {
    for (const tell of this.#told.values()) tell();
    for (const { release } of this.#inHand.values()) release();
    await Promise.all(this.#lanes);
  }

  /**
   * Gives back what is in hand, to be fetched by others. Results that come later are dropped. Resolves when what comes to a lane
   * that still asks is given back, too, if the broker is there.
   */
  async leave(): Promise<void> {
    clearInterval(this.#extending);
    this.#draining.abort();
    this.#turning.abort();
    if (!this.#leaving.signal.aborted) this.#giveAllBack();
    await settledWithin(LAST_MS, this.#lanes);
  }

  #giveAllBack(): void {
    this.#leaving.abort();
    this.#chunkOf.clear();
    for (const { delivery, release } of this.#inHand.values()) {
      delivery.giveBack();
      release();
    }
    for (const tell of this.#told.values()) tell();
    this.#inHand.clear();
  }

  async #lane(lane: number, lanes: number): Promise<void> {
    const { engine } = this.#parts;
    const { signal } = this.#draining;
    for (const partition of partitionTurns(engine.settings.partitions, lane, lanes)) {
      if (signal.aborted) return;
      const delivery = await engine.next(partition, signal);
      if (delivery === undefined) {
        if (lane === 0 && !signal.aborted && (await this.#idle.isOver(this.#inHand.size > 0))) this.drain();
      } else if (signal.aborted) await this.#refuse(delivery);
      else {
        this.#idle.heard();
        if (delivery.attempts > 1) this.#redelivered += 1;
        await this.#work(delivery);
      }
    }
  }

  /** Gives back a chunk that came too late; of a run that was stopped somebody waits for a word on it. */
  async #refuse(delivery: Delivery): Promise<void> {
    if (!this.#isStopped) return delivery.giveBack();
    const { wire, name } = this.#parts;
    await this.#finish(new ChunkInHand(delivery, chunkJobs(delivery.body, wire) ?? [], name));
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
    return oneByOne(chunk, this.#parts, this.#turning.signal, async (job) => {
      await new Promise<void>((resolve) => {
        this.#told.set(job.index, resolve);
        this.#handOut(chunk, [job]);
      });
      this.#told.delete(job.index);
    });
  }

  async #finish(chunk: ChunkInHand): Promise<void> {
    const { engine, name, shards } = this.#parts;
    const { results, jobs } = chunk;
    const { id } = chunk.delivery;
    const isUnfinished = this.#isStopped && results.length < jobs.length;
    try {
      const finished = { chunk: id, results, worker: name, isUnfinished };
      const record = await logRecord(finished, { maxBytes: engine.maxBytes - HEADER_BYTES, shards });
      await engine.append(record, this.#leaving.signal);
      // Later, when nobody takes it who has not heard of the stop.
      if (isUnfinished) return chunk.delivery.giveBack(2 * STOP_POLL_MS);
      await chunk.delivery.ack();
      this.#finished += 1;
    } catch (error) {
      if (!(error instanceof OutputError)) return; // left before it was stored: it was given back
      this.#giveAllBack();
      throw error;
    } finally {
      this.#inHand.delete(id);
    }
  }
}
