import type { FailingHost } from '../../model/summary.ts';
import { failedText, succeededText } from '../count-text.ts';
import { formatBytes } from '../format-bytes.ts';
import { formatDuration } from '../format-duration.ts';
import { code } from './markdown-code.ts';
import type { ReportSummary } from './report-fold.ts';
import { verdictLine } from './verdict-line.ts';

const MARKS = { good: '✅', bad: '❌', nothing: '⚠️' };
const MAX_HOST = 200;

/** The verdict as a heading, and the counts in one line. */
export function markdownHead(summary: ReportSummary): string {
  const { startedAt, endedAt, latencyMs, bytes } = summary;
  const { mood, text } = verdictLine(summary);
  const facts = [`${succeededText(summary)}, ${failedText(summary)}`, formatBytes(bytes)];
  if (latencyMs !== undefined) {
    const [p50, p90, p99] = [latencyMs.p50, latencyMs.p90, latencyMs.p99].map(formatDuration);
    facts.push(`p50 ${p50}, p90 ${p90}, p99 ${p99}`);
  }
  if (startedAt !== undefined && endedAt !== undefined) {
    facts.push(
      `${formatDuration(endedAt - startedAt)} from ${new Date(startedAt).toISOString().slice(0, 19)}Z`,
    );
  }
  return `## ${MARKS[mood]} ${text}\n\n${facts.join(' · ')}\n`;
}

/** The hosts with the most failures; `+` where only a lower bound is known. */
export function markdownHosts(hosts: readonly FailingHost[]): string {
  if (hosts.length === 0) return '';
  const rows = hosts.map(
    ({ host, failures, overcount }) =>
      `| ${code(host, MAX_HOST)} | ${failures - overcount}${overcount > 0 ? '+' : ''} |\n`,
  );
  return `\n| Host | Failures |\n| --- | ---: |\n${rows.join('')}`;
}
