import { hostname } from 'node:os';

/** What a worker is called in records, in the log of results and in the names of its files: the machine and the process. */
export function workerName(pid: number): string {
  const host = hostname()
    .replace(/[^\w.-]+/g, '_')
    .replace(/^\W+/, '')
    .slice(0, 100);
  return `${host || 'worker'}-${pid}`;
}
