import { UsageError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import type { JobInput } from './job-input.ts';
import { JobMaker, type JobOptions, type Tally } from './job-maker.ts';
import { type JobFields, type JobSyntax, parseJobInput, typeName } from './parse-job-input.ts';
import { untilAborted } from './until-aborted.ts';

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
  tally: Tally,
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
