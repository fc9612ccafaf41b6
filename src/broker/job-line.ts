import type { Job } from '../model/job.ts';

/** How the request of a job is written and read; reading checks it as it would check a line of an input. */
export interface JobWire {
  write(job: Job): object;
  read(request: object): Omit<Job, 'index' | 'source' | 'line'>;
}

/** A job as one line of JSON. */
export function encodeJob(job: Job, wire: JobWire): string {
  const { index, source, line, url, id, invalid } = job;
  const place = { index, source, line };
  if (invalid === undefined) return JSON.stringify({ ...place, request: wire.write(job) });
  return JSON.stringify({ ...place, url, id, invalid });
}

/** The job of a line, or `undefined` when it holds none. */
export function decodeJob(text: string, wire: JobWire): Job | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { index, source, line, request, url, id, invalid }: Record<string, unknown> = { ...value };
  if (!isCount(index) || !isCount(line) || typeof source !== 'string') return undefined;
  const place = { index, source, line };
  if (typeof request === 'object' && request !== null) return { ...place, ...wire.read(request) };
  if (typeof url !== 'string' || typeof invalid !== 'string') return undefined;
  return { ...place, url, invalid, ...(typeof id === 'string' ? { id } : {}) };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
