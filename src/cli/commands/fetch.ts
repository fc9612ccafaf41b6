import { isatty } from 'node:tty';
import { FileNamer } from '../../bodies/file-name-template.ts';
import { findExisting } from '../../bodies/file-sink.ts';
import { EarlierFiles, recallFrom } from '../../bodies/revalidation.ts';
import { rulesOf } from '../../config/expectations.ts';
import { maskHeaders } from '../../config/parse/headers.ts';
import {
  fetchOptions,
  loadProgramOptions,
  type ProgramOptions,
  withExcludeFile,
} from '../../config/program-options.ts';
import { systemClock } from '../../core/clock.ts';
import { readSettings } from '../../core/own-file.ts';
import { checkSaveDirectory } from '../../fetch/body-rules.ts';
import { rejectInvalidJobs } from '../../fetch/job-checks.ts';
import { Run, type TransportFactory } from '../../fetch/run.ts';
import { openCookieFile } from '../../http/cookies.ts';
import { firstHop, headersFor, type RequestDefaults } from '../../http/hop.ts';
import type { Input } from '../../input/input.ts';
import type { Journal } from '../../journal/journal.ts';
import { UsageError } from '../../model/errors.ts';
import type { Job } from '../../model/job.ts';
import { excerpt, printable } from '../../model/printable.ts';
import { checkBalance, type Summary, SummaryFold } from '../../model/summary.ts';
import { createUrlFilter } from '../../model/url-filter.ts';
import { formatCount } from '../../output/format.ts';
import { escapeJson } from '../../output/jsonl.ts';
import type { Progress } from '../../output/progress.ts';
import type { Sink } from '../../results/sink.ts';
import { countFailures, EXIT, summaryExitCode } from '../exit-code.ts';
import { createThreads, type FetchSettings, loadFetchSettings } from '../fetch-settings.ts';
import { checkNotEmpty, JobSource, resolveInputs } from '../inputs.ts';
import { createKnownFailures, type KnownFailures } from '../known-failures.ts';
import { checkOutputs, createOutput, isStandardOutput, outputFiles, readFiles } from '../output-files.ts';
import { createOutputs, type OutputParts, type Outputs } from '../outputs.ts';
import { printBody } from '../print-body.ts';
import { interruptedText, Signals, Undo, UndoOnSignal } from '../signals.ts';
import { createLog, createMessages, type Messages, printConfig } from '../terminal.ts';

/** Lines of the stack of an error with `--verbose`. */
const STACK_LINES = 10;

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
  const given = await loadProgramOptions(
    fetchOptions,
    { flags, environment: process.env, readText: readSettings },
    version,
  );
  if (given.printConfig) return printConfig(fetchOptions, given, process);
  const options = await withExcludeFile(given, readSettings);
  checkDocumentFlags(flags, options);
  const inputs = await resolveInputs(args.inputs, options, process);
  const settings = await loadFetchSettings(options, process);
  await checkOutputs(inputs, outputFiles(options), {
    process,
    files: readFiles(options),
    saveDir: options.saveDir,
  });
  const { warn, note } = createMessages(process, { isSilent: options.silent });
  if (savesLineOfPage(inputs, options))
    warn('-o writes result lines; to save the page use --save-dir or --body');
  if (isOneSitemap(inputs, options))
    note('this fetches only the sitemap itself; to fetch its URLs use --sitemap');
  const source = new JobSource({ options, inputs, settings, process });
  if (options.dryRun) return dryRun(source, { options, settings, process });
  if (options.body) return printBody(source, { options, settings, process });
  const isTyped = isatty(process.stdin.fd) && inputs.some(({ kind }) => kind === 'stdin');
  return fetchJobs(source, { options, settings, process, isTyped });
}

/** Flags only: one configuration file serves `fanout extract` too. */
function checkDocumentFlags(flags: FetchArguments['flags'], { extract }: ProgramOptions): void {
  if (extract) return;
  if (flags.baseUrl !== undefined) throw new UsageError('--base-url needs --extract');
  if (flags.rootDir !== undefined) throw new UsageError('--root-dir needs --extract');
}

/** Whether one URL is fetched into a file of one result line, where curl and wget write the page. */
function savesLineOfPage(
  inputs: readonly Input[],
  { output, format, saveDir, sitemap, extract, body }: ProgramOptions,
): boolean {
  const isOneUrl = inputs.length === 1 && inputs[0]?.kind === 'url';
  const writesLines = format === 'text' && saveDir === undefined && !sitemap && !extract && !body;
  return isOneUrl && writesLines && !isStandardOutput(output);
}

/** Whether the only input is the URL of a sitemap, whose URLs are most likely meant. */
function isOneSitemap(
  inputs: readonly Input[],
  { sitemap, extract, saveDir, body }: ProgramOptions,
): boolean {
  const [only, ...others] = inputs;
  if (only?.kind !== 'url' || others.length > 0 || sitemap || extract || saveDir !== undefined || body)
    return false;
  return /^[^?#]*sitemap[^/?#]*\.xml(?:\.gz)?(?:[?#]|$)/i.test(only.url);
}

interface FetchParts {
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
  /** Whether the list is typed on the terminal. */
  readonly isTyped: boolean;
}

/** Fetches the jobs of the source and writes their results to every output. Resolves to the exit code. */
async function fetchJobs(source: JobSource, parts: FetchParts): Promise<number> {
  const { options, settings, process, isTyped } = parts;
  // Each closed connection creates errors whose stack traces nobody reads: a quarter of the CPU time of a new host.
  // One line is enough to find a bug; --verbose is for more.
  Error.stackTraceLimit = options.verbose > 0 ? STACK_LINES : 1;
  const stops = createStops();
  const fold = new SummaryFold();
  let run: Run | undefined;
  let signals: Signals | undefined;
  let isCollecting = false;

  checkSaveDirectory(options);
  const cookies = await openCookieFile(options);
  const threads = await createThreads(options);
  const progress = new ListProgress(fold, source, () => run);
  const undo = new Undo();
  const opening = new UndoOnSignal(process, undo);
  try {
    const written = await openWritten(
      { options, process, undo },
      {
        isComplete: () => run?.isStopped === false,
        progress: () => progress.now(),
        signal: stops.writing.signal,
        summarySignal: stops.summary.signal,
        isTyped,
      },
    );
    const { knownFailures, journal, outputs } = written;
    const messages = createMessages(process, { isSilent: options.silent, bar: outputs.bar });
    noteResumed(journal, options, messages);
    run = createRun(source, {
      options,
      settings: { ...settings, cookies: cookies?.jar },
      threads,
      fold,
      written,
      stops,
      messages,
    });
    const reader = watchReader(run, { fold, outputs, stops });
    signals = watchSignals(run, { process, stops, messages });
    opening.close();
    if (outputs.bar !== undefined) {
      progress.countList(stops.reading.signal);
      outputs.bar.start();
    }
    isCollecting = true;
    // The journal comes last: every other output then has what the journal has.
    const sinks = [...knownFailures.sinks, ...outputs.sinks, ...(journal ? [journal] : [])];
    if (cookies !== undefined) sinks.push({ write: () => {}, end: () => cookies.write() });
    if (options.verbose > 0 && !options.silent) sinks.push(stackSink(messages));
    const summary = await run.collect(sinks, fold);
    const outcome = knownFailures.outcome();
    if (outcome !== undefined) messages.note(outcome);
    const doubt = knownFailures.doubt();
    if (doubt !== undefined) messages.warn(doubt);
    checkBalance(summary);
    if (signals.received !== undefined) return EXIT[signals.received];
    if (reader.goneCode !== undefined) return reader.goneCode;
    checkNotEmpty(summary.read, options);
    noteNothingLeft(summary, options, messages);
    return summaryExitCode(summary);
  } finally {
    opening.close();
    signals?.close();
    stops.reading.abort();
    if (!isCollecting) await undo.run(); // otherwise the sinks have been ended
  }
}

/** What can be ended before its time, each by itself. */
type Stops = Readonly<Record<'reading' | 'unread' | 'writing' | 'summary', AbortController>>;

function createStops(): Stops {
  return {
    /** Of the list. */
    reading: new AbortController(),
    /** Naming the URLs that were not read before the run was stopped. */
    unread: new AbortController(),
    /** Waiting until somebody reads the outputs. */
    writing: new AbortController(),
    summary: new AbortController(),
  };
}

interface CommandRunParts {
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  readonly threads: TransportFactory | undefined;
  readonly fold: SummaryFold;
  readonly written: Written;
  readonly stops: Stops;
  readonly messages: Messages;
}

/** The run of the command: reads the source, recalls results from the journal, and compares with known failures. */
function createRun(source: JobSource, parts: CommandRunParts): Run {
  const { options, settings, threads, fold, written, stops, messages } = parts;
  const { knownFailures, journal, files, outputs } = written;
  const { window, requests } = outputs;
  const watched = (jobs: AsyncIterable<Iterable<Job>>) => {
    const counted = knownFailures.watch(jobs);
    return requests?.watch(counted) ?? counted;
  };
  const run: Run = new Run({
    ...settings,
    ...(threads && { transport: threads }),
    jobs: watched(source.jobs(stops.reading.signal, (request) => run.fetchDocument(request))),
    reportsUnfetched: true,
    unread: () => watched(source.unread(stops.unread.signal)),
    annotate: knownFailures.annotate,
    ...(journal || files ? { recall: recallFrom(journal, files) } : {}),
    ...(window && { admit: (job) => window.admit(job.index) }),
    onStop: () => {
      stops.reading.abort();
      window?.close();
    },
    beforeEnd: async () => addListCounts(fold, source),
    warn: messages.warn,
    log: createLog(options, messages),
  });
  return run;
}

/** Says at the start that a journal is continued. */
function noteResumed(journal: Journal | undefined, options: ProgramOptions, { note }: Messages): void {
  if (journal === undefined || journal.records === 0) return;
  const records = journal.records === 1 ? '1 result' : `${formatCount(journal.records)} results`;
  const does = options.refresh === true ? 'refreshing the files of' : 'continuing from';
  note(`${does} ${JSON.stringify(printable(options.journal ?? ''))}, which has ${records}`);
}

/** What the progress bar shows. */
class ListProgress {
  readonly #fold: SummaryFold;
  readonly #source: JobSource;
  readonly #run: () => Run | undefined;
  #total: number | undefined;

  constructor(fold: SummaryFold, source: JobSource, run: () => Run | undefined) {
    this.#fold = fold;
    this.#source = source;
    this.#run = run;
  }

  /** Counts the URLs of the list beside the run, for the total. */
  countList(signal: AbortSignal): void {
    this.#source.count(signal).then((count) => {
      this.#total = count;
    });
  }

  now(): Progress {
    const { ok, failed, resumed } = this.#fold;
    const run = this.#run();
    return {
      ...{ ok, failed, resumed, total: this.#total },
      done: ok + failed + this.#source.counts.skipped,
      inFlight: run?.inFlight ?? 0,
      isStopping: run?.isStopped === true,
    };
  }
}

interface ReaderParts {
  readonly fold: SummaryFold;
  readonly outputs: Outputs;
  readonly stops: Stops;
}

/** Ends the run when the reader of the results closes the pipe. `goneCode` is then the exit code. */
function watchReader(run: Run, { fold, outputs, stops }: ReaderParts): { readonly goneCode?: number } {
  const reader: { goneCode?: number } = {};
  outputs.readerGone.then(() => {
    // What fails from now on was not finished because of the reader.
    reader.goneCode = countFailures(fold) > 0 ? EXIT.failed : EXIT.ok;
    for (const stop of [stops.unread, stops.writing, stops.summary]) stop.abort();
    run.abort('the reader of the results has gone away');
  });
  return reader;
}

/** `--verbose`: writes where in the code each result of kind `internal` comes from. */
export function stackSink({ error }: Pick<Messages, 'error'>): Sink {
  return {
    write({ failure, url }) {
      if (failure?.stack === undefined) return;
      const stack = failure.stack.split('\n').map((line) => printable(line));
      error(`bug at ${printable(url)}, please report it: ${stack.join('\n')}`);
    },
    end: () => {},
  };
}

/** Everything that a run writes. */
interface Written {
  readonly knownFailures: KnownFailures;
  readonly journal: Journal | undefined;
  /** The files of the result file of `--refresh`. */
  readonly files: EarlierFiles | undefined;
  readonly outputs: Outputs;
}

/** Opens everything that a run writes. `undo` leaves all files as they were. */
async function openWritten(
  { options, process, undo }: Pick<FetchParts, 'options' | 'process'> & { readonly undo: Undo },
  run: Omit<OutputParts, 'options' | 'process' | 'order'> & { readonly isComplete: () => boolean },
): Promise<Written> {
  const knownFailures = await createKnownFailures(options, run.isComplete, undo);
  const files = await readEarlierFiles(options);
  const journal = await createJournal(options, process);
  undo.add(() => journal?.end());
  const outputs = await createOutputs({ options, process, ...run }, undo);
  return { knownFailures, journal, files, outputs };
}

interface SignalParts {
  readonly process: NodeJS.Process;
  readonly stops: Stops;
  readonly messages: Messages;
}

function watchSignals(run: Run, { process, stops, messages }: SignalParts): Signals {
  return new Signals(process, {
    stop: (name) => {
      // The terminal shows ^C on the line of the message, which overwrites it.
      if (name === 'SIGINT' && isatty(process.stderr.fd)) process.stderr.write('\r');
      messages.note(interruptedText(name, run.inFlight));
      run.stop();
    },
    abort: (message) => {
      stops.unread.abort();
      run.abort(message);
    },
    quit: () => stops.writing.abort(),
  });
}

/** Reads the result file of `--refresh`. */
async function readEarlierFiles({ refresh }: ProgramOptions): Promise<EarlierFiles | undefined> {
  return typeof refresh === 'string' ? EarlierFiles.read(refresh) : undefined;
}

/** Opens the journal of `--journal`. Its code is loaded on use. */
async function createJournal(options: ProgramOptions, process: NodeJS.Process): Promise<Journal | undefined> {
  const { journal: path, journalAge, keepFailed, saveDir, silent, refresh } = options;
  if (path === undefined) return undefined;
  const { isBodySaved, Journal } = await import('../../journal/journal.ts');
  return Journal.open(path, {
    rules: rulesOf(options),
    keepFailed,
    maxAges: journalAge,
    refreshes: refresh === true,
    filter: createUrlFilter(options),
    confirm: saveDir === undefined ? undefined : (result) => isBodySaved(result, saveDir),
    warn: createMessages(process, { isSilent: silent }).warn,
    clock: systemClock,
    processes: process,
  });
}

/** Says so when the journal had the results of all URLs. */
function noteNothingLeft(summary: Summary, { journal }: ProgramOptions, { note }: Messages): void {
  const { read, skipped, resumed } = summary;
  if (journal === undefined || resumed === 0 || resumed !== read - skipped) return;
  note(`nothing left to fetch: remove "${excerpt(journal, 2000)}" to start over`);
}

/** Adds the counts that no result carries. */
function addListCounts(fold: SummaryFold, { counts, isReadToEnd }: JobSource): void {
  Object.assign(fold, { ...counts, isListComplete: isReadToEnd });
}

/**
 * `--dry-run`: writes the first request of each job as one JSON line on standard output, with secrets masked and the name of
 * the file for its body, and fetches nothing. Resolves to the exit code, which is 1 if a job is invalid.
 */
async function dryRun(
  source: JobSource,
  { options, settings, process }: Omit<FetchParts, 'isTyped'>,
): Promise<number> {
  const output = await createOutput(undefined, process);
  const reading = new AbortController();
  output.closed.then(() => reading.abort());
  const namer = options.saveAs && new FileNamer({ template: options.saveAs, defaultMethod: options.method });
  const skipsIn = options.skipExisting ? options.saveDir : undefined;
  let invalid = 0;
  for await (const batch of rejectInvalidJobs(source.jobs(reading.signal), options)) {
    for (const job of batch) {
      if (job.invalid !== undefined) invalid += 1;
      await output.write(`${jobLine(job, settings.defaults, namer, skipsIn)}\n`);
    }
  }
  await output.end();
  checkNotEmpty(source.counts.read, options);
  return invalid > 0 ? EXIT.failed : EXIT.ok;
}

/** @param skipsIn the directory whose files make URLs not be fetched */
function jobLine(
  job: Job,
  defaults: RequestDefaults,
  namer: FileNamer | undefined,
  skipsIn: string | undefined,
): string {
  const { index, source, line, input, id, url, invalid } = job;
  if (invalid !== undefined || job.isLocal) {
    return escapeJson(JSON.stringify({ index, source, line, input, url, invalid }));
  }
  const { method, headers, body } = firstHop(job, defaults);
  const hostHeaders = headersFor(defaults.hostHeaders, job.url) ?? {};
  const list = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const masked = maskHeaders(list, (name) => Object.hasOwn(hostHeaders, name));
  const bodyBytes = body === undefined ? undefined : Buffer.byteLength(body);
  const file = method === 'HEAD' ? undefined : namer?.previewFor(job);
  const maySkip = skipsIn !== undefined && namer !== undefined && job.expect?.sha256 === undefined;
  const existing = maySkip ? findExisting(namer, skipsIn, job)?.path : undefined;
  return escapeJson(
    JSON.stringify({
      index,
      source,
      line,
      input,
      id,
      url,
      method,
      headers: masked,
      bodyBytes,
      file,
      existing,
    }),
  );
}
