import { formatCount } from '../../format-count.ts';
import type { ReportSummary } from '../report-fold.ts';
import type { Group } from '../samples.ts';
import { latencyChart, timelineChart } from './charts.ts';
import { html, type Markup } from './markup.ts';
import type { PageData } from './page-data.ts';
import { countRow, hostRows, redirectRow, resultRow, slowRow } from './tables.ts';

const KEY = html`<small><span class="key ok"></span>OK<span class="key fail"></span>failed</small>`;

/** Failures by kind and by host; nothing when there are none. */
export function failureSections({ worstHosts }: ReportSummary, groups: readonly Group[]): Markup {
  const kinds = countsByLabel(groups);
  if (kinds.length === 0) return html``;
  const most = kinds[0]?.[1] ?? 1;
  const hosts = html`<section><h2>Failures by host</h2><table><tbody>
${hostRows(worstHosts)}</tbody></table></section>
`;
  return html`<div class="two">
<section><h2>Failures by kind</h2><table><tbody>
${kinds.map(([label, count]) => countRow(label, count, most))}</tbody></table></section>
${worstHosts.length > 0 ? hosts : ''}</div>
`;
}

/** All that failed, whether it fails the run or not. */
function countsByLabel(groups: readonly Group[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { section, label, count } of groups) {
    if (section === 'warned' || section === 'mended') continue;
    counts.set(label, (counts.get(label) ?? 0) + count);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/** How long results took, and when they came. */
export function chartSections({ latency, timeline }: PageData): Markup {
  const [durations, times] = [latency.list(), timeline.list()];
  if (times.length === 0) return html``;
  const latencies = html`<section><h2>Latency ${KEY}</h2>${latencyChart(durations)}</section>
`;
  return html`<div class="two">
${durations.length > 0 ? latencies : ''}<section><h2>Timeline ${KEY}</h2>${timelineChart(times, timeline.widthMs)}</section>
</div>
`;
}

/** The table of results: failures first, and a sample of what is OK. */
export function resultSection(data: PageData, groups: readonly Group[]): Markup {
  const { okRows, okCount } = data;
  const rows = groups.flatMap(({ section, rows: kept }) => kept.map((row) => resultRow(section, row)));
  const found = groups.reduce((sum, { count }) => sum + count, 0);
  if (found + okCount === 0) return html``;
  return html`<section id="results"><h2>Results</h2>
<div class="filter" id="filter" hidden><input id="words" type="search" placeholder="Filter: a host, a status, a word" aria-label="Filter results"><output id="told"></output></div>
<table class="rows"><thead><tr><th>Verdict</th><th>Outcome</th><th>URL</th><th>Why</th><th>Time</th><th>Where</th></tr></thead><tbody>
${rows}${okRows.map((row) => resultRow('ok', row))}</tbody></table>
${leftOut(found - rows.length, 'that are more than OK')}${leftOut(okCount - okRows.length, 'that are OK')}</section>
`;
}

export function slowSection({ slowest }: PageData): Markup {
  const rows = slowest.list();
  if (rows.length === 0) return html``;
  return html`<section><h2>Slowest</h2>
<table class="rows"><thead><tr><th>Time</th><th>Outcome</th><th>URL</th><th>Where</th></tr></thead><tbody>
${rows.map(slowRow)}</tbody></table></section>
`;
}

export function redirectSection({ redirects, redirectCount }: PageData): Markup {
  if (redirectCount === 0) return html``;
  return html`<section><h2>Redirected</h2>
<table class="rows"><thead><tr><th>URL</th><th>Led to</th><th>Statuses</th><th>Where</th></tr></thead><tbody>
${redirects.map(redirectRow)}</tbody></table>
${leftOut(redirectCount - redirects.length, 'that were redirected')}</section>
`;
}

function leftOut(count: number, which: string): Markup {
  return count > 0
    ? html`<p>${formatCount(count)} more results ${which} are left out.</p>
`
    : html``;
}
