import type { ProgramOptions } from '../config/program-options.ts';
import type { RequestTemplate } from '../config/request-template.ts';
import type { TlsMaterial } from '../config/tls-files.ts';
import { systemClock } from '../core/clock.ts';
import { fileLimit } from '../fetch/file-limit.ts';
import { type BackendFactory, Run } from '../fetch/run.ts';
import type { Input } from '../input/input.ts';
import type { Journal } from '../journal/journal.ts';
import { InputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { ProxySettings } from '../model/proxy-server.ts';
import { checkBalance, type Summary, SummaryFold } from '../model/summary.ts';
import { LineWriter, openStandardOutput } from '../output/line-writer.ts';
import type { Progress } from '../output/progress.ts';
import { collect } from '../results/collect.ts';
import { EXIT } from './exit-code.ts';
import { RunInputs } from './inputs.ts';
import { type Judgement, openJudgement } from './judgement.ts';
import { type Outputs, openOutputs } from './outputs.ts';
import { type DocumentParts, dryRun, openJournal, threadsOf } from './run-setup.ts';
import { type SignalName, Signals } from './signals.ts';

export interface FetchRunParts {
  readonly options: ProgramOptions;
  readonly process: NodeJS.Process;
  readonly inputs: readonly Input[];
  readonly template: RequestTemplate;
  readonly tls: TlsMaterial;
  readonly proxies: ProxySettings | undefined;
}

/** One run of `fanout fetch`: inputs, run and outputs put together. To be used once. */
export class FetchRun {
  readonly #parts: FetchRunParts;
  readonly #inputs: RunInputs;
  readonly #fold = new SummaryFold();
  /** Ends the reading of inputs, also of one that never says another word. */
  readonly #reading = new AbortController();
  /** Lets go of outputs, also of one that nobody reads. */
  readonly #quitting = new AbortController();
  #run: Run | undefined;
  #total: number | undefined;
  #isReaderGone = false;

  constructor(parts: FetchRunParts) {
    this.#parts = parts;
    this.#inputs = new RunInputs({ ...parts, document: this.#network() });
  }

  /** Writes the jobs and fetches nothing. */
  async dryRun(): Promise<number> {
    const { process, template } = this.#parts;
    const stream = openStandardOutput(1, process.stdout);
    const output = new LineWriter(stream, { name: 'standard output', keepOpen: true });
    output.closed.then(() => this.#reading.abort());
    const invalid = await dryRun(this.#inputs.jobs(this.#reading.signal), template, output);
    this.#checkNotEmpty(this.#inputs.tally.read);
    return invalid > 0 ? EXIT.failed : EXIT.ok;
  }

  /** Fetches, and resolves to the exit code. */
  async run(): Promise<number> {
    // Each connection that ends makes errors whose stack traces nobody reads: a quarter of the cost of a new host.
    Error.stackTraceLimit = 0;
    const { options, process } = this.#parts;
    const judgement = await openJudgement(options, () => this.#run?.isStopped === false);
    const journal = await openJournal({ options, process, warn: (text) => this.#warn(`fanout: ${text}\n`) });
    const outputs = await this.#openOutputs(journal);
    const fetching = await threadsOf(options);
    const run = this.#makeRun(outputs, judgement, journal, fetching);
    this.#run = run;
    outputs.closed.then(() => this.#onReaderGone(run));
    if (outputs.bar !== undefined) this.#countBeside();
    const signals = this.#watchSignals(run);
    // The journal is the last: what it has is in every other output.
    const sinks = [...judgement.sinks, ...outputs.sinks, ...(journal === undefined ? [] : [journal])];
    try {
      const summary = await collect(run.results(), sinks, this.#fold, systemClock.now);
      checkBalance(summary);
      return this.#exitCode(summary, signals.received);
    } finally {
      signals.close();
      this.#reading.abort();
    }
  }

  async #openOutputs(journal: Journal | undefined): Promise<Outputs> {
    const { options, process } = this.#parts;
    const progress = () => this.#progress();
    try {
      return await openOutputs({ options, process, progress, signal: this.#quitting.signal });
    } catch (error) {
      await journal?.end();
      throw error;
    }
  }

  #makeRun(
    { window, bar, requests }: Outputs,
    { judge }: Judgement,
    journal: Journal | undefined,
    fetching: BackendFactory | undefined,
  ): Run {
    const jobs = this.#inputs.jobs(this.#reading.signal);
    return new Run({
      ...this.#network(),
      ...(fetching && { fetching }),
      jobs: requests?.watch(jobs) ?? jobs,
      judge,
      ...(journal && { recall: (job, method, body) => journal.recall(job, method, body) }),
      onStop: () => {
        this.#reading.abort();
        window?.close();
      },
      warn: (message) => this.#warn(`${bar === undefined ? '' : '\n'}fanout: ${message}\n`),
      settle: () => this.#settle(),
      ...(window === undefined ? {} : { admit: (job: Job) => window.admit(job.index) }),
    });
  }

  /** What a run needs to send requests. */
  #network(): DocumentParts {
    const { options, process, template, tls, proxies } = this.#parts;
    return {
      options,
      defaults: template,
      tls,
      proxies,
      clock: systemClock,
      random: Math.random,
      fileLimit: fileLimit(process.report, 2 * options.concurrency),
    };
  }

  #warn(text: string): void {
    const { options, process } = this.#parts;
    if (!options.silent) process.stderr.write(text);
  }

  #watchSignals(run: Run): Signals {
    const { process, options } = this.#parts;
    return new Signals(process, {
      stop: (name) => {
        run.stop();
        if (options.silent) return;
        process.stderr.write(`\nfanout: ${name}: finishing what is under way; once more to stop at once\n`);
      },
      abort: (message) => run.abort(message),
      quit: () => this.#quitting.abort(),
    });
  }

  #onReaderGone(run: Run): void {
    this.#isReaderGone = true;
    run.abort('the reader of the results has gone away');
    this.#quitting.abort();
  }

  #countBeside(): void {
    this.#inputs.count(this.#reading.signal).then((total) => {
      this.#total = total;
    });
  }

  #progress(): Progress {
    const { ok, failed } = this.#fold;
    const done = ok + failed + this.#inputs.tally.skipped;
    return { done, total: this.#total, ok, failed, inFlight: this.#run?.inFlight ?? 0 };
  }

  /** Gives the fold the counts that no result carries. A stopped run counts what it has not read, where it can. */
  async #settle(): Promise<void> {
    const { read, skipped } = this.#inputs.tally;
    const run = this.#run;
    const isStopped = run?.isStopped === true && !this.#quitting.signal.aborted;
    const total = isStopped ? await this.#inputs.count(this.#quitting.signal) : undefined;
    const unread = Math.max(0, (total ?? read) - read);
    Object.assign(this.#fold, { read: read + unread, skipped, notFetched: (run?.notFetched ?? 0) + unread });
  }

  #exitCode(summary: Summary, signal: SignalName | undefined): number {
    if (signal !== undefined) return EXIT[signal];
    if (this.#isReaderGone) return EXIT.ok;
    this.#checkNotEmpty(summary.read);
    const breaking = summary.failed - summary.known - summary.flaky;
    return breaking > 0 || summary.notFetched > 0 ? EXIT.failed : EXIT.ok;
  }

  #checkNotEmpty(read: number): void {
    if (read > 0 || this.#parts.options.allowEmpty) return;
    throw new InputError(
      'Cannot find any URL in the input: it must hold at least one; --allow-empty makes this no error',
    );
  }
}
