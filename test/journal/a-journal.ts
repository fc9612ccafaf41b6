import { systemClock } from '../../src/core/clock.ts';
import { Journal, type JournalOptions } from '../../src/journal/journal.ts';
import type { Job } from '../../src/model/job.ts';
import type { Result } from '../../src/model/result.ts';
import { okResult } from '../model/a-result.ts';

/** What a run needs, and what it was warned of. */
export function journalOptions(
  changes: Partial<JournalOptions> = {},
): JournalOptions & { warnings: string[] } {
  const warnings: string[] = [];
  return {
    keepFailed: false,
    warn: (message) => warnings.push(message),
    after: systemClock.after,
    processes: process,
    warnings,
    ...changes,
  };
}

export function job(index: number, url: string, changes: Partial<Job> = {}): Job {
  return { index, source: 'urls.txt', line: index + 1, url, ...changes };
}

/** What one URL of a list ends in. */
export type Fetch = (job: Job) => Result;

/** A success for whatever is asked. */
export const succeed: Fetch = ({ index, source, line, url, id }) =>
  okResult({ index, source, line, url, id });

/** Goes through a list as a run does; returns the URLs that were fetched, and the results of all by their index. */
export async function run(
  path: string,
  urls: readonly string[],
  options: Partial<JournalOptions> & { readonly fetch?: Fetch } = {},
): Promise<{ fetched: string[]; results: Result[]; warnings: string[]; records: number }> {
  const { fetch = succeed, ...rest } = options;
  const settings = journalOptions(rest);
  const journal = await Journal.open(path, settings);
  const fetched: string[] = [];
  const results: Result[] = [];
  for (const [index, url] of urls.entries()) {
    const recalled = journal.recall(job(index, url), 'GET', undefined);
    if (recalled === undefined) fetched.push(url);
    const result = recalled ?? fetch(job(index, url));
    await journal.write(result);
    results.push(result);
  }
  await journal.end();
  return { fetched, results, warnings: settings.warnings, records: journal.records };
}
