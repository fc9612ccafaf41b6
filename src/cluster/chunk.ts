import { gunzipSync } from 'node:zlib';
import { parseExpectation } from '../config/expectations.ts';
import { Channel } from '../core/channel.ts';
import { parseJobInput } from '../input/parse-job.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { eachLine } from '../model/result-line.ts';
import { hostOf } from '../model/url.ts';
import { encodeRequest, failedRequest } from '../output/failed-list.ts';

/** A chunk as it is sent. */
export interface EncodedChunk {
  /** Its number among all chunks of the run, from 0. */
  readonly id: number;
  readonly partition: number;
  /** URLs in it. */
  readonly count: number;
  readonly body: Uint8Array;
}

/** A chunk that this worker has leased: it is redelivered to another one unless the lease is extended in time. */
export interface Delivery {
  /** As the sender set it; not yet checked. */
  readonly id: number;
  readonly partition: number;
  /** How often the chunk was delivered, this delivery included. */
  readonly deliveries: number;
  readonly body: Uint8Array;
  /** Extends the lease. */
  extend(): void;
  /** Removes the chunk from the queue: its results are in the log. Also resolves when the broker did not receive that. */
  ack(): Promise<void>;
  /** Ends the lease: the chunk is redelivered after this time, or at once. */
  giveBack(afterMs?: number): void;
  /** Keeps the chunk as a dead letter, since it cannot be read, and removes it from the queue. */
  bury(reason: string): Promise<void>;
}

/** A chunk that is leased to this worker. */
export class LeasedChunk {
  readonly jobs: readonly Job[];
  readonly results: Result[] = [];
  /** The last delivery to this worker: the broker ignores what is sent for earlier ones. */
  delivery: Delivery;
  /** Whether the lease is over: the chunk was given back, or another worker has it. */
  isLost = false;
  /** Of a chunk that is fetched URL by URL: resolves when that is over, and the broker knows that no URL is in flight. */
  serialFetch: Promise<void> | undefined;
  /** Resolves when all results are there, or after `release()`. */
  readonly ended: Promise<void>;
  /** Ends the wait for more results. */
  release: () => void = () => {};
  readonly #worker: string;
  /** Made when the first job fails. */
  #jobsByIndex: ReadonlyMap<number, Job> | undefined;

  constructor(delivery: Delivery, jobs: readonly Job[], worker: string) {
    this.delivery = delivery;
    this.jobs = jobs;
    this.#worker = worker;
    this.ended = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** Whether all results are there. */
  get isFetched(): boolean {
    return this.results.length === this.jobs.length;
  }

  /** Adds a result, and to it the name of its worker and, if it failed, what the list of `--failed` repeats of its job. */
  add(result: Result): void {
    const { index, ok } = result;
    const job = ok ? undefined : this.#jobAt(index);
    const request = job && failedRequest(job);
    this.results.push(Object.assign(result, { worker: this.#worker }, request && { request })); // copying that many keys costs as much as encoding them
    if (this.isFetched) this.release();
  }

  #jobAt(index: number): Job | undefined {
    this.#jobsByIndex ??= new Map(this.jobs.map((job) => [job.index, job]));
    return this.#jobsByIndex.get(index);
  }

  /** Adds what an earlier worker has fetched. Returns the jobs without a result. */
  restore(results: readonly Result[]): readonly Job[] {
    const indexes = new Set(this.jobs.map(({ index }) => index));
    for (const result of results) if (indexes.delete(result.index)) this.results.push(result);
    if (this.isFetched) this.release();
    return this.jobs.filter(({ index }) => indexes.has(index));
  }
}

/** The jobs that were passed to the run, and the chunk to which the result of each belongs. */
export class InFlightJobs {
  readonly #batches: Channel<readonly Job[]>;
  /** By the index of a job without result. */
  readonly #chunkOf = new Map<number, LeasedChunk>();
  /** Resolve `addAndWait`, by the index of its job. */
  readonly #waits = new Map<number, () => void>();

  /** @param max chunks at a time */
  constructor(max: number) {
    this.#batches = new Channel(max);
  }

  /** The number of jobs without a result. */
  get size(): number {
    return this.#chunkOf.size;
  }

  /** The batches that were added, until `close()`. */
  async *batches(): AsyncGenerator<readonly Job[], void, void> {
    for (let batch = await this.#batches.receive(); batch; batch = await this.#batches.receive()) yield batch;
  }

  add(chunk: LeasedChunk, jobs: readonly Job[]): void {
    for (const { index } of jobs) this.#chunkOf.set(index, chunk);
    // Not awaited: there is room for all chunks, except for lost chunks that were not read yet.
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

/** The results of one chunk, or where they are. */
export interface Commit {
  /** `results`: the body is the packed results. `segment`: it is the segment of a shard, as in a manifest. */
  readonly kind: 'results' | 'segment';
  readonly chunk: number;
  readonly ok: number;
  readonly failed: number;
  readonly worker: string;
  readonly body: Uint8Array;
}

/** A commit in the log. */
export interface LogEntry extends Commit {
  readonly sequence: number;
  /** When the broker received it, in ms since the epoch. */
  readonly timeMs: number;
  /** It has replaced a message that could not be the commit of this chunk. */
  readonly isReplacement: boolean;
}

/** What a broker holds of a run. */
export interface QueueStats {
  /** Chunks that were ever sent. */
  readonly sent: number;
  /** Chunks that wait for a worker. */
  readonly queued: number;
  /** Chunks leased to workers. */
  readonly inFlight: number;
  /** Chunks with a commit. */
  readonly committed: number;
  /** The sequence number of the last commit. */
  readonly lastCommit: number;
}

/** A URL that is not tried again, because several workers died while they fetched it. */
export interface DeadLetter {
  /** The index of its job in the run. */
  readonly index: number;
  /** The job as a chunk holds it. */
  readonly job: unknown;
  readonly reason: string;
}

/** What a worker leaves of a chunk that it gives back. */
export interface LeftChunk {
  readonly chunk: number;
  /** How often workers have given the chunk back. Each time one delivery ended without the death of a worker. */
  readonly giveBacks: number;
  /** Results in it. */
  readonly count: number;
  /** The results, packed. */
  readonly body: Uint8Array;
}

/** A message of the queue that cannot be read. */
export interface DeadMessage {
  readonly key: string;
  readonly reason: string;
  readonly body: Uint8Array;
}

/** A chunk that unpacks to more than this was not written by fanout. */
const MAX_TEXT_BYTES = 64 * 1024 ** 2;

/** A job as one line of JSON. */
export function encodeJob(job: Job): string {
  const { index, source, line, input, url, id, invalid, given } = job;
  const place = { index, source, line, input };
  if (invalid === undefined) return JSON.stringify({ ...place, request: encodeRequest(job) });
  return JSON.stringify({ ...place, url, id, invalid, given });
}

/** The job of a line, checked like a line of an input; `undefined` when it is damaged. */
export function decodeJob(text: string): Job | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { index, source, line, input, request, ...rest }: Record<string, unknown> = { ...value };
  if (!isCount(index) || !isCount(line) || typeof source !== 'string') return undefined;
  const place = { index, source, line, ...(typeof input === 'string' ? { input } : {}) };
  if (typeof request === 'object' && request !== null) {
    return { ...place, ...parseJobInput(request, '', { parseExpectation }) };
  }
  const { url, id, invalid, given } = rest;
  if (typeof url !== 'string' || typeof invalid !== 'string') return undefined;
  const job = { ...place, url, invalid, ...(typeof id === 'string' ? { id } : {}) };
  return typeof given === 'string' && isJsonObject(given) ? { ...job, given } : job;
}

function isJsonObject(text: string): boolean {
  try {
    return text.startsWith('{') && typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

/** The jobs of a chunk, or `undefined` when any part of it is damaged. */
export function chunkJobs(body: Uint8Array): readonly Job[] | undefined {
  const text = unpackText(body, MAX_TEXT_BYTES);
  if (text === undefined || text === '') return undefined;
  const jobs: Job[] = [];
  for (const line of eachLine(text)) {
    const job = decodeJob(line);
    if (job === undefined) return undefined;
    jobs.push(job);
  }
  return new Set(jobs.map(({ index }) => index)).size === jobs.length ? jobs : undefined;
}

/** The text in a gzip body; `undefined` when it is damaged, or larger than `maxBytes`. */
export function unpackText(body: Uint8Array, maxBytes: number): string | undefined {
  try {
    return gunzipSync(body, { maxOutputLength: maxBytes }).toString();
  } catch {
    return undefined;
  }
}

/** The partition of a URL's host, from 0. It is the same on every machine. */
export function hostPartition(url: string, partitions: number): number {
  return partitionOf(hostOf(url), partitions);
}

/** The partition of a host, as `hostOf()` gives it. */
export function partitionOf(host: string, partitions: number): number {
  return partitions === 1 ? 0 : textHash(host) % partitions;
}

/** FNV-1a, 32 bits, over UTF-16 units. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
