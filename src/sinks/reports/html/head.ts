import { formatBytes } from '../../format-bytes.ts';
import { formatCount } from '../../format-count.ts';
import { formatDuration } from '../../format-duration.ts';
import type { ReportSummary } from '../report-fold.ts';
import { verdictLine } from '../verdict-line.ts';
import { html, type Markup } from './markup.ts';

/** The verdict, and the figures under it. */
export function pageHead(summary: ReportSummary): Markup {
  const { mood, text } = verdictLine(summary);
  return html`<header class="${mood}">
<h1>${text}</h1>
${when(summary)}<dl>
${figures(summary)}</dl>
</header>
`;
}

function when({ startedAt, endedAt }: ReportSummary): Markup {
  if (startedAt === undefined || endedAt === undefined) return html``;
  const start = `${new Date(startedAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return html`<p>Started ${start}, took ${formatDuration(endedAt - startedAt)}</p>
`;
}

function figures(summary: ReportSummary): readonly Markup[] {
  const { results, ok, warned, mended, failed, known, flaky, bytes, latencyMs } = summary;
  const all = [
    figure('Results', formatCount(results)),
    figure('OK', formatCount(ok), parts({ warned, mended })),
    figure('Failed', formatCount(failed), parts({ new: summary.new, known, flaky })),
    figure('Received', formatBytes(bytes)),
  ];
  if (latencyMs === undefined) return all;
  const { p50, p90, p99 } = latencyMs;
  const percentiles = { 'Half within': p50, '90% within': p90, '99% within': p99 };
  return [...all, ...Object.entries(percentiles).map(([name, ms]) => figure(name, formatDuration(ms)))];
}

function figure(name: string, value: string, more = ''): Markup {
  return html`<div><dt>${name}</dt><dd>${value}${more === '' ? '' : html` <small>${more}</small>`}</dd></div>
`;
}

function parts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${formatCount(count)} ${name}`)
    .join(', ');
}
