import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { InputError, UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { describeType, isOtherLink, maskCutAuthority } from '../model/printable.ts';
import type { SkipReason } from '../model/summary.ts';
import type { UrlFilter } from '../model/url-filter.ts';
import { type Cell, type Column, ColumnReader } from './column-reader.ts';
import { KeySet } from './hash-set.ts';
import { foreignFormat, type Input, inputName, quotedInputName } from './input.ts';
import { type Line, LineSplitter, MAX_LINE_BYTES } from './line-splitter.ts';
import {
  isComment,
  type JobInput,
  jobText,
  type ParsedJob,
  type ParseOptions,
  parseJobInput,
  parseLine,
  percentEncoded,
} from './parse-job.ts';
import { parseUrl, redactedExcerpt, redactedUrl } from './parse-url.ts';
import { openFile, readChunks, untilAborted } from './read-stream.ts';

export interface JobOptions extends ParseOptions {
  /** Skip a job with the same method, URL (fragment aside), body and credentials as an earlier one. */
  readonly unique?: boolean | undefined;
  /** Whether URLs that differ only in their fragments are distinct. */
  readonly keepsFragments?: boolean | undefined;
  /** Returns what is fetched instead of a URL, if anything; before `filter` and `unique`. */
  readonly remap?: ((url: string) => string | undefined) | undefined;
  /** Skip a job whose URL is not wanted. */
  readonly filter?: UrlFilter | undefined;
  /** Ends the reading, even while it waits for input. What was read before is still yielded. */
  readonly signal?: AbortSignal | undefined;
}

/** How lines are found in an input. */
export interface ListFormat {
  /** Lines end with a NUL character instead of a line break. */
  readonly isNullSeparated?: boolean | undefined;
  /** The input is a CSV or TSV file with the lines in this column. */
  readonly column?: Column | undefined;
}

export interface ReadOptions extends JobOptions, ListFormat {
  /** The stream that `-` reads. It is destroyed when it was read, or is not read any further. */
  readonly stdin: Readable;
}

/** What the library accepts as a job: a line (a URL, or a JSON job as text), a URL object, or a job as an object. */
export type JobItem = string | URL | JobInput;

/** Updated as jobs are taken: `read` counts all jobs, `skipped` those that are left out on purpose. */
export interface InputCounts {
  read: number;
  skipped: number;
  /** `skipped` by reason, if any. */
  skippedByReason?: Partial<Record<SkipReason, number>>;
}

type Batches = AsyncGenerator<Iterable<Job>, void, undefined>;
type JobGenerator = Generator<Job, void, undefined>;

/**
 * Reads inputs in order and yields batches of jobs, one batch for each chunk of at most 64 KiB.
 * - A batch can be iterated once, before the next one is requested. Its lines are parsed as its jobs are taken.
 * - Reads at most one chunk ahead.
 * - Throws an `InputError` if an input cannot be opened, read or unpacked, or its first lines show that it is not a list. A
 *   line that is not a job becomes one with `invalid`.
 */
export async function* readJobs(
  inputs: readonly Input[],
  options: ReadOptions,
  counts: InputCounts,
): Batches {
  const factory = new JobFactory(options, counts);
  let argument = 0;
  for (const input of inputs) {
    if (options.signal?.aborted) return;
    if (input.kind === 'url') yield factory.fromLines([input.url], 'arguments', ++argument);
    else for await (const jobs of readFile(input, factory, options)) if (jobs !== undefined) yield jobs;
  }
}

/** Yields `undefined` for a chunk that completes no line. */
async function* readFile(
  input: Exclude<Input, { readonly kind: 'url' }>,
  factory: JobFactory,
  options: ReadOptions,
): AsyncGenerator<JobGenerator | undefined, void, undefined> {
  const { stdin, signal, column } = options;
  const name = inputName(input);
  const source = input.kind === 'file' ? await openFile(input.path, signal) : stdin;
  const splitter = createSplitter(options);
  const table = column === undefined ? undefined : new ColumnReader(column, name);
  let number = 1;
  const toJobs = (lines: readonly Line[]): JobGenerator => {
    if (number === 1 && table === undefined) refuseForeignFormat(lines, name);
    const firstLine = number;
    number += lines.length;
    return table === undefined
      ? factory.fromLines(lines, name, firstLine)
      : factory.fromCells(table.push(lines, firstLine), name);
  };
  for await (const chunk of readChunks(source, name, signal)) {
    const lines = splitter.push(chunk);
    yield lines.length > 0 ? toJobs(lines) : undefined;
  }
  // After an abort the rest of the line may be missing.
  if (signal?.aborted) return;
  const last = splitter.end();
  if (last.length > 0) yield toJobs(last);
  if (table !== undefined) yield factory.fromCells(table.end(), name);
}

/** More chunks than the longest line has. A small gzip file may unpack to a line that never ends. */
const CHECKED_CHUNKS = 32;

/**
 * Reads the start of each regular file, before a run begins. Throws an `InputError` if one cannot be read or unpacked, is not
 * a list of URLs, or does not have the column.
 */
export async function checkLists(inputs: readonly Input[], format: ListFormat): Promise<void> {
  const factory = new JobFactory({}, { read: 0, skipped: 0 });
  for (const input of inputs) {
    if (input.kind !== 'file' || !(await stat(input.path)).isFile()) continue;
    let chunks = 0;
    for await (const jobs of readFile(input, factory, { ...format, stdin: Readable.from([]) })) {
      chunks += 1;
      if (jobs !== undefined || chunks >= CHECKED_CHUNKS) break;
    }
  }
}

function createSplitter({ isNullSeparated }: ListFormat): LineSplitter {
  return new LineSplitter(MAX_LINE_BYTES, isNullSeparated ? '\0' : '\n');
}

function refuseForeignFormat(lines: readonly Line[], name: string): void {
  const format = foreignFormat(lines);
  if (format !== undefined) {
    throw new InputError(`cannot read ${quotedInputName(name)} as a list of URLs: it looks like ${format}`);
  }
}

/**
 * Yields batches of jobs from items, as `readJobs` does from lines. The index of a job is the place of its item in the list, from 0,
 * and its line is that from 1.
 * - A list or a generator is one batch; an item is taken from it when its job is taken.
 * - An asynchronous iterable is read item by item, and closed when the reading ends.
 * - Skips blank strings and comments. An item that is not a job becomes one with `invalid`.
 * - Throws a `UsageError` for a single string, and for anything that is not iterable.
 */
export async function* readItems(
  items: Iterable<JobItem> | AsyncIterable<JobItem>,
  options: JobOptions,
  counts: InputCounts,
): Batches {
  const factory = new JobFactory(options, counts);
  if (isAsyncIterable(items)) {
    let number = 1;
    for await (const item of untilAborted(items, options.signal)) yield factory.fromItems([item], number++);
  } else {
    requireItems(items);
    yield factory.fromItems(items, 1);
  }
}

function isAsyncIterable(items: object | string): items is AsyncIterable<unknown> {
  return typeof items === 'object' && items !== null && Symbol.asyncIterator in items;
}

/** Throws a `UsageError` for what is not a list of items, such as a single string. */
export function requireItems(items: unknown): void {
  if (typeof items === 'object' && items !== null && (Symbol.iterator in items || isAsyncIterable(items)))
    return;
  throw new UsageError(
    `cannot read URLs from ${describeType(items)}: must be an array, a generator or an async iterable`,
  );
}

/**
 * Counts the job lines of a regular file, which may be gzip.
 * Resolves to `undefined` if it is not a regular file, cannot be read to its end, or the signal is aborted.
 */
export async function countJobs(
  path: string,
  signal?: AbortSignal,
  format: ListFormat = {},
): Promise<number | undefined> {
  const { column } = format;
  const splitter = createSplitter(format);
  const table = column === undefined ? undefined : new ColumnReader(column, path);
  let count = 0;
  const add = (lines: readonly Line[]): void => {
    count += table === undefined ? countJobLines(lines) : countJobCells(table.push(lines, 1));
  };
  try {
    if (!(await stat(path)).isFile()) return undefined;
    for await (const chunk of readChunks(await openFile(path, signal), path, signal)) {
      add(splitter.push(chunk));
    }
    add(splitter.end());
  } catch {
    // The run reads the file as well, and reports what is wrong with it.
    return undefined;
  }
  return signal?.aborted ? undefined : count + countJobCells(table?.end() ?? []);
}

function countJobCells(cells: readonly Cell[]): number {
  return cells.filter((cell) => 'fault' in cell || jobText(cell.text) !== undefined).length;
}

function countJobLines(lines: readonly Line[]): number {
  return lines.filter((line) => {
    if (typeof line === 'string') return jobText(line) !== undefined;
    return 'start' in line ? !isComment(line.start) : jobText(percentEncoded(line)) !== undefined;
  }).length;
}

/** Creates the jobs of a run: numbers them over all inputs, counts them, and skips those that the options leave out. */
export class JobFactory {
  readonly #options: JobOptions;
  readonly #counts: InputCounts;
  readonly #seen: KeySet | undefined;
  #index = 0;

  constructor(options: JobOptions, counts: InputCounts) {
    this.#options = options;
    this.#counts = counts;
    this.#seen = options.unique ? new KeySet() : undefined;
  }

  /** The jobs of consecutive lines. Each line is parsed when its job is taken. */
  *fromLines(lines: readonly Line[], source: string, firstLine: number): JobGenerator {
    let number = firstLine;
    for (const line of lines) {
      const job = this.#fromLine(line, source, number++);
      if (job !== undefined) yield job;
    }
  }

  /** The jobs of the cells of a column. */
  *fromCells(cells: readonly Cell[], source: string): JobGenerator {
    for (const cell of cells) {
      const job =
        'fault' in cell
          ? this.fromParsed({ url: '-', invalid: cell.fault }, source, cell.line)
          : this.#fromLine(cell.text, source, cell.line);
      if (job !== undefined) yield job;
    }
  }

  /** The jobs of consecutive items of the library. They are `unknown`, since JavaScript may pass anything. */
  *fromItems(items: Iterable<unknown>, firstNumber: number): JobGenerator {
    let number = firstNumber;
    for (const item of items) {
      // An item without a job, such as a comment, has an index too, so that a caller finds the item of a result.
      this.#index = number - 1;
      const job = this.#fromItem(item instanceof URL ? item.href : item, number++);
      if (job !== undefined) yield job;
    }
  }

  /** The job at a line, or `undefined` if it is skipped. */
  fromParsed(given: ParsedJob, source: string, line: number): Job | undefined {
    this.#counts.read++;
    const parsed = this.#remapped(given);
    const reason = this.#skipReason(parsed);
    if (reason !== undefined) return this.#skip(reason);
    return { index: this.#index++, source, line, ...parsed };
  }

  #remapped(parsed: ParsedJob): ParsedJob {
    const { remap } = this.#options;
    if (remap === undefined || parsed.invalid !== undefined || parsed.isLocal === true) return parsed;
    const text = remap(parsed.url);
    return text === undefined ? parsed : withUrl(parsed, text);
  }

  /** Counts a link that names nothing to fetch, such as `mailto:`. */
  skipOtherLink(): undefined {
    this.#counts.read++;
    return this.#skip('scheme');
  }

  #skipReason(parsed: ParsedJob): SkipReason | undefined {
    const { filter } = this.#options;
    const isInvalid = parsed.invalid !== undefined;
    // An expression of `include` says nothing about a line that is not a URL.
    if (filter !== undefined && (isInvalid ? filter.excludes(parsed.url) : !filter.isWanted(parsed.url))) {
      return 'excluded';
    }
    if (this.#seen === undefined || isInvalid || this.#seen.add(this.#key(parsed))) return undefined;
    return 'duplicate';
  }

  #skip(reason: SkipReason): undefined {
    this.#counts.skipped++;
    this.#counts.skippedByReason ??= {};
    const reasons = this.#counts.skippedByReason;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }

  #fromLine(line: Line, source: string, number: number): Job | undefined {
    if (typeof line !== 'string' && 'start' in line) {
      return isComment(line.start) ? undefined : this.fromParsed(tooLong(line.start), source, number);
    }
    const isRaw = typeof line !== 'string';
    const text = jobText(isRaw ? percentEncoded(line) : line);
    if (text === undefined) return undefined;
    if (isOtherLink(text)) return this.skipOtherLink();
    const parsed = isRaw && text.startsWith('{') ? notUtf8(text) : parseLine(text, this.#options);
    return this.fromParsed(parsed, source, number);
  }

  #fromItem(item: unknown, number: number): Job | undefined {
    if (typeof item === 'string') return this.#fromLine(item, 'library', number);
    const isObject = typeof item === 'object' && item !== null && !Array.isArray(item);
    const parsed = isObject ? parseJobInput(item, '', this.#options) : wrongItem(item);
    return this.fromParsed(parsed, 'library', number);
  }

  // `url` has no user info any more, but `//a:1@host/` and `//b:2@host/` are different jobs. Only the last part of the key
  // can contain a line break. A fragment is not sent, but may be looked for in the page.
  #key({ method, url, headers, body }: ParsedJob): string {
    const fragment = this.#options.keepsFragments ? -1 : url.indexOf('#');
    const address = fragment === -1 ? url : url.slice(0, fragment);
    const request = `${method ?? this.#options.defaultMethod ?? 'GET'}\n${address}`;
    const authorization = headers?.authorization;
    if (authorization === undefined && body === undefined) return request;
    return `${request}\n${authorization ?? ''}\n${body ?? ''}`;
  }
}

/** A job that fetches another URL. A user name and password in it win over those of the job. */
function withUrl(parsed: ParsedJob, text: string): ParsedJob {
  const input = parsed.url;
  const other = parseUrl(text);
  if ('invalid' in other) {
    return { ...parsed, url: redactedUrl(text), input, invalid: `remapped to an ${other.invalid}` };
  }
  const { url, authorization } = other;
  const headers = authorization === undefined ? {} : { headers: { ...parsed.headers, authorization } };
  return { ...parsed, ...headers, ...(url !== input && { url, input }) };
}

function tooLong(start: string): ParsedJob {
  const text = maskCutAuthority(start);
  return {
    url: redactedUrl(text),
    invalid: `invalid line "${redactedExcerpt(text)}": must not be longer than 1 MiB`,
  };
}

function notUtf8(text: string): ParsedJob {
  return { url: redactedUrl(text), invalid: `invalid job "${redactedExcerpt(text)}": must be UTF-8` };
}

function wrongItem(item: unknown): ParsedJob {
  return {
    url: '-',
    invalid: `invalid job: must be a URL or an object with "url", not ${describeType(item)}`,
  };
}
