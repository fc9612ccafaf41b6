import { Collector, type CollectorProgress, type CountedCommit } from '../../cluster/collector.ts';
import type { JetStreamEngine } from '../../cluster/jetstream-engine.ts';
import type { Metrics } from '../../cluster/metrics.ts';
import { createOrderedSink, ResultSpool } from '../../cluster/result-spool.ts';
import { describeRun } from '../../cluster/run-registry.ts';
import { COMPLETE_KEY, type StopReason, stopText, untilStopped } from '../../cluster/run-state.ts';
import { collectOptions } from '../../config/command-options.ts';
import { type ProgramOptions, resolveProgramOptions } from '../../config/program-options.ts';
import { forEach } from '../../core/channel.ts';
import { systemClock } from '../../core/clock.ts';
import { failsRun, type Result } from '../../model/result.ts';
import { checkBalance, SummaryFold } from '../../model/summary.ts';
import type { LineWriter } from '../../output/line-writer.ts';
import type { Progress } from '../../output/progress.ts';
import { collect, type Sink } from '../../results/sink.ts';
import {
  connectToRun,
  createMetrics,
  createWorkerShardReader,
  loadOptionSources,
  setClusterLog,
} from '../cluster.ts';
import { countFailures, EXIT, summaryExitCode } from '../exit-code.ts';
import { createKnownFailures, type KnownFailures } from '../known-failures.ts';
import { checkOutputs, createOutput, outputFiles } from '../output-files.ts';
import { createOutputs } from '../outputs.ts';
import { Signals, Undo } from '../signals.ts';
import { createMessages, type Messages, printConfig } from '../terminal.ts';

export interface CollectArguments {
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout cluster collect`: resolves to the exit code, as that of `fanout fetch`. Throws the errors of `model/errors.ts`. */
export async function collectCommand({ flags, process, version }: CollectArguments): Promise<number> {
  const options = resolveProgramOptions(collectOptions, await loadOptionSources(flags, process.env), version);
  if (options.printConfig) return printConfig(collectOptions, options, process);
  setClusterLog(options, process, 'collect');
  const messages = createMessages(process, { isSilent: options.silent });
  const { note } = messages;
  const metrics = await createMetrics(options.metrics, { role: 'collect', run: options.run, process, note });
  try {
    return await collectRun({ options, process, messages, metrics });
  } finally {
    metrics?.close();
  }
}

interface CollectParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly messages: Messages;
  readonly metrics: Metrics | undefined;
}

async function collectRun({ options, process, messages, metrics }: CollectParts): Promise<number> {
  const { engine } = await connectToRun(options, messages);
  try {
    await checkOutputs([], outputFiles(options));
    const collecting = new CollectRun({ engine, options, process, messages });
    metrics?.watchBroker(engine, { hasQueue: true });
    metrics?.watchCollect(collecting);
    const signals = new Signals(process, {
      stop: () => {
        metrics?.drain();
        collecting.stop();
      },
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

interface CollectRunParts {
  readonly engine: JetStreamEngine;
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly messages: Messages;
  /** Requests in flight in this process, for the progress bar. */
  readonly inFlight?: () => number;
}

/** The collector of a run on several machines, with the outputs of `fanout fetch`. To be used once. */
export class CollectRun {
  readonly #parts: CollectRunParts;
  readonly #fold = new SummaryFold();
  readonly #ending = new AbortController();
  readonly #writing = new AbortController();
  /** Resolves once the collector has begun. A stopped run then continues. */
  readonly started: Promise<void>;
  #onStarted: () => void = () => {};
  #collector: Collector | undefined;
  #limits: RunLimits | undefined;
  #readerGoneCode: number | undefined;
  #hasWarned = false;

  constructor(parts: CollectRunParts) {
    // The workers decide whether a record has headers. So what is written may always have some.
    this.#parts = { ...parts, options: { ...parts.options, keeps: ['headers'] } };
    this.started = new Promise((resolve) => {
      this.#onStarted = resolve;
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

  /** URLs whose results this process has received. */
  get taken(): number {
    return this.#collector?.taken ?? 0;
  }

  /** The size of the whole run, once its list has been sent to the end. */
  get total(): { readonly chunks: number; readonly urls: number } | undefined {
    const end = this.#collector?.end;
    return end && { chunks: end.chunks, urls: end.read - end.skipped };
  }

  /** Ends before the run is complete. */
  stop(): void {
    this.#ending.abort();
  }

  /** Releases the outputs even if nobody reads them. */
  quit(): void {
    this.#writing.abort();
  }

  /** Collects the results. Resolves to the exit code of a run that no signal ended. */
  async run(): Promise<number> {
    const undo = new Undo();
    try {
      const knownFailures = await createKnownFailures(this.#parts.options, () => this.isComplete, undo);
      return await this.#run(knownFailures, undo);
    } finally {
      // Those that the end of the run has replaced are not touched.
      await undo.run();
    }
  }

  async #run(knownFailures: KnownFailures, undo: Undo): Promise<number> {
    const { engine, options, process, messages } = this.#parts;
    const { warn, note } = messages;
    const { now } = systemClock;
    const shards = await createWorkerShardReader(options);
    if ((await engine.state(COMPLETE_KEY)) === true) {
      note(`the run ${describeRun(engine.record)} is complete; "fanout cluster feed --new" starts a new one`);
    }
    const spool = options.ordered ? await ResultSpool.create(shards) : undefined;
    const signal = this.#writing.signal;
    const order = (to: ResultSpool) => (sink: Sink) =>
      createOrderedSink(sink, { spool: to, recall: knownFailures.annotateAgain, signal });
    const progress = () => this.#progress();
    const parts = { options, process, progress, signal, ...(spool && { order: order(spool) }) };
    const outputs = await createOutputs(parts, undo);
    const manifest = await this.#createManifest(undo);
    const sinks = [...knownFailures.sinks, ...outputs.sinks];
    const collector = new Collector({
      engine,
      headersOnly: sinks.length === 0 && options.baseline === undefined && manifest === undefined,
      shards,
      onCounted: (counted) => this.#countUnread(counted),
      async onTaken(commit) {
        await spool?.add(commit);
        if (manifest !== undefined) await manifest.write(`${commit.lines().join('\n')}\n`);
      },
      now,
      warn,
      signal: this.#ending.signal,
    });
    this.#collector = collector;
    const limits = new RunLimits({ options, collector, earlierFailures: await collector.start(), warn });
    this.#limits = limits;
    this.#onStarted();
    outputs.bar?.start();
    outputs.readerGone.then(() => {
      this.#readerGoneCode = countFailures(this.#fold) > 0 ? EXIT.failed : EXIT.ok;
      this.stop();
      this.quit();
    });
    limits.start();
    const watching = new AbortController();
    untilStopped(engine, watching.signal).then((stop) => stop && limits.stop(stop));
    const results = this.#annotated(collector, knownFailures);
    if (manifest !== undefined) sinks.push({ write: () => undefined, end: () => manifest.end() });
    const collecting = collect((use) => forEach(results, use), sinks, this.#fold, now);
    const summary = await collecting.finally(() => {
      watching.abort();
      limits.close();
    });
    const outcome = knownFailures.outcome();
    if (outcome !== undefined) note(outcome);
    checkBalance(summary);
    return this.#readerGoneCode ?? summaryExitCode(summary);
  }

  async #createManifest(undo: Undo): Promise<LineWriter | undefined> {
    const { options, process } = this.#parts;
    if (options.manifest === undefined) return undefined;
    // Workers may record headers and bodies.
    const manifest = await createOutput(options.manifest, process, { isPrivate: true });
    undo.add(() => manifest.discard());
    return manifest;
  }

  async *#annotated(collector: Collector, { annotate }: KnownFailures): AsyncGenerator<Result, void, void> {
    for await (const result of collector.results()) {
      const annotated = annotate(result);
      if (failsRun(annotated)) this.#limits?.add(1);
      yield annotated;
    }
    const { ok, failed, notFetched } = this.#fold;
    Object.assign(this.#fold, collector.listCounts(ok + failed, notFetched));
  }

  /** Counts results that are not read here. */
  #countUnread({ ok, failed, segment }: CountedCommit): void {
    if (segment !== undefined && !this.#hasWarned) {
      this.#hasWarned = true;
      this.#parts.messages.warn(
        'some workers write results to shards, which are only counted here: use --store DIR to write them, or write --manifest FILE for "fanout report FILE --store DIR"',
      );
    }
    this.#fold.ok += ok;
    this.#fold.failed += failed;
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
}

interface RunLimitsParts {
  readonly options: Pick<ProgramOptions, 'maxFailures' | 'deadline'>;
  readonly collector: { stopRun(reason: StopReason, failures: () => number): void };
  /** Failures that stopped the run before this start. They do not count again. */
  readonly earlierFailures: number;
  readonly warn: (message: string) => void;
}

/** `--fail-fast`, `--max-failures` and `--deadline` for a run on several machines: the collector counts and keeps the time. */
class RunLimits {
  readonly #parts: RunLimitsParts;
  #failures = 0;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(parts: RunLimitsParts) {
    this.#parts = parts;
  }

  /** Starts the time of `--deadline`. */
  start(): void {
    const { deadline } = this.#parts.options;
    if (deadline === undefined) return;
    this.#cancel = systemClock.after(deadline, () => this.stop({ cause: 'deadline', limit: deadline }));
  }

  /** Counts results that fail the run. */
  add(failures: number): void {
    const { options, earlierFailures } = this.#parts;
    this.#failures += failures;
    const limit = options.maxFailures;
    if (failures > 0 && limit !== undefined && this.#failures - earlierFailures >= limit)
      this.stop({ cause: 'failures', limit });
  }

  close(): void {
    this.#cancel();
  }

  /** Stops the run, or takes part in a stop by an operator. Does nothing the next time. */
  stop({ cause, limit, reason: text }: StopReason): void {
    if (this.#isStopped) return;
    const reason = { cause, limit, reason: text };
    this.#isStopped = true;
    const { collector, warn } = this.#parts;
    warn(`the run is stopped ${stopText(reason)}: collecting the chunks in flight`);
    collector.stopRun(reason, () => this.#failures);
  }
}
