import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Collector } from '../../cluster/collector.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { InputOrder, orderedFromStore } from '../../cluster/ordered-reader.ts';
import { ResultStore } from '../../cluster/result-store.ts';
import { type CollectorProgress, type StopReason, stopText } from '../../cluster/run-stop.ts';
import type { ShardReader } from '../../cluster/shards.ts';
import { collectOptions } from '../../config/cluster-command-options.ts';
import type { ProgramOptions } from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { printable } from '../../model/printable.ts';
import { failsRun, type Result } from '../../model/result.ts';
import type { ShardSegment } from '../../model/result-line.ts';
import { checkBalance, type Summary, SummaryFold } from '../../model/summary.ts';
import type { Progress } from '../../output/progress.ts';
import { collect } from '../../results/collect.ts';
import type { Sink } from '../../results/sink.ts';
import { findShards, givenTo, openBroker, openMetrics, resolveAsProgram } from '../cluster.ts';
import { createWarn } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { type Judgement, openJudgement } from '../judgement.ts';
import { checkOutputs } from '../output-files.ts';
import { type Outputs, openOutputs } from '../outputs.ts';
import { showConfig } from '../print-config.ts';
import { Signals } from '../signals.ts';

interface RunLimitsParts {
  readonly options: Pick<ProgramOptions, 'failFast' | 'maxFailures' | 'deadline'>;
  readonly collector: { stopRun(reason: StopReason, failures: () => number): void };
  /** Failures that have stopped the run before. */
  readonly earlier: number;
  readonly warn: (text: string) => void;
}

/** `--fail-fast`, `--max-failures` and `--deadline` of a run over several machines: the collector counts, and has the clock. */
class RunLimits {
  readonly #parts: RunLimitsParts;
  #failures = 0;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(parts: RunLimitsParts) {
    this.#parts = parts;
  }

  /** The clock begins to run. */
  start(): void {
    const { deadline } = this.#parts.options;
    if (deadline === undefined) return;
    this.#cancel = systemClock.after(deadline, () => this.#stop({ cause: 'deadline', limit: deadline }));
  }

  /** Counts results that fail the run. */
  add(failures: number): void {
    const { options, earlier } = this.#parts;
    this.#failures += failures;
    const limit = options.failFast ? 1 : options.maxFailures;
    if (failures > 0 && limit !== undefined && this.#failures - earlier >= limit)
      this.#stop({ cause: 'failures', limit });
  }

  close(): void {
    this.#cancel();
  }

  #stop(reason: StopReason): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const { collector, warn } = this.#parts;
    warn(`the run is stopped ${stopText(reason)}: collecting what is under way`);
    collector.stopRun(reason, () => this.#failures);
  }
}

interface CollectRunParts {
  readonly engine: JetStreamEngine;
  readonly run: string;
  /** The file of results. */
  readonly storePath: string;
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  /** Requests under way in this process, for the bar. */
  readonly inFlight?: () => number;
}

/** The collector of a run over several machines, with the outputs of `fanout fetch`. To be used once. */
export class CollectRun {
  readonly #parts: CollectRunParts;
  readonly #fold = new SummaryFold();
  readonly #ending = new AbortController();
  readonly #quitting = new AbortController();
  /** Resolves when the run is that of this collector, and goes on if it was stopped. */
  readonly claimed: Promise<void>;
  #isClaimed: () => void = () => {};
  #collector: Collector | undefined;
  #limits: RunLimits | undefined;
  #isReaderGone = false;
  #hasCounted = false;

  constructor(parts: CollectRunParts) {
    this.#parts = parts;
    this.claimed = new Promise((resolve) => {
      this.#isClaimed = resolve;
    });
  }

  get isComplete(): boolean {
    return this.#collector?.isComplete === true;
  }

  /** Whether a limit has ended the whole run. */
  get isStopping(): boolean {
    return this.#collector?.isStopping === true;
  }

  progress(): CollectorProgress | undefined {
    return this.#collector?.progress();
  }

  /** URLs whose results came in this process. */
  get taken(): number {
    return this.#collector?.tally.taken ?? 0;
  }

  /** The whole run, once the list has come to its end. */
  get total(): { readonly chunks: number; readonly urls: number } | undefined {
    const end = this.#collector?.end;
    return end && { chunks: end.chunks, urls: end.read - end.skipped };
  }

  /** Ends before the run is complete; it goes on with the next start. */
  stop(): void {
    this.#ending.abort();
  }

  /** Lets go of outputs that nobody reads. */
  quit(): void {
    this.#quitting.abort();
  }

  /** Collects, and resolves to the exit code of a run that was not interrupted. */
  async run(): Promise<number> {
    const { engine, run, options, storePath, warn } = this.#parts;
    const judgement = await openJudgement(options, () => this.isComplete);
    const shards = await findShards(options.shards);
    const store = await ResultStore.open(storePath, run, engine.settings);
    const place = `${hostname()}:${resolve(storePath)}`;
    const signal = this.#ending.signal;
    const onCounted = (frame: ShardSegment, isResumed: boolean) => this.#count(frame, isResumed);
    const { now } = systemClock;
    const collector = new Collector({ engine, store, place, shards, onCounted, now, warn, signal });
    this.#collector = collector;
    const limits = new RunLimits({ options, collector, earlier: await collector.claim(), warn });
    this.#limits = limits;
    this.#isClaimed();
    const outputs = await this.#openOutputs(store, shards, judgement);
    outputs.closed.then(() => {
      this.#isReaderGone = true;
      this.stop();
      this.quit();
    });
    const sinks = [...judgement.sinks, ...outputs.sinks];
    limits.start();
    const judged = this.#judged(collector, judgement);
    const summary = await collect(judged, sinks, this.#fold, now).finally(() => limits.close());
    checkBalance(summary);
    return this.#exitCode(summary);
  }

  #openOutputs(store: ResultStore, shards: ShardReader | undefined, { recall }: Judgement): Promise<Outputs> {
    const { options, process, storePath } = this.#parts;
    const { signal } = this.#quitting;
    const order = options.ordered ? new InputOrder(storePath, shards) : undefined;
    if (order !== undefined) store.watch(order);
    return openOutputs({
      options,
      process,
      progress: () => this.#progress(),
      signal,
      ...(order && { order: (sink: Sink) => orderedFromStore(sink, { order, recall, signal }) }),
    });
  }

  async *#judged(collector: Collector, { judge }: Judgement): AsyncGenerator<Result, void, void> {
    for await (const result of collector.results()) {
      const judged = judge(result);
      if (failsRun(judged)) this.#limits?.add(1);
      yield judged;
    }
    const { ok, failed } = this.#fold;
    Object.assign(this.#fold, collector.listCounts(ok + failed));
  }

  /** Results that are in a shard, which nobody reads here. */
  #count({ ok, failed, count }: ShardSegment, isResumed: boolean): void {
    const { storePath, warn } = this.#parts;
    if (!this.#hasCounted) {
      warn(
        `some workers write results into shards: they are counted here, and not written; collect with --shards DIR to have them, or read them later with "fanout report ${printable(storePath, 200)} --shards DIR"`,
      );
    }
    this.#hasCounted = true;
    this.#fold.ok += ok;
    this.#fold.failed += failed;
    if (isResumed) this.#fold.resumed += count;
    this.#limits?.add(failed);
  }

  #progress(): Progress {
    const { ok, failed } = this.#fold;
    return {
      done: ok + failed,
      total: this.total?.urls,
      ok,
      failed,
      inFlight: this.#parts.inFlight?.() ?? 0,
    };
  }

  #exitCode(summary: Summary): number {
    if (this.#isReaderGone) return EXIT.ok;
    const breaking = summary.failed - summary.known - summary.flaky;
    return breaking > 0 || summary.notFetched > 0 ? EXIT.failed : EXIT.ok;
  }
}

export interface CollectArguments {
  /** Flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout collect`: resolves to the exit code, as that of `fanout fetch`. Throws the errors of `model/errors.ts`. */
export async function collectCommand({ flags, process, version }: CollectArguments): Promise<number> {
  const options = resolveAsProgram(collectOptions, await givenTo(flags, process.env), version);
  if (options.printConfig) return showConfig(collectOptions, options, process);
  const warn = createWarn(process, options.silent);
  const metrics = await openMetrics(options.metrics, { role: 'collect', run: options.run, process, warn });
  try {
    return await collectRun({ options, process, warn, metrics });
  } finally {
    metrics?.close();
  }
}

interface CollectParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly warn: (text: string) => void;
  readonly metrics: Metrics | undefined;
}

async function collectRun({ options, process, warn, metrics }: CollectParts): Promise<number> {
  const { engine, run } = await openBroker(options, warn);
  const storePath = options.store ?? `fanout-${run}.jsonl`;
  try {
    await checkOutputs([], {
      '--store': storePath,
      '--output': options.output,
      '--failed': options.failed,
      '--baseline': options.baseline,
      '--state': options.state,
      ...Object.fromEntries(
        options.report?.map(({ kind, file }) => [`--report ${kind}=${file}`, file]) ?? [],
      ),
    });
    const collecting = new CollectRun({ engine, run, storePath, options, process, warn });
    metrics?.watchBroker(engine, { hasQueue: true });
    metrics?.watchCollect(collecting);
    const signals = new Signals(process, {
      stop: () => collecting.stop(),
      abort: () => {
        engine.close().catch(() => {});
      },
      quit: () => collecting.quit(),
    });
    try {
      const code = await collecting.run();
      return signals.received === undefined ? code : EXIT[signals.received];
    } finally {
      signals.close();
    }
  } finally {
    await engine.close();
  }
}
