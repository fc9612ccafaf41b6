import type { Job } from '../model/job.ts';
import { decodeJob, type JobWire } from './job-line.ts';
import type { QueueEngine } from './queue-engine.ts';

/** A URL that no worker survived. */
export interface DeadUrl {
  readonly job: Job;
  readonly reason: string;
}

/** The dead of a run in the order of its list; what is damaged is left out. */
export async function deadUrls(engine: QueueEngine, wire: JobWire): Promise<readonly DeadUrl[]> {
  const dead: DeadUrl[] = [];
  for await (const { job, reason } of engine.deadLetters()) {
    const read = decodeJob(JSON.stringify(job ?? null), wire);
    if (read !== undefined) dead.push({ job: read, reason });
  }
  return dead.sort((a, b) => a.job.index - b.job.index);
}
