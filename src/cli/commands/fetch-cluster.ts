import { randomUUID } from 'node:crypto';
import { type FeedOutcome, feed } from '../../cluster/feeder.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { COMPLETE_KEY } from '../../cluster/run-state.ts';
import type { ShardWriter } from '../../cluster/shards.ts';
import { clusterFetchOptions } from '../../config/command-options.ts';
import { type ProgramOptions, resolveProgramOptions, withExcludeFile } from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { readSettings } from '../../core/own-file.ts';
import type { Input } from '../../input/input.ts';
import {
  type ConnectedRun,
  checkSameOptions,
  checkUnchanged,
  checkWorkerOptions,
  connectToRun,
  countSentChunks,
  createMetrics,
  createShardWriter,
  loadOptionSources,
  noteEarlierRun,
  setClusterLog,
  toNewRun,
} from '../cluster.ts';
import { EXIT } from '../exit-code.ts';
import { type FetchSettings, loadFetchSettings } from '../fetch-settings.ts';
import { JobSource, resolveInputs } from '../inputs.ts';
import { checkOutputs, outputFiles, readFiles } from '../output-files.ts';
import { Signals } from '../signals.ts';
import { createMessages, printConfig } from '../terminal.ts';
import { CollectRun } from './collect.ts';
import type { FetchArguments } from './fetch.ts';
import { WorkRun } from './work.ts';

interface FetchParts {
  readonly options: ProgramOptions;
  readonly inputs: readonly Input[];
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
}

/**
 * `fanout cluster fetch`: feeds the list, works on it and collects the results in one process. Other machines may join.
 * Resolves to the exit code. Throws the errors of `model/errors.ts`.
 */
export async function clusterFetchCommand(args: FetchArguments): Promise<number> {
  const { flags, process, version } = args;
  const sources = await loadOptionSources(flags, process.env);
  const given = resolveProgramOptions(clusterFetchOptions, sources, version);
  if (given.printConfig) return printConfig(clusterFetchOptions, given, process);
  setClusterLog(given, process, 'fetch');
  const options = await withExcludeFile(given, readSettings);
  const inputs = await resolveInputs(args.inputs, options, process);
  await checkOutputs(inputs, outputFiles(options), { process, files: readFiles(options) });
  checkWorkerOptions(options);
  const settings = await loadFetchSettings(options, process);
  Error.stackTraceLimit = 0; // for the reason given in fetch.ts
  const { note } = createMessages(process, { isSilent: options.silent });
  const run = options.run ?? `fetch-${randomUUID().slice(0, 8)}`;
  setClusterLog({ ...options, run }, process, 'fetch');
  const metrics = await createMetrics(options.metrics, { role: 'fetch', run, process, note });
  try {
    return await fetchAsRun(run, { options, inputs, settings, process }, metrics);
  } finally {
    metrics?.close();
  }
}

async function fetchAsRun(run: string, parts: FetchParts, metrics: Metrics | undefined): Promise<number> {
  const { options, process } = parts;
  const messages = createMessages(process, { isSilent: options.silent });
  const connected = await connectToRun({ ...options, run }, messages, {
    newRun: toNewRun(options, parts.inputs),
  });
  noteEarlierRun(connected, messages);
  const { engine } = connected;
  try {
    messages.note(`other machines may join with "fanout cluster work --broker URL --run ${run}"`);
    await checkSameOptions(engine, options);
    const shards = await createShardWriter(options, process);
    try {
      const code = await new ClusterFetch(parts, { ...connected, shards, metrics }).run();
      // No other process knows this name.
      if (options.run === undefined && (await engine.state(COMPLETE_KEY)) === true) await engine.purge();
      return code;
    } finally {
      await shards?.close();
    }
  } finally {
    await engine.close();
  }
}

interface ClusterRun extends ConnectedRun {
  readonly shards: ShardWriter | undefined;
  readonly metrics: Metrics | undefined;
}

/** Feeder, worker and collector in one process. To be used once. */
class ClusterFetch {
  readonly #parts: FetchParts;
  readonly #cluster: ClusterRun;
  readonly #reading = new AbortController();
  readonly #leaving = new AbortController();
  /** Resolves when the grace time is over: the feeder may still wait for an unreachable broker. */
  readonly #timeUp: Promise<void>;
  #onTimeUp: () => void = () => {};
  readonly #work: WorkRun;
  readonly #collect: CollectRun;

  constructor(parts: FetchParts, cluster: ClusterRun) {
    const { options, settings, process } = parts;
    const { engine, shards, metrics } = cluster;
    const messages = createMessages(process, { isSilent: options.silent });
    this.#parts = parts;
    this.#cluster = cluster;
    this.#timeUp = new Promise((resolve) => {
      this.#onTimeUp = resolve;
    });
    const onResult = metrics?.countResults();
    const work = new WorkRun({ engine, options, settings, shards, process, messages, onResult });
    this.#work = work;
    this.#collect = new CollectRun({
      engine,
      options,
      process,
      messages,
      inFlight: () => work.inFlight,
    });
    metrics?.watchWork(work);
    metrics?.watchCollect(this.#collect);
  }

  /** Resolves to the exit code. */
  async run(): Promise<number> {
    const signals = this.#watchSignals();
    const onError = (error: unknown) => {
      this.#end('the run has ended');
      throw error;
    };
    const collecting = this.#collect.run().finally(() => {
      this.#reading.abort();
      this.#work.drain();
    });
    // If the worker was told to end, the rest is for other workers or for the next start.
    const working = this.#started(collecting)
      .then(() => this.#work.run())
      .then(() => {
        if (!this.#collect.isComplete && !this.#collect.isStopping) this.#collect.stop();
      });
    const feeding = this.#started(collecting).then(() => this.#feed());
    try {
      const [code] = await Promise.all([
        collecting.catch(onError),
        working.catch(onError),
        Promise.race([this.#timeUp, feeding]).catch(onError),
      ]);
      return signals.received === undefined ? code : EXIT[signals.received];
    } finally {
      signals.close();
      await Promise.allSettled([collecting, working]);
    }
  }

  /** Resolves when feeding and working may start: a stopped run continues only once its collector has begun. */
  #started(collecting: Promise<unknown>): Promise<unknown> {
    return Promise.race([this.#collect.started, collecting]);
  }

  #feed(): Promise<FeedOutcome> {
    const { options, inputs } = this.#parts;
    const { engine, metrics } = this.#cluster;
    const source = new JobSource(this.#parts);
    return feed({
      engine,
      jobs: source.jobs(this.#reading.signal),
      tally: source.counts,
      checkUnchanged: () => checkUnchanged(engine, inputs),
      reconcile: false,
      allowEmpty: options.allowEmpty,
      now: systemClock.now,
      sent: metrics && countSentChunks(metrics, engine, source.counts),
      reading: this.#reading,
      count: (signal) => source.count(signal),
      leaving: this.#leaving.signal,
    });
  }

  #watchSignals(): Signals {
    const { process, options } = this.#parts;
    const { note } = createMessages(process, { isSilent: options.silent });
    return new Signals(
      process,
      {
        stop: (name) => {
          note(`${name}: finishing the chunks in hand; send it again to stop at once`);
          this.#cluster.metrics?.drain();
          this.#reading.abort();
          this.#leaving.abort();
          this.#work.drain();
        },
        abort: (message) => {
          this.#onTimeUp();
          this.#end(message);
        },
        quit: () => this.#collect.quit(),
      },
      options.drainTimeout,
    );
  }

  #end(message: string): void {
    this.#reading.abort();
    this.#leaving.abort();
    this.#work.abort(message);
    this.#collect.stop();
  }
}
