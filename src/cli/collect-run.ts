import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Collector } from '../broker/collector.ts';
import { InputOrder } from '../broker/input-order.ts';
import { orderedFromStore } from '../broker/ordered-from-store.ts';
import type { QueueEngine } from '../broker/queue-engine.ts';
import { ResultStore } from '../broker/result-store.ts';
import type { CollectorProgress } from '../broker/run-end.ts';
import { collect } from '../collect/collect.ts';
import type { Sink } from '../collect/sink.ts';
import type { ProgramOptions } from '../config/program-options.ts';
import type { Frame } from '../model/frame.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { checkBalance, type Summary, SummaryFold } from '../model/summary.ts';
import { failsRun } from '../model/verdict.ts';
import type { ShardReader } from '../shards/shard-reader.ts';
import type { Progress } from '../sinks/bar-line.ts';
import { systemClock } from '../system-clock.ts';
import { EXIT } from './exit-code.ts';
import { type Judgement, openJudgement } from './open-judgement.ts';
import { findShards } from './open-shards.ts';
import { type Outputs, openOutputs } from './outputs.ts';
import { RunLimits } from './run-limits.ts';

export interface CollectRunParts {
  readonly engine: QueueEngine;
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
    const onCounted = (frame: Frame, isResumed: boolean) => this.#count(frame, isResumed);
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
  #count({ ok, failed, count }: Frame, isResumed: boolean): void {
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
