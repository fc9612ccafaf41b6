import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import type { Delivery } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { chunkJobs, type JobWire } from './job-codec.ts';
import { LeasedChunk, Leases } from './lease.ts';
import { settledWithin } from './persist.ts';
import { fetchSerially, SERIAL_AFTER_DELIVERIES } from './poison-urls.ts';
import { logRecord } from './result-log.ts';
import { COMPLETE_KEY, STOP_POLL_MS } from './run-stop.ts';
import type { ShardWriter } from './shards.ts';

/** Hands batches of jobs from many lanes to the one reader of a run. What bounds it is the number of lanes. */
class Batches implements AsyncIterable<readonly Job[]> {
  #waiting: (readonly Job[])[] = [];
  #isClosed = false;
  #wake: () => void = () => {};

  add(jobs: readonly Job[]): void {
    this.#waiting.push(jobs);
    this.#wake();
  }

  /** The reader comes to its end when it has all that was added. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Job[], void, void> {
    for (;;) {
      const batch = this.#waiting.shift();
      if (batch !== undefined) yield batch;
      else if (this.#isClosed) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** The jobs that a run has been given, and to which chunk the result of each belongs. */
class HandedOut {
  readonly batches = new Batches();
  /** The chunk of each job that has no result. */
  readonly #chunkOf = new Map<number, LeasedChunk>();
  /** Told of a result, by the place of its job: where jobs go one by one. */
  readonly #told = new Map<number, () => void>();

  add(chunk: LeasedChunk, jobs: readonly Job[]): void {
    for (const { index } of jobs) this.#chunkOf.set(index, chunk);
    this.batches.add(jobs);
  }

  /** Resolves when the job has a result, or nobody waits for one any more. */
  async addOne(chunk: LeasedChunk, job: Job): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#told.set(job.index, resolve);
      this.add(chunk, [job]);
    });
    this.#told.delete(job.index);
  }

  take(result: Result): void {
    const chunk = this.#chunkOf.get(result.index);
    if (chunk === undefined) return;
    this.#chunkOf.delete(result.index);
    chunk.add(result);
    this.#told.get(result.index)?.();
  }

  /** Whether somebody waits for the result of this job. */
  isWanted({ index }: Job): boolean {
    return this.#chunkOf.has(index);
  }

  /** No job waits for its turn any more. */
  endTurns(): void {
    for (const tell of this.#told.values()) tell();
  }

  /** Nobody waits for the results of this chunk any more: it is not ours. */
  lose(chunk: LeasedChunk): void {
    chunk.isLost = true;
    chunk.release();
    for (const { index } of chunk.jobs) {
      if (this.#chunkOf.get(index) === chunk) this.#chunkOf.delete(index);
      this.#told.get(index)?.();
    }
  }
}

/** Partitions that one worker asks at the same time, at most. */
const MOST_LANES = 32;

/** How many chunks a worker takes at a time: with partitions one of each, up to 32. */
export function laneCount(partitions: number, lanes: number): number {
  return partitions === 1 ? lanes : Math.min(partitions, MOST_LANES);
}

/** The partitions that one of so many lanes asks, in turn and without end: `lane`, `lane + lanes` and so on. */
function* partitionTurns(partitions: number, lane: number, lanes: number): Generator<number, never> {
  const first = partitions === 1 ? 0 : lane;
  for (;;) for (let at = first; at < partitions; at += lanes) yield at;
}

/** Looks after a worker for whom no chunk comes: it may be all over, or the broker has lost sight of something. */
class IdleWatch {
  readonly #engine: JetStreamEngine;
  readonly #now: () => number;
  #heardAt: number;

  constructor(engine: JetStreamEngine, now: () => number) {
    this.#engine = engine;
    this.#now = now;
    this.#heardAt = now();
  }

  /** A chunk has come. */
  heard(): void {
    this.#heardAt = this.#now();
  }

  /** Whether the run is complete. A worker that is not busy and has long had nothing makes the broker look for what it lost. */
  async isOver(isBusy: boolean): Promise<boolean> {
    if ((await this.#engine.state(COMPLETE_KEY)) === true) return true;
    if (isBusy || this.#now() - this.#heardAt < 3 * this.#engine.settings.ackWaitMs) return false;
    this.heard();
    await this.#engine.adoptOrphans().catch(() => false);
    return false;
  }
}

interface ChunkWorkerParts {
  readonly engine: JetStreamEngine;
  readonly wire: JobWire;
  /** Chunks that are under way here at a time; with partitions it is one for each, up to 32. */
  readonly lanes: number;
  /** What this worker is called in the log. */
  readonly name: string;
  /** Where results are written; into the log if left out. */
  readonly shards?: ShardWriter | undefined;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Called when jobs that were handed out are wanted no more. */
  readonly unwanted: () => void;
}

const LAST_MS = 2000; // for the lanes to end

/**
 * Takes chunks from the broker, hands their jobs to a run, and puts the results of each chunk into the log when it has them
 * all; only then the broker forgets the chunk.
 */
export class ChunkWorker {
  readonly #parts: ChunkWorkerParts;
  readonly #out = new HandedOut();
  readonly #inHand = new Map<number, LeasedChunk>();
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
    await this.#finish(new LeasedChunk(delivery, jobs, { worker, heldFrom }));
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
    const chunk = new LeasedChunk(delivery, jobs, { worker, heldFrom });
    this.#inHand.set(delivery.id, chunk);
    this.#leases.extend();
    if (delivery.attempts > SERIAL_AFTER_DELIVERIES) {
      const { signal } = this.#turning;
      chunk.turns = fetchSerially(chunk, this.#parts, signal, (job) => this.#out.addOne(chunk, job));
      await chunk.turns;
    } else this.#out.add(chunk, jobs);
    await chunk.ended;
    if (!chunk.isLost) await this.#finish(chunk);
  }

  /** Others may be at these by now: they are fetched no further here. */
  #abandon(chunks: readonly LeasedChunk[]): void {
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

  async #finish(chunk: LeasedChunk): Promise<void> {
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
