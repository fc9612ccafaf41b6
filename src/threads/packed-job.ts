import { statusSet } from '../config/parsers/status-set.ts';
import type { Job } from '../model/job.ts';

/** A job as it goes from thread to thread: its set of status codes, an object with methods, goes as text. */
export interface PackedJob {
  readonly job: Job;
  readonly status?: string;
}

export function packJob(job: Job): PackedJob {
  if (job.expect?.status === undefined) return { job };
  const { status, ...expect } = job.expect;
  return { job: { ...job, expect }, status: `${status}` };
}

export function unpackJob({ job, status }: PackedJob): Job {
  if (status === undefined || job.expect === undefined) return job;
  return { ...job, expect: { ...job.expect, status: statusSet.parse(status) } };
}
