import { hostname } from 'node:os';
import { ChunkWorker, maxChunks } from '../../cluster/chunk-worker.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { type RunStop, refuseStopped, stopText, untilStopped } from '../../cluster/run-state.ts';
import type { ShardWriter } from '../../cluster/shards.ts';
import { workOptions } from '../../config/command-options.ts';
import { type ProgramOptions, resolveProgramOptions, withExcludeFile } from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { readSettings } from '../../core/own-file.ts';
import { Run } from '../../fetch/run.ts';
import type { Job } from '../../model/job.ts';
import type { Result } from '../../model/result.ts';
import { packageVersion } from '../../model/version.ts';
import {
  checkSameOptions,
  checkWorkerOptions,
  connectToRun,
  createMetrics,
  createShardWriter,
  loadOptionSources,
  setClusterLog,
  workerName,
} from '../cluster.ts';
import { EXIT } from '../exit-code.ts';
import { type FetchSettings, loadFetchSettings } from '../fetch-settings.ts';
import { Signals } from '../signals.ts';
import { createLog, createMessages, type Messages, printConfig } from '../terminal.ts';

const DEFAULT_LANES = 3;

/** Limits of the whole run, which the collector applies. */
const NO_LIMITS = { deadline: undefined, maxFailures: undefined };

export interface WorkArguments {
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout cluster work`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function workCommand({ flags, process, version }: WorkArguments): Promise<number> {
  const given = resolveProgramOptions(workOptions, await loadOptionSources(flags, process.env), version);
  if (given.printConfig) return printConfig(workOptions, given, process);
  const options = await withExcludeFile(given, readSettings);
  setClusterLog(options, process, 'work');
  checkWorkerOptions(options);
  const settings = await loadFetchSettings(options, process);
  const messages = createMessages(process);
  const { note } = messages;
  Error.stackTraceLimit = 0; // for the reason given in fetch.ts
  const metrics = await createMetrics(options.metrics, { role: 'work', run: options.run, process, note });
  try {
    return await workOnRun({ options, settings, process, messages, metrics });
  } finally {
    metrics?.close();
  }
}

interface WorkParts {
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
  readonly messages: Messages;
  readonly metrics: Metrics | undefined;
}

async function workOnRun({ options, settings, process, messages, metrics }: WorkParts): Promise<number> {
  const { engine, run } = await connectToRun(options, messages);
  const shards = await checkSameOptions(engine, options)
    .then(() => createShardWriter(options, process))
    .catch(async (error: unknown) => {
      await engine.close();
      throw error;
    });
  const onResult = metrics?.countResults();
  const work = new WorkRun({ engine, options, settings, shards, process, messages, onResult });
  metrics?.watchBroker(engine, { hasQueue: false });
  metrics?.watchWork(work);
  let returned: Promise<void> | undefined;
  const signals = new Signals(
    process,
    {
      stop: (name) => {
        messages.note(`${name}: finishing the chunks of this worker; send it again to return them at once`);
        metrics?.drain();
        work.drain();
      },
      abort: (message) => {
        returned = work.abort(message);
      },
      quit: () => {
        returned?.then(() => engine.close()).catch(() => {});
      },
    },
    options.drainTimeout,
  );
  try {
    await work.run();
    const { urls, chunks } = work;
    const done = `fetched ${urls} URLs of the run "${run}", ${chunks.finished} chunks`;
    messages.note(done, { urls, chunks: chunks.finished });
    return signals.received === undefined ? EXIT.ok : EXIT[signals.received];
  } finally {
    signals.close();
    await shards?.close();
    await engine.close();
  }
}

interface WorkRunParts {
  readonly engine: JetStreamEngine;
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  /** Where results are written; into the log if unset. */
  readonly shards?: ShardWriter | undefined;
  readonly process: NodeJS.Process;
  readonly messages: Messages;
  /** Called with each result. */
  readonly onResult?: ((result: Result) => void) | undefined;
}

/** A worker process of a run on several machines: it fetches the jobs of all its chunks in one `Run`. To be used once. */
export class WorkRun {
  readonly #parts: WorkRunParts;
  readonly #worker: ChunkWorker;
  readonly #run: Run;
  #urls = 0;
  #jobsError: unknown;
  #isStopped = false;

  constructor(parts: WorkRunParts) {
    this.#parts = parts;
    const { engine, options, settings, shards, process, messages } = parts;
    const { warn } = messages;
    const { lanes = DEFAULT_LANES } = options;
    this.#worker = new ChunkWorker({
      engine,
      lanes,
      name: workerName(process.pid),
      about: { version: packageVersion(), host: hostname() },
      hosts: () => this.#run.hostStates,
      isSaturated: () => this.#run.inFlight >= options.concurrency,
      shards,
      now: systemClock.now,
      warn,
      unwanted: () => this.#run.dropUnwanted(),
    });
    // The queue must have room for all leased chunks; otherwise a chunk of a slow host would block the others.
    const leasedJobs = engine.settings.chunk * maxChunks(engine.settings.partitions, lanes);
    this.#run = new Run({
      ...settings,
      options: { ...options, ...NO_LIMITS, queueSize: Math.max(options.queueSize, leasedJobs) },
      warn,
      log: createLog(options, messages),
      jobs: this.#jobs(),
      isWanted: (job) => this.#worker.isWanted(job),
    });
  }

  get inFlight(): number {
    return this.#run.inFlight;
  }

  /** The number of results so far. */
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
   * Works until the run is complete or stopped, or `drain()` or `abort()` is called. Throws an `OutputError` if results cannot
   * be written, and a `UsageError` if the run is stopped already.
   */
  async run(): Promise<void> {
    const { engine, onResult } = this.#parts;
    await refuseStopped(engine, 'work on');
    const watching = new AbortController();
    untilStopped(engine, watching.signal).then((stop) => {
      if (stop !== undefined) this.#stop(stop);
    });
    try {
      for await (const result of this.#run.results()) {
        this.#urls += 1;
        onResult?.(result);
        this.#worker.take(result);
      }
      if (this.#isStopped) await this.#worker.handIn();
    } finally {
      watching.abort();
      await this.#worker.leave();
      await this.#worker.close();
    }
    if (this.#jobsError !== undefined) throw this.#jobsError;
  }

  /** Finishes the leased chunks, and leases no more. */
  drain(): void {
    this.#worker.drain();
  }

  /** Ends the requests in flight, and returns the leased chunks. Resolves when the broker has them, if it can be reached. */
  abort(message: string): Promise<void> {
    const returned = this.#worker.leave();
    this.#run.abort(message);
    return returned;
  }

  #stop(stop: RunStop): void {
    this.#parts.messages.warn(`the run was stopped ${stopText(stop)}`);
    this.#isStopped = true;
    this.#worker.stop();
    if (stop.cause === 'deadline') this.#run.expire(stop.limit);
    else this.#run.stop();
  }

  /** Yields the jobs of the leased chunks. If that fails, the requests in flight are of no use. */
  async *#jobs(): AsyncGenerator<Iterable<Job>, void, void> {
    try {
      yield* this.#worker.jobs();
    } catch (error) {
      this.#jobsError = error;
      this.#run.abort('the worker cannot go on');
    }
  }
}
