import { gunzipSync } from 'node:zlib';
import { eachLine } from '../model/each-line.ts';
import type { Job } from '../model/job.ts';
import { decodeJob, type JobWire } from './job-line.ts';

/** A chunk that unpacks to more than this is none of ours. */
const MAX_TEXT_BYTES = 64 * 1024 ** 2;

/** The jobs of a chunk, or `undefined` when any part of it is damaged. */
export function chunkJobs(body: Uint8Array, wire: JobWire): readonly Job[] | undefined {
  const text = unpacked(body, MAX_TEXT_BYTES);
  if (text === undefined || text === '') return undefined;
  const jobs: Job[] = [];
  for (const line of eachLine(text)) {
    const job = decodeJob(line, wire);
    if (job === undefined) return undefined;
    jobs.push(job);
  }
  return new Set(jobs.map(({ index }) => index)).size === jobs.length ? jobs : undefined;
}

/** What gzip has packed, as text; `undefined` when it is damaged, or longer than `maxBytes`. */
export function unpacked(body: Uint8Array, maxBytes: number): string | undefined {
  try {
    return gunzipSync(body, { maxOutputLength: maxBytes }).toString();
  } catch {
    return undefined;
  }
}
