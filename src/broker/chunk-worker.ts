import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { ChunkInHand } from './chunk-in-hand.ts';
import { chunkJobs } from './chunk-jobs.ts';
import type { ChunkWorkerParts } from './chunk-worker-parts.ts';
import { HandedOut } from './handed-out.ts';
import { IdleWatch } from './idle-watch.ts';
import { Leases } from './leases.ts';
import { logRecord } from './log-record.ts';
import { laneCount, partitionTurns } from './partition-turns.ts';
import type { Delivery } from './queue-engine.ts';
import { STOP_POLL_MS } from './run-stop.ts';
import { settledWithin } from './settled-within.ts';
import { CAREFUL_AFTER, oneByOne } from './suspects.ts';

const LAST_MS = 2000; // for the lanes to end

/**
 * Takes chunks from the broker, hands their jobs to a run, and puts the results of each chunk into the log when it has them
 * all; only then the broker forgets the chunk.
 */
export class ChunkWorker {
  readonly #parts: ChunkWorkerParts;
  readonly #out = new HandedOut();
  readonly #inHand = new Map<number, ChunkInHand>();
  readonly #leases: Leases;
  readonly #draining = new AbortController();
  readonly #leaving = new AbortController();
  /** Ends the turns of jobs that go one by one. */
  readonly #turning = new AbortController();
  readonly #idle: IdleWatch;
  #lanes: readonly Promise<void>[] = [];
  #isStopped = false;
  #finished = 0;
  #redelivered = 0;

  constructor(parts: ChunkWorkerParts) {
    this.#parts = parts;
    this.#idle = new IdleWatch(parts.engine, parts.now);
    const chunks = () => this.#inHand.values();
    this.#leases = new Leases({ ...parts, chunks, lost: (late) => this.#abandon(late) });
  }

  /** Chunks that this worker is at, whose results it put into the log, and that had been handed out before. */
  get chunks(): Readonly<Record<'inHand' | 'finished' | 'redelivered', number>> {
    return { inHand: this.#inHand.size, finished: this.#finished, redelivered: this.#redelivered };
  }

  /** The jobs, for one reader; they end after `drain`, and when the run is complete. `leave` is to follow. */
  async *jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    const { engine, lanes } = this.#parts;
    this.#leases.start();
    const count = laneCount(engine.settings.partitions, lanes);
    this.#lanes = Array.from({ length: count }, (_, lane) => this.#ended(this.#lane(lane, count)));
    const all = Promise.all(this.#lanes).finally(() => this.#out.batches.close());
    all.catch(() => {}); // awaited below; a reader that leaves early must not turn it into a crash
    yield* this.#out.batches;
    await all;
  }

  /** Takes the result of a job that was handed out. */
  take(result: Result): void {
    this.#out.take(result);
  }

  /** Whether somebody waits for the result of this job. */
  isWanted(job: Job): boolean {
    return this.#out.isWanted(job);
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
    this.#out.endTurns();
    for (const { release } of this.#inHand.values()) release();
    await Promise.all(this.#lanes);
  }

  /**
   * Gives back what is in hand, to be fetched by others. Results that come later are dropped. Resolves when what comes to a lane
   * that still asks is given back, too, if the broker is there.
   */
  async leave(): Promise<void> {
    this.#leases.stop();
    this.#draining.abort();
    if (!this.#leaving.signal.aborted) this.#giveAllBack();
    if (this.#parts.engine.isConnected) await settledWithin(LAST_MS, this.#lanes);
  }

  #giveAllBack(): void {
    this.#leaving.abort();
    this.#turning.abort();
    for (const chunk of this.#inHand.values()) {
      this.#out.lose(chunk);
      chunk.giveBack();
    }
    this.#inHand.clear();
  }

  /** What fails when all was given back, fails for that. Anything else ends this worker, which then keeps nothing. */
  async #ended(lane: Promise<void>): Promise<void> {
    try {
      await lane;
    } catch (error) {
      if (this.#leaving.signal.aborted && !(error instanceof OutputError)) return;
      this.#giveAllBack();
      throw error;
    }
  }

  async #lane(lane: number, lanes: number): Promise<void> {
    const { engine, now } = this.#parts;
    const { signal } = this.#draining;
    for (const partition of partitionTurns(engine.settings.partitions, lane, lanes)) {
      if (signal.aborted) return;
      const askedAt = now();
      const delivery = await engine.next(partition, signal);
      if (delivery === undefined) {
        if (lane === 0 && !signal.aborted && (await this.#idle.isOver(this.#inHand.size > 0))) this.drain();
      } else if (!this.#leases.isFresh(askedAt)) continue;
      else if (signal.aborted) await this.#refuse(delivery, askedAt);
      else {
        this.#idle.heard();
        if (delivery.attempts > 1) this.#redelivered += 1;
        await this.#work(delivery, askedAt);
      }
    }
  }

  /** Gives back a chunk that came too late; of a run that was stopped somebody waits for a word on it. */
  async #refuse(delivery: Delivery, heldFrom: number): Promise<void> {
    if (!this.#isStopped) return delivery.giveBack();
    const { wire, name: worker } = this.#parts;
    const jobs = chunkJobs(delivery.body, wire) ?? [];
    await this.#finish(new ChunkInHand(delivery, jobs, { worker, heldFrom }));
  }

  async #work(delivery: Delivery, heldFrom: number): Promise<void> {
    const { wire, warn, name: worker } = this.#parts;
    const known = this.#inHand.get(delivery.id);
    if (known !== undefined) return known.comeAgain(delivery, heldFrom);
    const jobs = chunkJobs(delivery.body, wire);
    if (jobs === undefined) {
      warn(`chunk ${delivery.id} is damaged and was dropped; "fanout feed --reconcile" sends it again`);
      return delivery.ack();
    }
    const chunk = new ChunkInHand(delivery, jobs, { worker, heldFrom });
    this.#inHand.set(delivery.id, chunk);
    this.#leases.extend();
    if (delivery.attempts > CAREFUL_AFTER) {
      const { signal } = this.#turning;
      chunk.turns = oneByOne(chunk, this.#parts, signal, (job) => this.#out.addOne(chunk, job));
      await chunk.turns;
    } else this.#out.add(chunk, jobs);
    await chunk.ended;
    if (!chunk.isLost) await this.#finish(chunk);
  }

  /** Others may be at these by now: they are fetched no further here. */
  #abandon(chunks: readonly ChunkInHand[]): void {
    const { warn, unwanted } = this.#parts;
    warn(
      `the broker heard nothing of this worker for longer than --ack-wait: chunks given up, for others to fetch: ${chunks.length}`,
    );
    for (const chunk of chunks) {
      this.#inHand.delete(chunk.delivery.id);
      this.#out.lose(chunk);
    }
    unwanted();
  }

  async #finish(chunk: ChunkInHand): Promise<void> {
    const { engine, name, shards } = this.#parts;
    const { id } = chunk.delivery;
    const isUnfinished = this.#isStopped && !chunk.isFetched;
    const finished = { chunk: id, results: chunk.results, worker: name, isUnfinished };
    const record = await logRecord(finished, { maxBytes: engine.maxBytes, shards });
    await engine.append(record, this.#leaving.signal);
    // Later, when nobody takes it who has not heard of the stop.
    if (isUnfinished) chunk.delivery.giveBack(2 * STOP_POLL_MS);
    else {
      await chunk.delivery.ack();
      this.#finished += 1;
    }
    this.#inHand.delete(id);
  }
}
