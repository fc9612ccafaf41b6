import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { KeySet } from './hash-set.ts';
import type { Input } from './input.ts';
import { type Line, LineSplitter } from './line-splitter.ts';
import {
  isComment,
  type JobFields,
  type JobInput,
  type JobSyntax,
  jobText,
  parseJobInput,
  parseLine,
  typeName,
} from './parse-job.ts';
import { excerpt, shownUrl } from './parse-url.ts';
import { openFile, readChunks, untilAborted } from './read-stream.ts';

/** How lines become jobs. */
export interface JobOptions extends JobSyntax {
  /** Skip a job whose method, URL, body and credentials were there before. */
  readonly unique?: boolean | undefined;
  /** The method of a job that names none, for `unique` alone. `GET` if left out. */
  readonly defaultMethod?: string | undefined;
  /** Ends the reading, even while it waits for input. What was read by then is still given out. */
  readonly signal?: AbortSignal | undefined;
}

/** Counted as jobs are asked for: `read` is what is no blank line and no comment, `skipped` the part of it that `unique` left out. */
export interface InputCounts {
  read: number;
  skipped: number;
}

/** Numbers and counts the jobs of a whole run, over all its inputs. */
export class JobMaker {
  readonly #options: JobOptions;
  readonly #tally: InputCounts;
  readonly #seen: KeySet | undefined;
  #index = 0;

  constructor(options: JobOptions, tally: InputCounts) {
    this.#options = options;
    this.#tally = tally;
    this.#seen = options.unique ? new KeySet() : undefined;
  }

  /** The jobs of some lines in a row, each parsed when it is asked for. */
  *jobs(lines: readonly Line[], source: string, firstLine: number): Generator<Job, void, undefined> {
    let number = firstLine;
    for (const line of lines) {
      const job = this.jobOf(line, source, number++);
      if (job !== undefined) yield job;
    }
  }

  /** The job of one line, or `undefined` when it has none. */
  jobOf(line: Line, source: string, number: number): Job | undefined {
    if (typeof line !== 'string') {
      return isComment(line.start) ? undefined : this.jobFrom(longLine(line.start), source, number);
    }
    const text = jobText(line);
    if (text === undefined) return undefined;
    return this.jobFrom(parseLine(text, this.#options), source, number);
  }

  /** Counts what was read; `undefined` when `unique` leaves it out. */
  jobFrom(fields: JobFields, source: string, line: number): Job | undefined {
    this.#tally.read++;
    if (this.#seen !== undefined && fields.invalid === undefined && !this.#seen.add(this.#key(fields))) {
      this.#tally.skipped++;
      return undefined;
    }
    return { index: this.#index++, source, line, ...fields };
  }

  // User info is no part of `url` any more, but `//a:1@host/` and `//b:2@host/` are two URLs. No part but the last can hold a line break.
  #key({ method, url, headers, body }: JobFields): string {
    const request = `${method ?? this.#options.defaultMethod ?? 'GET'}\n${url}`;
    const authorization = headers?.authorization;
    if (authorization === undefined && body === undefined) return request;
    return `${request}\n${authorization ?? ''}\n${body ?? ''}`;
  }
}

function longLine(start: string): JobFields {
  return {
    url: shownUrl(start),
    invalid: `Cannot read the line "${excerpt(start)}": it is over 1 MiB long, a line must be 1 MiB at most`,
  };
}

export interface ReadOptions extends JobOptions {
  /** What `-` reads. It is destroyed when it has been read, or is read no more. */
  readonly stdin: Readable;
}

type Batches = AsyncGenerator<Iterable<Job>, void, undefined>;
type FileInput = Exclude<Input, { readonly kind: 'url' }>;

/**
 * Reads inputs in order as batches of jobs, one batch for each chunk of at most 64 KiB.
 * - A batch can be iterated once, and before the next one is asked for: its lines are parsed as its jobs are asked for.
 * - Reading is never more than one chunk ahead.
 * - Throws an `InputError` for an input that cannot be opened, read or unpacked. A bad line is a job with `invalid`.
 */
export async function* readJobs(inputs: readonly Input[], options: ReadOptions, tally: InputCounts): Batches {
  const maker = new JobMaker(options, tally);
  let argument = 0;
  for (const input of inputs) {
    if (options.signal?.aborted) return;
    if (input.kind === 'url') yield maker.jobs([input.url], 'arguments', ++argument);
    else yield* readFile(input, maker, options);
  }
}

async function* readFile(input: FileInput, maker: JobMaker, { stdin, signal }: ReadOptions): Batches {
  const name = input.kind === 'file' ? input.path : '-';
  const source = input.kind === 'file' ? await openFile(input.path, signal) : stdin;
  const splitter = new LineSplitter();
  let number = 1;
  for await (const chunk of readChunks(source, name, signal)) {
    const lines = splitter.push(chunk);
    if (lines.length > 0) yield maker.jobs(lines, name, number);
    number += lines.length;
  }
  const last = splitter.end();
  // After an abort the end of the line may be missing.
  if (last.length > 0 && !signal?.aborted) yield maker.jobs(last, name, number);
}

/** What the library takes for a job: a line (a URL, or a JSON job as text), a URL object, or a job as an object. */
export type JobItem = string | URL | JobInput;

/**
 * Turns items into batches of jobs as `readJobs` does with lines; the line of a job is the number of its item, from 1.
 * - A list or a generator is one batch, and no item of it is asked for before its job is.
 * - An asynchronous iterable is read item by item, and closed when no more is asked for.
 * - Blank strings and comments are skipped. A bad item is a job with `invalid`.
 * - Throws a `UsageError` when it is given a single string, or what cannot be iterated.
 */
export async function* jobsFrom(
  items: Iterable<JobItem> | AsyncIterable<JobItem>,
  options: JobOptions,
  tally: InputCounts,
): AsyncGenerator<Iterable<Job>, void, undefined> {
  const maker = new JobMaker(options, tally);
  if (isAsync(items)) {
    let line = 1;
    for await (const item of untilAborted(items, options.signal)) {
      yield jobsOf([item], line++, maker, options);
    }
  } else {
    refuseOther(items);
    yield jobsOf(items, 1, maker, options);
  }
}

// Items are `unknown` here, since JavaScript may hand in anything.
function* jobsOf(
  items: Iterable<unknown>,
  firstLine: number,
  maker: JobMaker,
  syntax: JobSyntax,
): Generator<Job, void, undefined> {
  let line = firstLine;
  for (const item of items) {
    const text = item instanceof URL ? item.href : item;
    const job =
      typeof text === 'string'
        ? maker.jobOf(text, 'library', line)
        : maker.jobFrom(fieldsOf(text, syntax), 'library', line);
    line++;
    if (job !== undefined) yield job;
  }
}

function fieldsOf(item: unknown, syntax: JobSyntax): JobFields {
  if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
    return parseJobInput(item, '', syntax);
  }
  return {
    url: '-',
    invalid: `Cannot use ${typeName(item)} as a job: it must be a URL or an object with a "url"`,
  };
}

function isAsync(items: object | string): items is AsyncIterable<unknown> {
  return typeof items === 'object' && items !== null && Symbol.asyncIterator in items;
}

function refuseOther(items: unknown): void {
  if (typeof items === 'object' && items !== null && Symbol.iterator in items) return;
  throw new UsageError(
    `Cannot read URLs from ${typeName(items)}: they must come as a list, a generator or an asynchronous iterable`,
  );
}

/**
 * The number of job lines of a regular file, also of a gzip one: what is no blank line and no comment.
 * `undefined` when it is not a regular file, cannot be read to its end, or the signal is aborted.
 */
export async function countJobs(path: string, signal?: AbortSignal): Promise<number | undefined> {
  const splitter = new LineSplitter();
  let count = 0;
  try {
    if (!(await stat(path)).isFile()) return undefined;
    for await (const chunk of readChunks(await openFile(path, signal), path, signal)) {
      count += jobLines(splitter.push(chunk));
    }
  } catch {
    // The run itself reads the file too, and says what is wrong with it.
    return undefined;
  }
  return signal?.aborted ? undefined : count + jobLines(splitter.end());
}

function jobLines(lines: readonly Line[]): number {
  return lines.filter((line) =>
    typeof line === 'string' ? jobText(line) !== undefined : !isComment(line.start),
  ).length;
}
