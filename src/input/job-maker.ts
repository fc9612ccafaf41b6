import type { Job } from '../model/job.ts';
import type { Line } from './line-splitter.ts';
import type { JobFields, JobSyntax } from './parse-job-input.ts';
import { isComment, jobText, parseLine } from './parse-line.ts';
import { SeenKeys } from './seen-keys.ts';
import { excerpt, shownUrl } from './shown-url.ts';

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
export interface Tally {
  read: number;
  skipped: number;
}

/** Numbers and counts the jobs of a whole run, over all its inputs. */
export class JobMaker {
  readonly #options: JobOptions;
  readonly #tally: Tally;
  readonly #seen: SeenKeys | undefined;
  #index = 0;

  constructor(options: JobOptions, tally: Tally) {
    this.#options = options;
    this.#tally = tally;
    this.#seen = options.unique ? new SeenKeys() : undefined;
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
