import { excerpt, printable } from '../model/printable.ts';
import { FILE_NOTES, type FileNote, isNotFetched, type Result, verdictOf } from '../model/result.ts';
import type { FailingHost, Summary } from '../model/summary.ts';
import type { Sink } from '../results/sink.ts';
import { formatBytes, formatCount, formatDuration, type Paint, runCountsText } from './format.ts';
import { escapeJson } from './jsonl.ts';
import type { LineOutput } from './line-writer.ts';
import { textLine } from './text.ts';

/** Kinds of failures and hosts that are listed. */
const MAX_LISTED = 5;

/** Failures that are repeated on a terminal. */
const MAX_REPEATED = 20;
const MAX_MESSAGE = 200;

interface SummaryTextOptions {
  /**
   * Whether the lines of the first 20 failures come before the summary, for a terminal where they have scrolled away. The
   * summary itself names hosts that are down.
   */
  readonly repeatsFailures?: boolean;
  /** Where files were saved. */
  readonly saveDir?: string | undefined;
  /** Whether a run that has read nothing has no summary: an empty list is an error, as is an input that cannot be read. */
  readonly omitsEmpty?: boolean;
}

/** `--summary text`: writes the summary at the end of a run. */
export function summaryTextSink(
  output: LineOutput,
  paint: Paint,
  { repeatsFailures = false, omitsEmpty = false, ...places }: SummaryTextOptions = {},
): Sink {
  const line = textLine(paint);
  const failures: string[] = [];
  let results = 0;
  let more = 0;
  return {
    write(result) {
      results += 1;
      if (!repeatsFailures || verdictOf(result) !== 'FAIL' || isNotFetched(result)) return;
      if (result.failure?.kind === 'down' || isUnsentBlocked(result)) return;
      if (failures.length < MAX_REPEATED) failures.push(line(result));
      else more += 1;
    },
    async end(summary) {
      // Of one URL, the line is right above.
      if (failures.length > 0 && results > 1) {
        const rest = more > 0 ? `${paint.dim(`and ${more} more failures`)}\n` : '';
        await output.write(`\n${failures.join('')}${rest}`);
      }
      if (!(omitsEmpty && summary.read === 0)) await output.write(summaryText(summary, paint, places));
      await output.end();
    },
  };
}

/** `--summary json`: writes the summary as one JSON object on one line. */
export function summaryJsonSink(output: LineOutput): Sink {
  return {
    write: () => undefined,
    async end(summary) {
      const wallMs = Math.round(summary.wallMs);
      const urlsPerSecond = Math.round(10 * summary.urlsPerSecond) / 10;
      await output.write(`${escapeJson(JSON.stringify({ ...summary, wallMs, urlsPerSecond }))}\n`);
      await output.end();
    },
  };
}

/** A blank line, `Done: 2 succeeded, 1 failed`, and indented lines with times, bytes and failures. */
export function summaryText(
  summary: Summary,
  paint: Paint,
  { saveDir }: Pick<SummaryTextOptions, 'saveDir'> = {},
): string {
  const { latencyMs: latency, bytes, wallMs } = summary;
  // Without a request, as of a run that is all in the journal, there is no rate.
  const rate = summary.urlsPerSecond > 0 ? `, ${formatRate(summary.urlsPerSecond)} URLs/s` : '';
  const rows: (readonly [string, string])[] = [['time', formatDuration(wallMs) + rate]];
  if (latency) {
    // Bytes of results of earlier runs were not transferred in this time.
    const speed =
      wallMs > 0 && summary.resumed === 0 ? `, ${formatBytes(Math.round((bytes * 1000) / wallMs))}/s` : '';
    rows.push(['bytes', formatBytes(bytes) + speed]);
    const [p50, p90, p99] = [latency.p50, latency.p90, latency.p99].map(formatDuration);
    rows.push(['latency', `p50 ${p50}, p90 ${p90}, p99 ${p99}`]);
  }
  if (saveDir !== undefined && summary.savedFiles > 0) rows.push(['saved', savedText(summary, saveDir)]);
  const files = filesText(summary);
  if (files !== '') rows.push(['files', files]);
  const failures = failureCounts(summary);
  if (failures.length > 0) rows.push(['failures', list(failures)]);
  const excused = byCount(Object.entries(summary.excusedByOutcome ?? {}));
  if (excused.length > 0) rows.push([excusedName(summary), list(excused)]);
  if (summary.worstHosts.length > 0) rows.push(['hosts', list(summary.worstHosts.map(hostCount))]);
  if (summary.downHosts.length > 0) rows.push(['down', list(summary.downHosts.map(downText))]);
  const lines = rows.map(([name, value]) => `  ${paint.dim(name.padEnd(8))}  ${value}\n`);
  return `\n${doneLine(summary, paint)}\n${lines.join('')}`;
}

const FILE_TEXTS: Readonly<Record<FileNote, string>> = {
  existing: 'existing, not fetched',
  unchanged: 'unchanged',
  changed: 'changed',
  deleted: 'deleted on the server, but kept',
  kept: 'kept since their URLs failed',
};

/** `12 existing, not fetched`; empty if no result says anything of its file. */
function filesText({ files = {} }: Summary): string {
  return FILE_NOTES.flatMap((note) => {
    const count = files[note] ?? 0;
    return count === 0 ? [] : [`${formatCount(count)} ${FILE_TEXTS[note]}`];
  }).join(', ');
}

/** Whether nothing was sent because an earlier URL of the host was blocked. */
function isUnsentBlocked({ failure, attempts }: Result): boolean {
  return failure?.kind === 'blocked' && attempts === 0;
}

function doneLine(summary: Summary, paint: Paint): string {
  return `${paint.strong('Done:')} ${runCountsText(summary, paint)}`;
}

function excusedName({ known, flaky }: Summary): string {
  return flaky === 0 ? 'known' : known === 0 ? 'flaky' : 'known, flaky';
}

/** Failures that fail the run by outcome label, most first: by status for failures of kind `status`, otherwise by kind. */
function failureCounts({ failuresByKind, failuresByStatus, excusedByOutcome = {} }: Summary): string[] {
  const counts = new Map([...Object.entries(failuresByKind), ...Object.entries(failuresByStatus)]);
  const withStatus = Object.values(failuresByStatus).reduce((sum, count) => sum + count, 0);
  counts.set('status', (counts.get('status') ?? 0) - withStatus);
  for (const [name, count] of Object.entries(excusedByOutcome)) {
    counts.set(name, (counts.get(name) ?? 0) - count);
  }
  return byCount([...counts]);
}

function byCount(counts: readonly (readonly [string, number])[]): string[] {
  return counts
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} (${count})`);
}

/** Adds `+` if only a lower bound is known. */
function hostCount({ host, failures, overcount }: FailingHost): string {
  return `${printable(host)} (${failures - overcount}${overcount > 0 ? '+' : ''})`;
}

function savedText({ savedFiles, savedBytes }: Summary, directory: string): string {
  const files = savedFiles === 1 ? '1 file' : `${savedFiles} files`;
  return `${files} (${formatBytes(savedBytes)}) in ${excerpt(directory, 2000)}${directory.endsWith('/') ? '' : '/'}`;
}

function downText({ host, urls, message }: Summary['downHosts'][number]): string {
  return `${printable(host)} (${urls} ${urls === 1 ? 'URL' : 'URLs'}, ${printable(message, MAX_MESSAGE)})`;
}

function list(items: string[]): string {
  const more = items.length > MAX_LISTED ? `, and ${items.length - MAX_LISTED} more` : '';
  return items.slice(0, MAX_LISTED).join(', ') + more;
}

function formatRate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}
