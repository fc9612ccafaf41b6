import type { Job } from '../../src/model/job.ts';

/** A job for this URL, serialised as the input does it. */
export function aJob(url: string, fields: Partial<Job> = {}): Job {
  return { index: 0, source: 'list', line: 1, url: new URL(url).href, ...fields };
}
