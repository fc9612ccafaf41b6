import { ChunkWorker, laneCount } from '../../cluster/chunk-worker.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import { jobWire } from '../../cluster/job-codec.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { type RunStop, refuseStopped, stopText, untilStopped } from '../../cluster/run-stop.ts';
import type { ShardWriter } from '../../cluster/shards.ts';
import { workOptions } from '../../config/cluster-command-options.ts';
import type { ProgramOptions } from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { fileLimit } from '../../fetch/file-limit.ts';
import { Run } from '../../fetch/run.ts';
import type { Job } from '../../model/job.ts';
import type { Result } from '../../model/result.ts';
import {
  checkInlineBody,
  givenTo,
  openBroker,
  openMetrics,
  openShards,
  resolveAsProgram,
  workerName,
} from '../cluster.ts';
import { createWarn } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { showConfig } from '../print-config.ts';
import { type RequestParts, requestParts } from '../run-setup.ts';
import { Signals } from '../signals.ts';

interface WorkRunParts {
  readonly engine: JetStreamEngine;
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

/** What ends the whole run is for the collector. */
const NO_LIMITS = { deadline: undefined, failFast: false, maxFailures: undefined };

/** One worker process of a run over several machines: chunks from the broker, one run over all their jobs. */
export class WorkRun {
  readonly #parts: WorkRunParts;
  readonly #worker: ChunkWorker;
  readonly #run: Run;
  readonly #told: ((result: Result) => void) | undefined;
  #urls = 0;
  #failure: unknown;
  #isStopped = false;

  constructor(parts: WorkRunParts) {
    const { engine, options, request, shards, lanes = 3, process, warn, told } = parts;
    this.#parts = parts;
    this.#told = told;
    const { partitions, chunk } = engine.settings;
    const name = workerName(process.pid);
    const { now } = systemClock;
    const unwanted = () => this.#run.weed();
    this.#worker = new ChunkWorker({ engine, wire: jobWire, lanes, name, shards, now, warn, unwanted });
    // The chunks in hand must all fit in: one of a slow host would otherwise keep the others out.
    const held = chunk * laneCount(partitions, lanes);
    const { template, tls, proxies } = request;
    this.#run = new Run({
      options: { ...options, ...NO_LIMITS, queue: Math.max(options.queue, held) },
      defaults: template,
      tls,
      proxies,
      clock: systemClock,
      random: Math.random,
      fileLimit: fileLimit(process.report, 2 * options.concurrency),
      warn,
      jobs: this.#jobs(),
      isWanted: (job) => this.#worker.isWanted(job),
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

  /**
   * Works until the run is complete or stopped, or until it was told to end. Throws an `OutputError` when results cannot be written,
   * and a `UsageError` when the run is stopped already.
   */
  async run(): Promise<void> {
    const { engine } = this.#parts;
    await refuseStopped(engine, 'work on');
    const watching = new AbortController();
    untilStopped(engine, watching.signal).then((stop) => {
      if (stop !== undefined) this.#stop(stop);
    });
    try {
      for await (const result of this.#run.results()) {
        this.#urls += 1;
        this.#told?.(result);
        this.#worker.take(result);
      }
      if (this.#isStopped) await this.#worker.handIn();
    } finally {
      watching.abort();
      await this.#worker.leave();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Finishes the chunks in hand, and takes no more. */
  drain(): void {
    this.#worker.drain();
  }

  /** What is under way is finished, or ended when the time is up; nothing more is begun. */
  #stop(stop: RunStop): void {
    this.#parts.warn(`the run was stopped ${stopText(stop)}`);
    this.#isStopped = true;
    this.#worker.stop();
    if (stop.cause === 'deadline') this.#run.expire(stop.limit);
    else this.#run.stop();
  }

  /** Gives back the chunks in hand, and ends what is under way. Resolves when the broker has them, if it is there. */
  abort(message: string): Promise<void> {
    const left = this.#worker.leave();
    this.#run.abort(message);
    return left;
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

export interface WorkArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout work`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function workCommand({ flags, process, version }: WorkArguments): Promise<number> {
  const options = resolveAsProgram(workOptions, await givenTo(flags, process.env), version);
  if (options.printConfig) return showConfig(workOptions, options, process);
  checkInlineBody(options);
  const request = await requestParts(options, process.env);
  const warn = createWarn(process);
  Error.stackTraceLimit = 0; // as in a fetch: errors whose traces nobody reads
  const metrics = await openMetrics(options.metrics, { role: 'work', run: options.run, process, warn });
  try {
    return await workRun({ options, request, process, warn, metrics });
  } finally {
    metrics?.close();
  }
}

interface WorkParts {
  readonly options: ProgramOptions;
  readonly request: RequestParts;
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  readonly metrics: Metrics | undefined;
}

async function workRun({ options, request, process, warn, metrics }: WorkParts): Promise<number> {
  const { engine, run } = await openBroker(options, warn);
  const shards = await openShards(options, process).catch(async (error: unknown) => {
    await engine.close();
    throw error;
  });
  const told = metrics?.countResults();
  const { lanes } = options;
  const work = new WorkRun({ engine, options, request, shards, lanes, process, warn, told });
  metrics?.watchBroker(engine, { hasQueue: false });
  metrics?.watchWork(work);
  let left: Promise<void> | undefined;
  const signals = new Signals(process, {
    stop: (name) => {
      warn(`${name}: finishing the chunks in hand; once more to give them back at once`);
      work.drain();
    },
    abort: (message) => {
      left = work.abort(message);
    },
    quit: () => {
      left?.then(() => engine.close()).catch(() => {});
    },
  });
  try {
    await work.run();
    warn(`worked on ${work.urls} URLs of the run "${run}", ${work.chunks.finished} chunks`);
    return signals.received === undefined ? EXIT.ok : EXIT[signals.received];
  } finally {
    signals.close();
    await shards?.close();
    await engine.close();
  }
}
