import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isatty } from 'node:tty';
import type { ProgramOptions } from '../config/program-options.ts';
import { Run } from '../fetch/run.ts';
import { openCookieFile } from '../http/cookies.ts';
import { errorCode, toOutputError, UsageError } from '../model/errors.ts';
import type { Job, NameTemplate } from '../model/job.ts';
import { failsRun, type Result } from '../model/result.ts';
import { LineWriter } from '../output/line-writer.ts';
import { openStandardOutput } from '../output/output-file.ts';
import { textLine } from '../output/text.ts';
import { EXIT } from './exit-code.ts';
import type { FetchSettings } from './fetch-settings.ts';
import { checkNotEmpty, type JobSource } from './inputs.ts';
import { Signals } from './signals.ts';
import { createPaint } from './terminal.ts';

interface BodyParts {
  readonly options: ProgramOptions;
  readonly settings: FetchSettings;
  readonly process: NodeJS.Process;
}

const FILE_NAME: NameTemplate = [{ text: 'body' }];

/** How the reader of a pipe closes it early. */
const READER_CLOSED: ReadonlySet<string | undefined> = new Set([
  'EPIPE',
  'ECONNRESET',
  'EOF',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/**
 * `--body`: fetches the only job, and writes its body to standard output if it is OK, its result line to standard error.
 * Resolves to the exit code.
 *
 * The body goes through a file, since an attempt that breaks off is repeated and the reader must not get its part of the body.
 */
export async function printBody(source: JobSource, parts: BodyParts): Promise<number> {
  const { options, settings, process } = parts;
  checkUsage(options);
  const reading = new AbortController();
  const jobs = await firstJobs(source, reading);
  checkNotEmpty(source.counts.read, options);
  if (jobs.length > 1) throw new UsageError('--body needs exactly one URL, and the input has more');
  const cookies = await openCookieFile(options);
  const directory = await mkdtemp(join(tmpdir(), 'fanout-')).catch((error: unknown) => {
    throw toOutputError(tmpdir(), error);
  });
  try {
    const run = new Run({
      ...{ ...settings, cookies: cookies?.jar },
      options: { ...options, saveDir: directory, saveAs: FILE_NAME, saveAll: false, resumePartial: false },
      jobs: batchOf(jobs),
    });
    const signals = new Signals(process, {
      stop: () => run.stop(),
      abort: (message) => run.abort(message),
      quit: () => {},
    });
    try {
      const result = await onlyResult(run);
      if (result?.ok && result.body?.path !== undefined) {
        await copyToOutput(join(directory, result.body.path), process);
      }
      await report(result, parts);
      if (signals.received !== undefined) return EXIT[signals.received];
      return result === undefined || failsRun(result) ? EXIT.failed : EXIT.ok;
    } finally {
      signals.close();
      await cookies?.write();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Throws a `UsageError` for an option that has no meaning for one body on standard output. */
function checkUsage(options: ProgramOptions): void {
  const { format, method, maxSize } = options;
  if (method === 'HEAD') throw new UsageError('cannot use --body with HEAD: its response has no body');
  if (maxSize === 0) throw new UsageError('cannot use --body with --max-size 0: no body is read');
  const others: Readonly<Record<string, boolean>> = {
    [format === 'jsonl' ? '--json' : `--format ${format}`]: format !== 'text',
    '--output (redirect standard output instead)': options.output !== undefined,
    '--save-dir': options.saveDir !== undefined,
    '--inline-body': options.inlineBody !== undefined,
    '--journal': options.journal !== undefined,
    '--failed': options.failed !== undefined,
    '--report': options.report !== undefined,
    '--baseline': options.baseline !== undefined,
    '--flaky-after': options.flakyAfter !== undefined,
  };
  const other = Object.keys(others).find((flag) => others[flag]);
  if (other !== undefined) throw new UsageError(`cannot use --body with ${other}`);
}

/** The first jobs of the input: more than one only if the input has more. */
async function firstJobs(source: JobSource, reading: AbortController): Promise<readonly Job[]> {
  const jobs: Job[] = [];
  for await (const batch of source.jobs(reading.signal)) {
    for (const job of batch) {
      jobs.push(job);
      if (jobs.length > 1) reading.abort();
    }
    if (reading.signal.aborted) break;
  }
  return jobs;
}

async function* batchOf(jobs: readonly Job[]): AsyncGenerator<readonly Job[]> {
  yield jobs;
}

/** `undefined` if the run was stopped before the URL was fetched. */
async function onlyResult(run: Run): Promise<Result | undefined> {
  let only: Result | undefined;
  for await (const result of run.results()) only = result;
  return only;
}

/** Throws an `OutputError`, unless the reader closes the pipe. */
async function copyToOutput(path: string, process: NodeJS.Process): Promise<void> {
  const output = openStandardOutput(process.stdout.fd, process.stdout);
  try {
    await pipeline(createReadStream(path), output, { end: output !== process.stdout });
  } catch (error) {
    if (!READER_CLOSED.has(errorCode(error))) throw toOutputError('standard output', error);
  }
}

/** Writes the result line to standard error. */
async function report(result: Result | undefined, { options, process }: BodyParts): Promise<void> {
  if (result === undefined || options.silent || (options.quiet && result.ok)) return;
  const paint = await createPaint(options.color, isatty(process.stderr.fd), process.env);
  const output = new LineWriter(process.stderr, { name: 'standard error', keepOpen: true });
  await output.write(textLine(paint)(result));
  await output.end();
}
