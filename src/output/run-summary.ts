import { printable } from '../model/printable.ts';
import type { FailingHost, Summary } from '../model/summary.ts';
import type { Sink } from '../results/sink.ts';
import { escapeJson, failedText, formatBytes, formatDuration, type Paint, succeededText } from './format.ts';
import type { LineOutput } from './line-writer.ts';

const SHOWN = 5;

/** The last lines of a run, for people. */
export function summaryTextSink(output: LineOutput, paint: Paint): Sink {
  return {
    write: () => undefined,
    async end(summary) {
      await output.write(summaryText(summary, paint));
      await output.end();
    },
  };
}

/** A blank line, `Done: 2 succeeded, 1 failed`, and what else there is to say, each on a line of its own. */
export function summaryText(summary: Summary, paint: Paint): string {
  const { latencyMs: latency, bytes, wallMs } = summary;
  const rows: (readonly [string, string])[] = [
    ['time', `${formatDuration(wallMs)}, ${perSecond(summary.urlsPerSecond)} URLs/s`],
  ];
  if (latency) {
    // What the journal has was not transferred in this time.
    const speed =
      wallMs > 0 && summary.resumed === 0 ? `, ${formatBytes(Math.round((bytes * 1000) / wallMs))}/s` : '';
    rows.push(['bytes', formatBytes(bytes) + speed]);
    const [p50, p90, p99] = [latency.p50, latency.p90, latency.p99].map(formatDuration);
    rows.push(['latency', `p50 ${p50}, p90 ${p90}, p99 ${p99}`]);
  }
  if (summary.failed > 0) rows.push(['failures', list(failureCounts(summary))]);
  if (summary.worstHosts.length > 0) rows.push(['hosts', list(summary.worstHosts.map(hostCount))]);
  const lines = rows.map(([name, value]) => `  ${paint.dim(name.padEnd(8))}  ${value}\n`);
  return `\n${doneLine(summary, paint)}\n${lines.join('')}`;
}

function doneLine(summary: Summary, paint: Paint): string {
  const failed = failedText(summary);
  const parts = [paint.ok(succeededText(summary)), summary.failed > 0 ? paint.fail(failed) : failed];
  if (summary.resumed > 0) parts.push(`${summary.resumed} of them from the journal`);
  if (summary.skipped > 0) parts.push(`${summary.skipped} skipped`);
  if (summary.notFetched > 0) parts.push(paint.warn(`${summary.notFetched} not fetched`));
  return `${paint.strong('Done:')} ${parts.join(', ')}`;
}

/** Named as in the second column of the results: the status where the kind is `status`. Most first. */
function failureCounts({ failuresByKind, failuresByStatus }: Summary): string[] {
  const counts = new Map([...Object.entries(failuresByKind), ...Object.entries(failuresByStatus)]);
  const withStatus = Object.values(failuresByStatus).reduce((sum, count) => sum + count, 0);
  counts.set('status', (counts.get('status') ?? 0) - withStatus);
  return [...counts]
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} (${count})`);
}

/** With `+` where the counter was another host's before, so that only a lower bound is known. */
function hostCount({ host, failures, overcount }: FailingHost): string {
  return `${printable(host)} (${failures - overcount}${overcount > 0 ? '+' : ''})`;
}

function list(items: string[]): string {
  const more = items.length > SHOWN ? `, and ${items.length - SHOWN} more` : '';
  return items.slice(0, SHOWN).join(', ') + more;
}

function perSecond(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

/** `--summary json`: the summary as one JSON object on one line. */
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
