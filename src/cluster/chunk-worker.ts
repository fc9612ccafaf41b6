import { createHash } from 'node:crypto';
import { Channel } from '../core/channel.ts';
import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { pause, RunGoneError } from './broker-connection.ts';
import { chunkJobs, type Delivery } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { LeasedChunk, Leases } from './lease.ts';
import { fetchSerially, SERIAL_AFTER_DEATHS } from './poison-urls.ts';
import { createCommit, HEADER_BYTES, packFitting, unpackResults } from './result-log.ts';
import { COMPLETE_KEY, STOP_POLL_MS } from './run-state.ts';
import type { ShardWriter } from './shards.ts';

/** Partitions that one worker pulls from at the same time, at most. */
const MAX_PARTITION_LANES = 32;

/** How often a worker looks for partitions with chunks, at most. */
const LOOK_INTERVAL_MS = 250;

/** How long `leave()` waits for the lanes to end. */
const LEAVE_TIMEOUT_MS = 2000;

interface ChunkWorkerParts {
  readonly engine: JetStreamEngine;
  /** Chunks in flight at a time; with partitions, see `laneCount()`. */
  readonly lanes: number;
  /** The name of this worker in the log. */
  readonly name: string;
  /** Where results are written; into the log if unset. */
  readonly shards?: ShardWriter | undefined;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Called when results of some jobs are not wanted any more. */
  readonly unwanted: () => void;
}

/**
 * Leases chunks from the broker, passes their jobs to a run, and appends the results of each chunk to the log when they
 * are complete; only then the chunk is acknowledged. One lane has one chunk at a time.
 */
export class ChunkWorker {
  readonly #parts: ChunkWorkerParts;
  readonly #lanes: number;
  readonly #inFlight: InFlightJobs;
  readonly #leased = new Map<number, LeasedChunk>();
  readonly #leases: Leases;
  readonly #idle: IdleWatch;
  /** Unset for a run with one partition. */
  readonly #partitions: FreePartitions | undefined;
  /** Chunks that are being given back. */
  readonly #givingBack = new Set<Promise<void>>();
  /** Aborted when no more chunks are to be leased. */
  readonly #draining = new AbortController();
  /** Aborted when the leased chunks were given back. */
  readonly #leaving = new AbortController();
  /** Aborted when no more jobs of serial fetches are to be begun. */
  readonly #endingSerial = new AbortController();
  #running: readonly Promise<void>[] = [];
  #isStopped = false;
  #finished = 0;
  #redelivered = 0;

  constructor(parts: ChunkWorkerParts) {
    this.#parts = parts;
    this.#lanes = laneCount(parts.engine.settings.partitions, parts.lanes);
    this.#inFlight = new InFlightJobs(this.#lanes);
    this.#idle = new IdleWatch(parts.engine, parts.now);
    this.#partitions = parts.engine.settings.partitions === 1 ? undefined : new FreePartitions(parts);
    const chunks = () => this.#leased.values();
    this.#leases = new Leases({ ...parts, chunks, lost: (lost) => this.#abandon(lost) });
  }

  /** Counts of chunks: leased now, finished, and those of them that had been delivered before. */
  get chunks(): Readonly<Record<'leased' | 'finished' | 'redelivered', number>> {
    return { leased: this.#leased.size, finished: this.#finished, redelivered: this.#redelivered };
  }

  /** The jobs, for one reader. They end after `drain()`, and when the run is complete. Call `leave()` afterwards. */
  async *jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    this.#leases.start();
    this.#running = Array.from({ length: this.#lanes }, (_, lane) => this.#guard(this.#runLane(lane)));
    const all = Promise.all(this.#running).finally(() => this.#inFlight.close());
    all.catch(() => {}); // awaited below; a reader that leaves early must not turn it into a crash
    yield* this.#inFlight.batches();
    await all;
  }

  take(result: Result): void {
    this.#inFlight.take(result);
  }

  /** Whether the result of this job is still wanted. */
  isWanted(job: Job): boolean {
    return this.#inFlight.has(job);
  }

  /** Leases no more chunks; those that are leased are finished. */
  drain(): void {
    this.#draining.abort();
  }

  /** Leases no more chunks, because the run was stopped. Call `handIn()` when there will be no more results. */
  stop(): void {
    this.#isStopped = true;
    this.#endingSerial.abort();
    this.#draining.abort();
  }

  /** After `stop()`: commits the leased chunks that are finished, and gives the others back with their results so far. */
  async handIn(): Promise<void> {
    this.#inFlight.endWaits();
    for (const { release } of this.#leased.values()) release();
    await Promise.all(this.#running);
  }

  /**
   * Gives back the leased chunks, for other workers. Later results are dropped. Resolves when chunks that were just being
   * delivered are given back too, if the broker can be reached.
   */
  async leave(): Promise<void> {
    this.#leases.stop();
    if (!this.#leaving.signal.aborted) this.#giveAllBack();
    if (this.#parts.engine.isConnected)
      await endedWithin(LEAVE_TIMEOUT_MS, [...this.#running, ...this.#givingBack]);
  }

  #giveAllBack(): void {
    // A lane whose chunk is given back must not lease the next one, perhaps the same.
    this.#draining.abort();
    this.#leaving.abort();
    this.#endingSerial.abort();
    for (const chunk of this.#leased.values()) {
      this.#inFlight.drop(chunk);
      // After a serial fetch, only once the broker knows that no worker died at its URL.
      void this.#giveBack(chunk.delivery, chunk.results, { after: chunk.serialFetch });
    }
    this.#leased.clear();
  }

  /** Gives a chunk back with the results so far, and notes that this worker has not died at it. Never rejects. */
  #giveBack(
    delivery: Delivery,
    results: readonly Result[],
    { after, isLost = false }: { readonly after?: Promise<void> | undefined; readonly isLost?: boolean } = {},
  ): Promise<void> {
    const { engine } = this.#parts;
    // Redelivered only when every worker has noticed the stop, so that none takes it.
    const afterMs = this.#isStopped ? 2 * STOP_POLL_MS : undefined;
    const giving = (async () => {
      await after?.catch(() => {});
      const before = delivery.deliveries > 1 ? await engine.leftChunk(delivery.id) : undefined;
      const giveBacks = 1 + (before?.giveBacks ?? 0);
      const packed =
        before !== undefined && results.length === 0
          ? before
          : packFitting(results, engine.maxBytes - HEADER_BYTES);
      await engine.leaveChunk({ ...packed, chunk: delivery.id, giveBacks });
    })()
      .catch(() => {}) // the broker is away, and the delivery counts as a death
      .then(() => {
        if (!isLost) delivery.giveBack(afterMs);
      })
      .catch(() => {});
    this.#givingBack.add(giving);
    return giving.finally(() => this.#givingBack.delete(giving));
  }

  /**
   * Ignores an error of a lane after the chunks were given back, unless it is an `OutputError`. Any other one ends this
   * worker. It is no error if a worker without chunks finds that the run was purged.
   */
  async #guard(lane: Promise<void>): Promise<void> {
    try {
      await lane;
    } catch (error) {
      if (this.#leaving.signal.aborted && !(error instanceof OutputError)) return;
      if (error instanceof RunGoneError && this.#leased.size === 0) {
        if (!this.#draining.signal.aborted) this.#parts.warn(error.message);
        return this.drain();
      }
      this.#giveAllBack();
      throw error;
    }
  }

  async #runLane(lane: number): Promise<void> {
    const { engine, now } = this.#parts;
    const { signal } = this.#draining;
    while (!signal.aborted) {
      const partition = this.#partitions === undefined ? 0 : await this.#partitions.take(signal);
      const requestedAt = now();
      const delivery = partition === undefined ? undefined : await engine.queue.next(partition, signal);
      if (delivery === undefined) {
        if (partition !== undefined) this.#partitions?.release(partition, false);
        if (lane === 0 && !signal.aborted && (await this.#idle.isOver(this.#leased.size > 0))) this.drain();
      } else if (!this.#leases.isFresh(requestedAt)) await this.#giveBack(delivery, [], { isLost: true });
      else if (signal.aborted)
        await this.#giveBack(delivery, []); // it came too late
      else {
        this.#idle.reset();
        if (delivery.deliveries > 1) this.#redelivered += 1;
        await this.#work(delivery, requestedAt);
      }
      if (partition !== undefined && delivery !== undefined) this.#partitions?.release(partition, true);
    }
  }

  async #work(delivery: Delivery, leasedSince: number): Promise<void> {
    const { name: worker } = this.#parts;
    const leased = this.#leased.get(delivery.id);
    if (leased !== undefined) return leased.redelivered(delivery, leasedSince);
    const jobs = chunkJobs(delivery.body);
    if (jobs === undefined) return delivery.bury('it is damaged');
    const chunk = new LeasedChunk(delivery, jobs, { worker, leasedSince });
    this.#leased.set(delivery.id, chunk);
    this.#leases.extend();
    const left = delivery.deliveries > 1 ? await this.#parts.engine.leftChunk(delivery.id) : undefined;
    if (chunk.isLost) return;
    const deaths = delivery.deliveries - 1 - (left?.giveBacks ?? 0);
    const rest = chunk.restore(left === undefined ? [] : (unpackResults(left.body, left.count) ?? []));
    if (deaths >= SERIAL_AFTER_DEATHS) {
      const { signal } = this.#endingSerial;
      const fetch = (job: Job) => this.#inFlight.addAndWait(chunk, job);
      chunk.serialFetch = fetchSerially(chunk, this.#parts, signal, fetch);
      await chunk.serialFetch;
    } else this.#inFlight.add(chunk, rest);
    await chunk.ended;
    if (!chunk.isLost) await this.#finish(chunk);
  }

  /** Other workers may have these chunks: their jobs are not fetched any further. */
  #abandon(chunks: readonly LeasedChunk[]): void {
    const { warn, unwanted } = this.#parts;
    warn(
      `this worker could not reach the broker for longer than --ack-wait: ${chunks.length} chunks are left to other workers`,
    );
    for (const chunk of chunks) {
      this.#leased.delete(chunk.delivery.id);
      this.#inFlight.drop(chunk);
      void this.#giveBack(chunk.delivery, chunk.results, { isLost: true });
    }
    unwanted();
  }

  /** Commits the results of a chunk; of one that is not finished, since the run was stopped, they are left for later. */
  async #finish(chunk: LeasedChunk): Promise<void> {
    const { engine, name: worker, shards } = this.#parts;
    const { delivery, results, isFetched, serialFetch } = chunk;
    const { id } = delivery;
    if (isFetched) {
      const commit = await createCommit(
        { chunk: id, results, worker },
        { maxBytes: engine.maxBytes, shards },
      );
      await engine.log.append(commit, this.#leaving.signal);
      await chunk.delivery.ack();
      if (delivery.deliveries > 1) await engine.forgetChunk(id).catch(() => {});
      this.#finished += 1;
    } else await this.#giveBack(delivery, results, { after: serialFetch });
    this.#leased.delete(id);
  }
}

/** How many chunks a worker has in flight at a time: `lanes`; with partitions, one of each, up to 32. */
export function laneCount(partitions: number, lanes: number): number {
  return partitions === 1 ? lanes : Math.min(partitions, MAX_PARTITION_LANES);
}

/**
 * Finds partitions to pull from, for all lanes of a worker: nothing is asked of partitions without chunks. Those with a chunk in
 * flight come last: the chunk may have been given back, or its worker may have died.
 */
class FreePartitions {
  readonly #parts: Pick<ChunkWorkerParts, 'engine' | 'now'>;
  /** The partitions in the order of this worker: each worker begins at another one. */
  readonly #order: ReadonlyMap<number, number>;
  /** The number of waiting chunks by partition, from the last look at the broker. */
  readonly #waiting = new Map<number, number>();
  readonly #taken = new Set<number>();
  #free: number[] = [];
  #lookup: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor({ engine, now, name }: Pick<ChunkWorkerParts, 'engine' | 'name' | 'now'>) {
    this.#parts = { engine, now };
    const place = (partition: number) =>
      createHash('sha256').update(`${name} ${partition}`).digest().readUInt32LE();
    this.#order = new Map(
      Array.from({ length: engine.settings.partitions }, (_, partition) => [partition, place(partition)]),
    );
  }

  /** A partition for one lane, until `release`; `undefined` if there is none now. */
  async take(signal: AbortSignal): Promise<number | undefined> {
    if (this.#free.length === 0) {
      this.#lookup ??= this.#look(signal).finally(() => {
        this.#lookup = undefined;
      });
      await this.#lookup;
    }
    const partition = this.#free.pop();
    if (partition !== undefined) this.#taken.add(partition);
    return partition;
  }

  /** `hadChunk` is whether a chunk came. A partition in which more wait is taken again at once: its hosts are known here. */
  release(partition: number, hadChunk: boolean): void {
    this.#taken.delete(partition);
    const waiting = hadChunk ? (this.#waiting.get(partition) ?? 0) - 1 : 0;
    this.#waiting.set(partition, waiting);
    if (waiting > 0) this.#free.push(partition);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { engine, now } = this.#parts;
    await pause(Math.max(0, this.#lookedAt + LOOK_INTERVAL_MS - now()), signal);
    if (signal.aborted) return;
    this.#lookedAt = now();
    const found = await engine.queue.partitions(signal);
    this.#free = found
      .filter(({ partition }) => !this.#taken.has(partition))
      .sort((a, b) => Number(b.isBusy) - Number(a.isBusy) || this.#place(a) - this.#place(b))
      .map(({ partition }) => partition); // the last ones are taken first
    for (const { partition, waiting } of found) this.#waiting.set(partition, waiting);
  }

  #place({ partition }: { readonly partition: number }): number {
    return this.#order.get(partition) ?? 0;
  }
}

/** The jobs that were passed to the run, and the chunk to which the result of each belongs. */
class InFlightJobs {
  readonly #batches: Channel<readonly Job[]>;
  /** By the index of a job without result. */
  readonly #chunkOf = new Map<number, LeasedChunk>();
  /** Resolve `addAndWait`, by the index of its job. */
  readonly #waits = new Map<number, () => void>();

  constructor(lanes: number) {
    this.#batches = new Channel(lanes);
  }

  /** The batches that were added, until `close()`. */
  async *batches(): AsyncGenerator<readonly Job[], void, void> {
    for (let batch = await this.#batches.receive(); batch; batch = await this.#batches.receive()) yield batch;
  }

  add(chunk: LeasedChunk, jobs: readonly Job[]): void {
    for (const { index } of jobs) this.#chunkOf.set(index, chunk);
    // Not awaited: each lane has one chunk, and so there is room, except for lost chunks that were not read yet.
    this.#batches.send(jobs)?.catch(() => {});
  }

  /** Resolves when the job has a result, or the result is not wanted any more. */
  async addAndWait(chunk: LeasedChunk, job: Job): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waits.set(job.index, resolve);
      this.add(chunk, [job]);
    });
    this.#waits.delete(job.index);
  }

  /** Adds the result to its chunk, if it is still wanted. */
  take(result: Result): void {
    const chunk = this.#chunkOf.get(result.index);
    if (chunk === undefined) return;
    this.#chunkOf.delete(result.index);
    chunk.add(result);
    this.#waits.get(result.index)?.();
  }

  has({ index }: Job): boolean {
    return this.#chunkOf.has(index);
  }

  /** Ends each `addAndWait`. */
  endWaits(): void {
    for (const resolve of this.#waits.values()) resolve();
  }

  /** Results of this chunk, whose lease is over, are not wanted any more. */
  drop(chunk: LeasedChunk): void {
    chunk.isLost = true;
    chunk.release();
    for (const { index } of chunk.jobs) {
      if (this.#chunkOf.get(index) === chunk) this.#chunkOf.delete(index);
      this.#waits.get(index)?.();
    }
  }

  close(): void {
    this.#batches.close();
  }
}

/** Decides what to do when no chunk comes: the run may be complete, or the broker may have lost track of chunks. */
class IdleWatch {
  readonly #engine: JetStreamEngine;
  readonly #now: () => number;
  #idleSince: number;

  constructor(engine: JetStreamEngine, now: () => number) {
    this.#engine = engine;
    this.#now = now;
    this.#idleSince = now();
  }

  /** A chunk has come. */
  reset(): void {
    this.#idleSince = this.#now();
  }

  /** Whether the run is complete. After three ack waits without a chunk, an idle worker has lost chunks redelivered. */
  async isOver(isBusy: boolean): Promise<boolean> {
    if ((await this.#engine.state(COMPLETE_KEY)) === true) return true;
    if (isBusy || this.#now() - this.#idleSince < 3 * this.#engine.settings.ackWaitMs) return false;
    this.reset();
    await this.#engine.redeliverLostChunks().catch(() => false);
    return false;
  }
}

/** Resolves when all promises are resolved or rejected, or after this time. */
async function endedWithin(ms: number, promises: readonly Promise<unknown>[]): Promise<void> {
  const ended = new AbortController();
  Promise.allSettled(promises).then(() => ended.abort());
  await pause(ms, ended.signal);
}
