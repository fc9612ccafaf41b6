import { readFileLimit } from '../file-limit.ts';

/** Files that a process may have open on any system; a run that needs no more asks no further. */
const ALWAYS_ALLOWED = 256;

type ProcessReport = NodeJS.Process['report'] & { excludeNetwork?: boolean };

/**
 * How many files and sockets this process may have open, if the system tells and it can matter to `wanted` of them.
 * Where there is no /proc Node's diagnostic report knows it, which takes some milliseconds.
 */
export function fileLimit(process: NodeJS.Process, wanted: number): number | undefined {
  const known = readFileLimit();
  if (known !== undefined || wanted <= ALWAYS_ALLOWED) return known;
  const report = process.report as ProcessReport | undefined; // Node's types of version 20 lack `excludeNetwork`
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
