import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { loadProgramOptions, type ProgramOptions, programOptions } from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { Run } from '../../fetch/run.ts';
import { checkInputs } from '../../input/input.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Result } from '../../model/result.ts';
import { checkBalance, SummaryFold } from '../../model/summary.ts';
import { dryRun } from '../dry-run.ts';
import { EXIT, summaryExitCode } from '../exit-code.ts';
import { createThreads, type FetchSettings, loadFetchSettings } from '../fetch-settings.ts';
import { checkNotEmpty, JobSource, toInputs } from '../inputs.ts';
import { createKnownFailures } from '../known-failures.ts';
import { checkOutputs, outputFiles } from '../output-files.ts';
import { createOutputs } from '../outputs.ts';
import { printConfig } from '../print-config.ts';
import { Signals } from '../signals.ts';
import { createWarn } from '../terminal.ts';

export interface FetchArguments {
  readonly inputs: readonly string[];
  /** The flags that were given, by key, not yet parsed. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly process: NodeJS.Process;
  readonly version: string;
}

/** `fanout fetch`: resolves to the exit code. Throws the errors of `model/errors.ts`. */
export async function fetchCommand(args: FetchArguments): Promise<number> {
  const { flags, process, version } = args;
  const readText = (path: string) => readFile(path, 'utf8');
  const options = await loadProgramOptions({ flags, environment: process.env, readText }, version);
  if (options.printConfig) return printConfig(programOptions, options, process);
  const inputs = toInputs(args.inputs, isatty(process.stdin.fd));
  await checkInputs(inputs);
  await checkOutputs(inputs, outputFiles(options));
  const settings = await loadFetchSettings(options, process);
  if (options.broker !== undefined && !options.dryRun) {
    const { fetchOverCluster } = await import('./fetch-cluster.ts');
    return fetchOverCluster({ options, inputs, settings, process });
  }
  const source = new JobSource({ options, inputs, settings, process });
  if (options.dryRun) return dryRun(source, { options, settings, process });
  return fetchJobs(source, { options, settings, process });
}

interface FetchParts {
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
}

/** Fetches the jobs of the source and writes their results to every output. Resolves to the exit code. */
async function fetchJobs(source: JobSource, { options, settings, process }: FetchParts): Promise<number> {
  // Each closed connection creates errors whose stack traces nobody reads: a quarter of the CPU time of a new host.
  Error.stackTraceLimit = 0;
  const reading = new AbortController();
  const writing = new AbortController();
  const fold = new SummaryFold();
  let total: number | undefined;
  let isReaderGone = false;

  const knownFailures = await createKnownFailures(options, () => !run.isStopped);
  const journal = await createJournal(options, process);
  const outputs = await createOutputs({
    options,
    process,
    progress: () => {
      const { ok, failed } = fold;
      return { done: ok + failed + source.counts.skipped, total, ok, failed, inFlight: run.inFlight };
    },
    signal: writing.signal,
  }).catch(async (error: unknown) => {
    await journal?.end();
    throw error;
  });
  const { window, bar, requests } = outputs;
  const threads = await createThreads(options);
  const jobs = source.jobs(reading.signal);

  const run = new Run({
    ...settings,
    ...(threads && { backend: threads }),
    jobs: requests?.watch(jobs) ?? jobs,
    judge: knownFailures.annotate,
    ...(journal && { recall: (job, method, body) => journal.recall(job, method, body) }),
    ...(window && { admit: (job) => window.admit(job.index) }),
    onStop: () => {
      reading.abort();
      window?.close();
    },
    warn: createWarn(process, { isSilent: options.silent, isOnBar: bar !== undefined }),
    settle: () => addFinalCounts(fold, source, run, writing.signal),
  });
  outputs.readerGone.then(() => {
    isReaderGone = true;
    run.abort('the reader of the results has gone away');
    writing.abort();
  });
  const signals = watchSignals(run, writing, { options, process });
  if (bar !== undefined) {
    source.count(reading.signal).then((count) => {
      total = count;
    });
    bar.start();
  }

  try {
    // The journal comes last: every other output then has what the journal has.
    const sinks = [...knownFailures.sinks, ...outputs.sinks, ...(journal ? [journal] : [])];
    const summary = await run.collect(sinks, fold);
    checkBalance(summary);
    if (signals.received !== undefined) return EXIT[signals.received];
    if (isReaderGone) return EXIT.ok;
    checkNotEmpty(summary.read, options);
    return summaryExitCode(summary);
  } finally {
    signals.close();
    reading.abort();
  }
}

function watchSignals(
  run: Run,
  writing: AbortController,
  { options, process }: Pick<FetchParts, 'options' | 'process'>,
): Signals {
  const warn = createWarn(process, { isSilent: options.silent, isOnBar: true });
  return new Signals(process, {
    stop: (name) => {
      run.stop();
      warn(`${name}: finishing what is under way; once more to stop at once`);
    },
    abort: (message) => run.abort(message),
    quit: () => writing.abort(),
  });
}

/** Opens the journal of `--journal`. Its code is loaded on use. */
async function createJournal(options: ProgramOptions, process: NodeJS.Process): Promise<Journal | undefined> {
  const { journal: path, keepFailed, saveDir, silent } = options;
  if (path === undefined) return undefined;
  const { Journal } = await import('../../journal/journal.ts');
  return Journal.open(path, {
    keepFailed,
    confirm: saveDir === undefined ? undefined : (result) => isBodySaved(result, saveDir),
    warn: createWarn(process, { isSilent: silent }),
    after: systemClock.after,
    processes: process,
  });
}

/** Whether the saved body of a finished URL is still there; if it was removed, the URL is fetched again. */
function isBodySaved({ ok, method, body }: Result, directory: string): boolean {
  if (body?.path === undefined) return !ok || method === 'HEAD';
  const status = statSync(join(directory, body.path), { throwIfNoEntry: false });
  return status?.isFile() === true && status.size === body.bytes;
}

/** Adds the counts that no result carries. A stopped run also counts what it has not read, where that is possible. */
async function addFinalCounts(
  fold: SummaryFold,
  source: JobSource,
  run: Run,
  signal: AbortSignal,
): Promise<void> {
  const { read, skipped } = source.counts;
  const total = run.isStopped && !signal.aborted ? await source.count(signal) : undefined;
  const unread = Math.max(0, (total ?? read) - read);
  Object.assign(fold, { read: read + unread, skipped, notFetched: run.notFetched + unread });
}
