import { readFileSync } from 'node:fs';

/** How many files and sockets this process may have open, as Linux says it; elsewhere nothing is known. */
export function readFileLimit(path = '/proc/self/limits'): number | undefined {
  try {
    const soft = /^Max open files +(\d+) /m.exec(readFileSync(path, 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Files that a process may have open on any system; a run that needs no more asks no further. */
const ALWAYS_ALLOWED = 256;

type ProcessReport = NodeJS.ProcessReport & { excludeNetwork?: boolean };

/**
 * How many files and sockets this process may have open, if the system tells and it can matter to `wanted` of them.
 * Where there is no /proc Node's diagnostic report knows it, which takes some milliseconds.
 */
export function fileLimit(given: NodeJS.ProcessReport | undefined, wanted: number): number | undefined {
  const known = readFileLimit();
  if (known !== undefined || wanted <= ALWAYS_ALLOWED) return known;
  const report = given as ProcessReport | undefined; // Node's types of version 20 lack `excludeNetwork`
  if (report === undefined) return undefined;
  report.excludeNetwork = true; // it would look up the names of all peers
  return limitIn(report.getReport());
}

/** The soft limit of open files in a diagnostic report; Windows has none. */
export function limitIn(report: object): number | undefined {
  const { userLimits } = report as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : undefined;
}
