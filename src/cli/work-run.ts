import { ChunkWorker } from '../broker/chunk-worker.ts';
import type { QueueEngine } from '../broker/queue-engine.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Job } from '../model/job.ts';
import type { Result } from '../model/result.ts';
import { Run } from '../run.ts';
import type { ShardWriter } from '../shards/shard-writer.ts';
import { systemClock } from '../system-clock.ts';
import { fileLimit } from './file-limit.ts';
import { jobWire } from './job-wire.ts';
import type { RequestParts } from './request-parts.ts';
import { workerName } from './worker-name.ts';

export interface WorkRunParts {
  readonly engine: QueueEngine;
  readonly options: ProgramOptions;
  readonly request: RequestParts;
  /** Where results are written; into the log if left out. */
  readonly shards?: ShardWriter | undefined;
  /** 3 if left out. */
  readonly lanes?: number | undefined;
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  /** Told of each result. */
  readonly told?: ((result: Result) => void) | undefined;
}

/** One worker process of a run over several machines: chunks from the broker, one run over all their jobs. */
export class WorkRun {
  readonly #worker: ChunkWorker;
  readonly #run: Run;
  readonly #told: ((result: Result) => void) | undefined;
  #urls = 0;
  #failure: unknown;

  constructor({ engine, options, request, shards, lanes = 3, process, warn, told }: WorkRunParts) {
    this.#told = told;
    const { partitions, chunk } = engine.settings;
    const name = workerName(process.pid);
    const { now } = systemClock;
    this.#worker = new ChunkWorker({ engine, wire: jobWire, lanes, name, shards, now, warn });
    // The chunks in hand must all fit in: one of a slow host would otherwise keep the others out.
    const held = chunk * (partitions === 1 ? lanes : Math.min(partitions, 32));
    const { template, tls, proxies } = request;
    this.#run = new Run({
      options: { ...options, queue: Math.max(options.queue, held) },
      defaults: template,
      tls,
      proxies,
      clock: systemClock,
      random: Math.random,
      fileLimit: fileLimit(process, 2 * options.concurrency),
      warn,
      jobs: this.#jobs(),
    });
  }

  get inFlight(): number {
    return this.#run.inFlight;
  }

  /** URLs whose results are in. */
  get urls(): number {
    return this.#urls;
  }

  get chunks(): ChunkWorker['chunks'] {
    return this.#worker.chunks;
  }

  hosts(): ReturnType<Run['hosts']> {
    return this.#run.hosts();
  }

  /** Works until the run is complete, or until it was told to end. Throws an `OutputError` when results cannot be written. */
  async run(): Promise<void> {
    try {
      for await (const result of this.#run.results()) {
        this.#urls += 1;
        this.#told?.(result);
        this.#worker.take(result);
      }
    } finally {
      this.#worker.leave();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Finishes the chunks in hand, and takes no more. */
  drain(): void {
    this.#worker.drain();
  }

  /** Gives back the chunks in hand, and ends what is under way. */
  abort(message: string): void {
    this.#worker.leave();
    this.#run.abort(message);
  }

  /** When they end with an error, what is under way is of no use. */
  async *#jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    try {
      yield* this.#worker.jobs();
    } catch (error) {
      this.#failure = error;
      this.#run.abort('the worker cannot go on');
    }
  }
}
