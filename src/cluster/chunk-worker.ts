import { randomUUID } from 'node:crypto';
import { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { pause, RunGoneError } from './broker-connection.ts';
import { chunkJobs, type Delivery, InFlightJobs, LeasedChunk } from './chunk.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import { Leases, type LeasesParts, type WorkerRecord } from './lease.ts';
import { fetchSerially, SERIAL_AFTER_DEATHS } from './poison-urls.ts';
import { createCommit, HEADER_BYTES, packFitting, unpackResults } from './result-log.ts';
import { COMPLETE_KEY, STOP_POLL_MS } from './run-state.ts';
import type { ShardWriter } from './shards.ts';

/** Chunks of a run with partitions that a worker has in hand, at most: one of a slow host holds up no other one. */
const MAX_CHUNKS = 64;

/** While hosts are what limits this worker, it takes a further chunk this often. */
const FURTHER_CHUNK_MS = 20;

/** How often a worker looks for chunks, if it could do with more, and if not; and for how long it keeps an empty partition. */
const FIRST_LOOK_MS = 100;
const IDLE_LOOK_MS = 1000;
const BUSY_LOOK_MS = 5000;
const EMPTY_MS = 2000;

/** How long `leave()` waits for the lanes to end. */
const LEAVE_TIMEOUT_MS = 2000;

interface ChunkWorkerParts {
  readonly engine: JetStreamEngine;
  /** Chunks in hand at a time. With partitions it is that of each, and `maxChunks()` of all while hosts are the limit. */
  readonly lanes: number;
  /** The name of this worker in the log. */
  readonly name: string;
  readonly about: Pick<WorkerRecord, 'version' | 'host'>;
  /** The hosts of the run that fetches the jobs. */
  readonly hosts: () => LeasesParts['hosts'] & { shareRate(parts: number): void };
  /** Whether as many requests are in flight as the run allows. */
  readonly isSaturated: () => boolean;
  /** Where results are written; into the log if unset. */
  readonly shards?: ShardWriter | undefined;
  readonly now: () => number;
  readonly warn: (text: string) => void;
  /** Called when results of some jobs are not wanted any more. */
  readonly unwanted: () => void;
}

/**
 * Takes chunks from the broker, passes their jobs to a run, and appends the results of each chunk to the log when they
 * are complete; only then the chunk is acknowledged. With partitions it takes chunks only of those that it has leased.
 */
export class ChunkWorker {
  readonly #parts: ChunkWorkerParts;
  readonly #max: number;
  readonly #inFlight: InFlightJobs;
  readonly #leased = new Map<number, LeasedChunk>();
  readonly #leases: Leases;
  readonly #idle: IdleWatch;
  /** Chunks that wait in the broker, by partition, as of the last look. */
  readonly #waiting = new Map<number, number>();
  /** Chunks that are in hand or being delivered, by partition; all of them; and since when there were none. */
  readonly #inHand = new Map<number, number>();
  #busy = 0;
  readonly #emptySince = new Map<number, number>();
  /** Partitions of which no more chunks are taken, since others have fewer partitions. */
  #leavingPartitions: ReadonlySet<number> = new Set();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #furtherAt = 0;
  #lookMs = FIRST_LOOK_MS;
  #wake: () => void = () => {};
  /** Chunks that are being given back. */
  readonly #givingBack = new Set<Promise<void>>();
  /** Aborted when no more chunks are to be taken. */
  readonly #draining = new AbortController();
  /** Aborted when the chunks in hand were given back. */
  readonly #leaving = new AbortController();
  /** Aborted when no more jobs of serial fetches are to be begun. */
  readonly #endingSerial = new AbortController();
  /** The chunks in work. */
  readonly #running = new Set<Promise<unknown>>();
  /** Those of chunks. The first one ends this worker. */
  readonly #errors: unknown[] = [];
  #dispatching: Promise<void> = Promise.resolve();
  #isStopped = false;
  #finished = 0;
  #redelivered = 0;
  #urls = 0;
  #lastSign = { urls: 0, at: 0 };

  constructor(parts: ChunkWorkerParts) {
    const { engine, now, hosts } = parts;
    this.#parts = parts;
    this.#max = maxChunks(engine.settings.partitions, parts.lanes);
    this.#inFlight = new InFlightJobs(this.#max);
    this.#idle = new IdleWatch(engine, now);
    this.#lastSign.at = now();
    this.#leases = new Leases({
      bucket: engine.leases,
      settings: engine.settings,
      id: randomUUID(),
      describe: () => this.#describe(),
      hosts: {
        states: (at) => hosts().states(at),
        restore: (host, state, at) => hosts().restore(host, state, at),
      },
      now,
      extend: () => {
        for (const { delivery } of this.#leased.values()) delivery.extend();
      },
      lost: (partitions) => this.#abandon(partitions),
      changed: () => this.#onChange(),
      ensure: () => engine.ensure(),
    });
  }

  /** Counts of chunks: leased now, finished, and those of them that had been delivered before. */
  get chunks(): Readonly<Record<'leased' | 'finished' | 'redelivered', number>> {
    return { leased: this.#leased.size, finished: this.#finished, redelivered: this.#redelivered };
  }

  /** The jobs, for one reader. They end after `drain()`, and when the run is complete. Call `leave()` afterwards. */
  async *jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    this.#leases.start();
    this.#dispatching = this.#guard(this.#dispatch());
    const all = this.#ended().finally(() => this.#inFlight.close());
    all.catch(() => {}); // awaited below; a reader that leaves early must not turn it into a crash
    yield* this.#inFlight.batches();
    await all;
  }

  take(result: Result): void {
    this.#urls += 1;
    this.#inFlight.take(result);
  }

  /** Whether this job may be fetched: its result is still wanted, and the lease of its host is not over. */
  isWanted(job: Job): boolean {
    this.#leases.check();
    return this.#inFlight.has(job);
  }

  /** Takes no more chunks; those in hand are finished. */
  drain(): void {
    this.#draining.abort();
    this.#leases.announce();
    this.#onChange();
  }

  /** Leases no more chunks, because the run was stopped. Call `handIn()` when there will be no more results. */
  stop(): void {
    this.#isStopped = true;
    this.#endingSerial.abort();
    this.drain();
  }

  /** After `stop()`: commits the leased chunks that are finished, and gives the others back with their results so far. */
  async handIn(): Promise<void> {
    this.#inFlight.endWaits();
    for (const { release } of this.#leased.values()) release();
    await this.#ended();
  }

  /**
   * Gives back the leased chunks, for other workers. Later results are dropped. Resolves when chunks that were just being
   * delivered are given back too, if the broker can be reached.
   */
  async leave(): Promise<void> {
    if (!this.#leaving.signal.aborted) this.#giveAllBack();
    if (this.#parts.engine.isConnected)
      await endedWithin(LEAVE_TIMEOUT_MS, [this.#ended(), ...this.#givingBack]);
  }

  /** Releases the leases, with what is known of the hosts. To be called when no request is in flight. */
  async close(): Promise<void> {
    await endedWithin(this.#parts.engine.isConnected ? LEAVE_TIMEOUT_MS : 0, [this.#leases.close()]);
  }

  /** Resolves when no chunk is in work and none will be. Rejects if one has failed. */
  async #ended(): Promise<void> {
    await this.#dispatching;
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  #describe(): Omit<WorkerRecord, 'partitions'> {
    const { name, about, now } = this.#parts;
    const { urls, at } = this.#lastSign;
    this.#lastSign = { urls: this.#urls, at: now() };
    const perMs = (this.#urls - urls) / Math.max(1, this.#lastSign.at - at);
    return {
      ...{ name, ...about, isLeaving: this.#draining.signal.aborted, chunks: this.#leased.size },
      ...{ urls: this.#urls, urlsPerSecond: Math.round(10_000 * perMs) / 10 },
    };
  }

  #giveAllBack(): void {
    this.#draining.abort(); // or the next chunk could be one that is given back
    this.#wake();
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

  /** Takes chunks while there is something to do with them. */
  async #dispatch(): Promise<void> {
    const { signal } = this.#draining;
    while (!signal.aborted) {
      const at = this.#parts.now();
      const next = this.#leases.check() ? this.#nextPartition() : undefined;
      const needsMore = next === undefined && this.#busy < this.#max;
      const lookAt = this.#lookedAt + (needsMore ? this.#lookMs : BUSY_LOOK_MS);
      if (next !== undefined && this.#mayTake(at)) this.#begin(next, at);
      else if (at >= lookAt) await this.#look(signal);
      else await this.#rest(next === undefined ? lookAt - at : Math.min(lookAt - at, FURTHER_CHUNK_MS));
    }
  }

  /** Chunks of partitions may be short, and have few hosts: as many URLs are in hand as two whole chunks for each lane have. */
  #mayTake(at: number): boolean {
    const { engine, lanes, isSaturated } = this.#parts;
    if (this.#busy < lanes) return true;
    if (this.#busy >= this.#max) return false;
    const { chunk } = engine.settings;
    const coming = this.#busy - this.#leased.size;
    const isShort = this.#inFlight.size + (coming + 1) * chunk <= 2 * lanes * chunk;
    return isShort || (at >= this.#furtherAt && !isSaturated());
  }

  /** The partition with waiting chunks of which the fewest are in hand. */
  #nextPartition(): number | undefined {
    const { engine, lanes } = this.#parts;
    if (engine.settings.partitions === 1) return (this.#waiting.get(0) ?? 0) > 0 ? 0 : undefined;
    let [best, least] = [-1, lanes];
    for (const partition of this.#leases.held.keys()) {
      const count = this.#inHand.get(partition) ?? 0;
      if (count >= least || (this.#waiting.get(partition) ?? 0) <= 0) continue;
      if (!this.#leavingPartitions.has(partition)) [best, least] = [partition, count];
    }
    return best === -1 ? undefined : best;
  }

  #begin(partition: number, at: number): void {
    this.#furtherAt = at + FURTHER_CHUNK_MS;
    this.#busy += 1;
    this.#inHand.set(partition, (this.#inHand.get(partition) ?? 0) + 1);
    this.#waiting.set(partition, (this.#waiting.get(partition) ?? 0) - 1);
    const working = this.#guard(this.#takeChunk(partition))
      .catch((error: unknown) => this.#errors.push(error))
      .finally(() => {
        this.#running.delete(working);
        this.#busy -= 1;
        this.#inHand.set(partition, (this.#inHand.get(partition) ?? 0) - 1);
        this.#onChange();
      });
    this.#running.add(working);
  }

  /** Looks which partitions have chunks, and leases some of them. */
  async #look(signal: AbortSignal): Promise<void> {
    const { engine, now } = this.#parts;
    const found = await engine.queue.chunks(signal);
    this.#lookedAt = now();
    this.#waiting.clear();
    for (const [partition, count] of found)
      this.#waiting.set(partition, count - (this.#inHand.get(partition) ?? 0));
    if (engine.settings.partitions > 1) {
      const taking = this.#leases.toTake(new Set(found.keys()));
      await Promise.all(taking.map((partition) => this.#leases.take(partition).catch(() => false)));
      await this.#leases.release(this.#emptyPartitions(found));
    }
    const foundSome = this.#nextPartition() !== undefined;
    this.#lookMs = foundSome ? FIRST_LOOK_MS : Math.min(IDLE_LOOK_MS, 2 * this.#lookMs);
    // Chunks that wait may be of another worker, or lost by the broker: only one that has come shows that there is work.
    if (this.#leased.size > 0) this.#idle.reset();
    else if (!signal.aborted && (await this.#idle.isOver())) this.drain();
  }

  /** The leased partitions that have had no chunks for a while. */
  #emptyPartitions(found: ReadonlyMap<number, number>): readonly number[] {
    const at = this.#parts.now();
    for (const partition of found.keys()) this.#emptySince.delete(partition);
    const empty = [...this.#leases.held.keys()].filter((partition) => !found.has(partition));
    for (const partition of empty) if (!this.#emptySince.has(partition)) this.#emptySince.set(partition, at);
    return empty.filter(
      (partition) => this.#isUnused(partition) && at - (this.#emptySince.get(partition) ?? at) >= EMPTY_MS,
    );
  }

  #isUnused(partition: number): boolean {
    return (this.#inHand.get(partition) ?? 0) === 0;
  }

  /** Something has changed at this worker or another one: divides the partitions and the rate again. */
  #onChange(): void {
    const held = [...this.#leases.held.keys()];
    const byLoad = held.sort((a, b) => (this.#inHand.get(a) ?? 0) - (this.#inHand.get(b) ?? 0));
    const count = this.#draining.signal.aborted ? held.length : this.#leases.surplus;
    this.#leavingPartitions = new Set(byLoad.slice(0, count));
    // After the last request, with all that is known of the hosts.
    const unused = this.#leaving.signal.aborted
      ? []
      : byLoad.slice(0, count).filter((one) => this.#isUnused(one));
    if (unused.length > 0) void this.#leases.release(unused);
    this.#parts.hosts().shareRate(this.#leases.sharers);
    this.#wake();
  }

  async #rest(ms: number): Promise<void> {
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    if (!this.#draining.signal.aborted) await pause(ms, waking.signal);
  }

  async #takeChunk(partition: number): Promise<void> {
    const { signal } = this.#draining;
    const { epoch } = this.#leases;
    const delivery = await this.#parts.engine.queue.next(partition, signal);
    if (delivery === undefined) {
      this.#waiting.delete(partition);
      return;
    }
    this.#leases.check();
    if (this.#leases.epoch !== epoch) await this.#giveBack(delivery, [], { isLost: true });
    else if (signal.aborted)
      await this.#giveBack(delivery, []); // it came too late
    else {
      this.#idle.reset();
      if (delivery.deliveries > 1) this.#redelivered += 1;
      await this.#work(delivery);
    }
  }

  async #work(delivery: Delivery): Promise<void> {
    const leased = this.#leased.get(delivery.id);
    if (leased !== undefined) {
      leased.delivery = delivery; // the last extension did not reach the broker in time
      return;
    }
    const jobs = chunkJobs(delivery.body);
    if (jobs === undefined) return delivery.bury('it is damaged');
    const chunk = new LeasedChunk(delivery, jobs, this.#parts.name);
    this.#leased.set(delivery.id, chunk);
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

  /** Other workers may have the chunks of these partitions, or all: their jobs are not fetched any further. */
  #abandon(partitions?: readonly number[]): void {
    const { warn, unwanted } = this.#parts;
    const chunks = [...this.#leased.values()].filter(
      ({ delivery, isFetched }) => !isFetched && partitions?.includes(delivery.partition) !== false,
    );
    if (chunks.length === 0) return;
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

/** How many chunks a worker has in hand at most. */
export function maxChunks(partitions: number, lanes: number): number {
  return partitions === 1 ? lanes : Math.max(lanes, MAX_CHUNKS);
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
  async isOver(): Promise<boolean> {
    if ((await this.#engine.state(COMPLETE_KEY)) === true) return true;
    if (this.#now() - this.#idleSince < 3 * this.#engine.settings.ackWaitMs) return false;
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
