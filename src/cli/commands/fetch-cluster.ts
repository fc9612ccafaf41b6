import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FeedOutcome, feedUntilStopped } from '../../cluster/feeder.ts';
import { jobWire } from '../../cluster/job-codec.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import type { ShardWriter } from '../../cluster/shards.ts';
import { systemClock } from '../../core/clock.ts';
import { fileLimit } from '../../fetch/file-limit.ts';
import { inputName } from '../../input/input.ts';
import {
  checkInlineBody,
  countSent,
  newRunOf,
  type OpenedRun,
  openBroker,
  openMetrics,
  openShards,
} from '../cluster.ts';
import { createWarn } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import type { FetchRunParts } from '../fetch-run.ts';
import { RunInputs } from '../inputs.ts';
import { Signals } from '../signals.ts';
import { CollectRun } from './collect.ts';
import { WorkRun } from './work.ts';

/** `fanout fetch --broker`: sends the list, works on it and collects the results, all in one; others may join in. */
export async function clusterFetch(parts: FetchRunParts): Promise<number> {
  const { options, process } = parts;
  checkInlineBody(options);
  Error.stackTraceLimit = 0; // as in a fetch on one machine
  const warn = createWarn(process, options.silent);
  const name = options.run ?? `fetch-${randomUUID().slice(0, 8)}`;
  const metrics = await openMetrics(options.metrics, { role: 'fetch', run: name, process, warn });
  try {
    return await runNamed(name, parts, metrics);
  } finally {
    metrics?.close();
  }
}

async function runNamed(name: string, parts: FetchRunParts, metrics: Metrics | undefined): Promise<number> {
  const { options, process } = parts;
  const warn = createWarn(process, options.silent);
  const opened = await openBroker({ ...options, run: name }, warn, newRunOf(options));
  // Without a name nobody can go on with the run, and nobody needs its file; but without that the shards mean nothing.
  const isPassing = options.run === undefined && options.shards === undefined;
  const scratch = isPassing ? await mkdtemp(join(tmpdir(), 'fanout-run-')) : undefined;
  const storePath =
    options.store ?? (scratch === undefined ? `fanout-${name}.jsonl` : join(scratch, 'results'));
  try {
    warn(`other machines may join with "fanout work --broker URL --run ${name}"`);
    const shards = await openShards(options, process);
    try {
      return await new ClusterFetch(parts, { ...opened, storePath, shards, metrics }).run();
    } finally {
      await shards?.close();
    }
  } finally {
    await opened.engine.close();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}

interface ClusterRun extends OpenedRun {
  readonly storePath: string;
  readonly shards: ShardWriter | undefined;
  readonly metrics: Metrics | undefined;
}

/** The three roles of one process. */
class ClusterFetch {
  readonly #parts: FetchRunParts;
  readonly #opened: ClusterRun;
  readonly #reading = new AbortController();
  readonly #leaving = new AbortController();
  /** Resolves when the time is up: the sender may still wait for a broker that is away. */
  readonly #isTimeUp: Promise<void>;
  #giveUp: () => void = () => {};
  readonly #work: WorkRun;
  readonly #collect: CollectRun;

  constructor(parts: FetchRunParts, opened: ClusterRun) {
    const { options, process } = parts;
    const warn = createWarn(process, options.silent);
    const { engine, run, storePath, shards, metrics } = opened;
    this.#parts = parts;
    this.#opened = opened;
    this.#isTimeUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    const told = metrics?.countResults();
    const { lanes } = options;
    const work = new WorkRun({ engine, options, request: parts, shards, lanes, process, warn, told });
    this.#work = work;
    this.#collect = new CollectRun({
      engine,
      run,
      storePath,
      options,
      process,
      warn,
      inFlight: () => work.inFlight,
    });
    metrics?.watchWork(work);
    metrics?.watchCollect(this.#collect);
  }

  async run(): Promise<number> {
    const signals = this.#watchSignals();
    const ended = (error: unknown) => {
      this.#end('the run has ended');
      throw error;
    };
    const collecting = this.#collect.run().finally(() => {
      this.#reading.abort();
      this.#work.drain();
    });
    // A worker that was told to end leaves the rest to others, and to the next start.
    const working = this.#claimed(collecting)
      .then(() => this.#work.run())
      .then(() => {
        if (!this.#collect.isComplete && !this.#collect.isStopping) this.#collect.stop();
      });
    try {
      const [code] = await Promise.all([
        collecting.catch(ended),
        working.catch(ended),
        Promise.race([this.#isTimeUp, this.#claimed(collecting).then(() => this.#feed())]).catch(ended),
      ]);
      return signals.received === undefined ? code : EXIT[signals.received];
    } finally {
      signals.close();
      await Promise.allSettled([collecting, working]);
    }
  }

  /** A run that was stopped goes on only when it is collected. */
  #claimed(collecting: Promise<unknown>): Promise<unknown> {
    return Promise.race([this.#collect.claimed, collecting]);
  }

  #feed(): Promise<FeedOutcome> {
    const { options, inputs, process, template, tls, proxies } = this.#parts;
    const { unique, defaultScheme, sitemap, allowEmpty } = options;
    const document = {
      options,
      defaults: template,
      tls,
      proxies,
      clock: systemClock,
      random: Math.random,
      fileLimit: fileLimit(process.report, 2 * options.concurrency),
    };
    const list = new RunInputs({ options, inputs, process, document });
    const { engine, metrics } = this.#opened;
    return feedUntilStopped({
      engine,
      wire: jobWire,
      jobs: list.jobs(this.#reading.signal),
      tally: list.tally,
      inputs: [
        ...inputs.map(inputName),
        `unique=${unique}`,
        `default-scheme=${defaultScheme ?? ''}`,
        ...(sitemap ? ['sitemap'] : []),
      ],
      reconcile: false,
      allowEmpty,
      now: systemClock.now,
      sent: metrics && countSent(metrics, engine, list.tally),
      reading: this.#reading,
      count: (signal) => list.count(signal),
      leaving: this.#leaving.signal,
    });
  }

  #watchSignals(): Signals {
    const { process, options } = this.#parts;
    return new Signals(process, {
      stop: (name) => {
        createWarn(
          process,
          options.silent,
        )(`${name}: finishing the chunks in hand; once more to stop at once`);
        this.#reading.abort();
        this.#leaving.abort();
        this.#work.drain();
      },
      abort: (message) => {
        this.#giveUp();
        this.#end(message);
      },
      quit: () => this.#collect.quit(),
    });
  }

  #end(message: string): void {
    this.#reading.abort();
    this.#leaving.abort();
    this.#work.abort(message);
    this.#collect.stop();
  }
}
