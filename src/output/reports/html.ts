import { createHash } from 'node:crypto';
import { isNotFetched, type Result } from '../../model/result.ts';
import type { FailingHost, Summary } from '../../model/summary.ts';
import type { Sink } from '../../results/sink.ts';
import { formatBytes, formatCount, formatDuration, skipReasonsText } from '../format.ts';
import type { LineOutput } from '../line-writer.ts';
import {
  endOf,
  type Group,
  isFinding,
  type LatencyBucket,
  LatencyBuckets,
  partOf,
  ReportFold,
  type ReportSummary,
  type Row,
  Samples,
  type Section,
  Slowest,
  sumOf,
  type Tally,
  type TimeBucket,
  TimeBuckets,
  toRow,
  verdictLine,
} from './aggregate.ts';
import { html, Markup, SCRIPT, STYLE } from './markup.ts';

/** Limits of what the page shows, so that a browser opens it quickly for any number of results. */
const LIMITS = { section: 1000, group: 500 };
const MAX_OK_ROWS = 300;
const MAX_REDIRECTS = 200;
const MAX_SLOWEST = 25;
const MAX_TIME_BUCKETS = 120;

/** Height of a chart and gap between columns, in units of its view box. */
const CHART_HEIGHT = 100;
const COLUMN_GAP = 0.15;
/** The minimum height of a bar, so that one failure among thousands is visible. */
const MIN_BAR_HEIGHT = 2;

/** The style and the word of the verdict for each section of findings, and for results that are only OK. */
const VERDICTS: Readonly<Record<Section | 'ok', readonly [css: string, word: string]>> = {
  failed: ['fail', 'FAIL'],
  notFetched: ['fail', 'FAIL'],
  flaky: ['warn', 'WARN'],
  known: ['warn', 'KNOWN'],
  warned: ['warn', 'WARN'],
  fixed: ['ok', 'OK'],
  ok: ['ok', 'OK'],
};

/** The legend of a chart. */
function legend(tallies: readonly Readonly<Tally>[]): Markup {
  const excused = tallies.some((tally) => tally.excused > 0)
    ? html`<span class="key warn"></span>${EXCUSED}`
    : '';
  return html`<small><span class="key ok"></span>OK${excused}<span class="key fail"></span>failed</small>`;
}

const EXCUSED = 'known or flaky';

/**
 * `--report html`: a page in one file. It loads nothing, and its content security policy allows only its own style sheet and
 * script, by their hashes. Without scripts only the filter is missing.
 */
export function htmlReport(output: LineOutput): Sink {
  const data = new PageData();
  return {
    write: (result) => data.add(result),
    async end(run) {
      for (const part of page(data, run)) await output.write(String(part));
      await output.end();
    },
  };
}

function page(data: PageData, run: Summary): readonly Markup[] {
  const summary = data.fold.summary(run);
  const groups = data.samples.groups();
  // Not part of the template below: bundlers rewrite a tagged template that contains `</script>`, and import a helper for it.
  const script = Markup.trusted(`<script>${SCRIPT}</script>`);
  return [
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>${verdictLine(summary).text} – fanout</title>
<style>${Markup.trusted(STYLE)}</style>
</head>
<body>
<main>
`,
    pageHead(summary),
    failureSections(summary, groups),
    chartSections(data),
    resultSection(data, groups),
    slowSection(data),
    redirectSection(data),
    html`<footer>Made by fanout from result records.</footer>
</main>
${script}
</body>
</html>
`,
  ];
}

function policy(): string {
  const [style, script] = [STYLE, SCRIPT].map((text) => createHash('sha256').update(text).digest('base64'));
  return `default-src 'none'; style-src 'sha256-${style}'; script-src 'sha256-${script}'; base-uri 'none'; form-action 'none'`;
}

/** What the page shows. */
class PageData {
  readonly fold = new ReportFold();
  readonly samples = new Samples(LIMITS);
  readonly slowest = new Slowest(MAX_SLOWEST);
  readonly latency = new LatencyBuckets();
  readonly timeline = new TimeBuckets(MAX_TIME_BUCKETS);
  /** The first results that are not findings, and their number. */
  readonly okRows: Row[] = [];
  okCount = 0;
  /** The first redirected results, and their number. */
  readonly redirects: Row[] = [];
  redirectCount = 0;

  add(result: Result): void {
    this.fold.add(result);
    this.samples.add(result);
    if (isNotFetched(result)) return;
    this.timeline.add(endOf(result), partOf(result));
    if (result.attempts > 0) {
      this.slowest.add(result);
      this.latency.add(result.durationMs, partOf(result));
    }
    if (!isFinding(result)) {
      this.okCount += 1;
      if (this.okRows.length < MAX_OK_ROWS) this.okRows.push(toRow(result));
    }
    if (result.redirects.length > 0) {
      this.redirectCount += 1;
      if (this.redirects.length < MAX_REDIRECTS) this.redirects.push(toRow(result));
    }
  }
}

/** The verdict and the figures below it. */
function pageHead(summary: ReportSummary): Markup {
  const { mood, text } = verdictLine(summary);
  return html`<header class="${mood}">
<h1>${text}</h1>
${timeSpan(summary)}<dl>
${figures(summary)}</dl>
</header>
`;
}

function timeSpan({ startedAt, endedAt }: ReportSummary): Markup {
  if (startedAt === undefined || endedAt === undefined) return html``;
  const start = `${new Date(startedAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  return html`<p>Started ${start}, took ${formatDuration(endedAt - startedAt)}</p>
`;
}

function figures(summary: ReportSummary): readonly Markup[] {
  const { results, ok, warned, fixed, failed, known, flaky, notFetched, bytes, latencyMs } = summary;
  const { skipped = 0, skippedByReason } = summary;
  const all = [
    figure('Results', formatCount(results)),
    figure('OK', formatCount(ok - warned), fixed > 0 ? `${formatCount(fixed)} fixed` : ''),
    figure('Failed', formatCount(failed - known - flaky)),
    ...(warned + flaky > 0 ? [figure('Warnings', formatCount(warned + flaky))] : []),
    ...(known > 0 ? [figure('Known', formatCount(known))] : []),
    ...(notFetched > 0 ? [figure('Not fetched', formatCount(notFetched))] : []),
    ...(skipped > 0 ? [figure('Skipped', formatCount(skipped), skipReasonsText(skippedByReason))] : []),
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

/** Failures that fail the run, by kind and by host, and then the others; empty without failures. */
function failureSections({ worstHosts }: ReportSummary, groups: readonly Group[]): Markup {
  const kinds = countsByLabel(groups, 'failed');
  const excused = html`${kindSection('Known failures by kind', 'excused', countsByLabel(groups, 'known'))}${kindSection('Failures below --flaky-after by kind', 'excused', countsByLabel(groups, 'flaky'))}`;
  if (kinds.length === 0) return excused;
  const hosts = html`<section><h2>Failures by host</h2><table><tbody>
${hostRows(worstHosts)}</tbody></table></section>
`;
  return html`<div class="two">
${kindSection('Failures by kind', '', kinds)}${worstHosts.length > 0 ? hosts : ''}</div>
${excused}`;
}

function kindSection(title: string, css: string, kinds: readonly (readonly [string, number])[]): Markup {
  const most = kinds[0]?.[1];
  if (most === undefined) return html``;
  return html`<section class="${css}"><h2>${title}</h2><table><tbody>
${kinds.map(([label, count]) => countRow(label, count, most))}</tbody></table></section>
`;
}

/** The counts of a section by label, most first. */
function countsByLabel(groups: readonly Group[], wanted: Section): readonly (readonly [string, number])[] {
  return groups
    .filter(({ section }) => section === wanted)
    .map(({ label, count }): [string, number] => [label, count])
    .sort((a, b) => b[1] - a[1]);
}

/** The latency histogram and the timeline. */
function chartSections({ latency, timeline }: PageData): Markup {
  const [durations, times] = [latency.list(), timeline.list()];
  if (times.length === 0) return html``;
  const latencies = html`<section><h2>Latency ${legend(durations)}</h2>${latencyChart(durations)}</section>
`;
  return html`<div class="two">
${durations.length > 0 ? latencies : ''}<section><h2>Timeline ${legend(times)}</h2>${timelineChart(times, timeline.widthMs)}</section>
</div>
`;
}

/** The table of results: the findings, and the first of the other results. */
function resultSection(data: PageData, groups: readonly Group[]): Markup {
  const { okRows, okCount } = data;
  const rows = groups.flatMap(({ section, rows: sample }) => sample.map((row) => resultRow(section, row)));
  const findings = groups.reduce((sum, { count }) => sum + count, 0);
  if (findings + okCount === 0) return html``;
  return html`<section id="results"><h2>Results</h2>
<div class="filter" id="filter" hidden><input id="words" type="search" placeholder="Filter: a host, a status, a word" aria-label="Filter results"><output id="row-count"></output></div>
<table class="rows"><thead><tr><th>Verdict</th><th>Outcome</th><th>URL</th><th>Why</th><th>Time</th><th>Where</th></tr></thead><tbody>
${rows}${okRows.map((row) => resultRow('ok', row))}</tbody></table>
${leftOut(findings - rows.length, 'that are more than OK')}${leftOut(okCount - okRows.length, 'that are OK')}</section>
`;
}

function slowSection({ slowest }: PageData): Markup {
  const rows = slowest.list();
  if (rows.length === 0) return html``;
  return html`<section><h2>Slowest</h2>
<table class="rows"><thead><tr><th>Time</th><th>Outcome</th><th>URL</th><th>Where</th></tr></thead><tbody>
${rows.map(slowRow)}</tbody></table></section>
`;
}

function redirectSection({ redirects, redirectCount }: PageData): Markup {
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

function latencyChart(buckets: readonly LatencyBucket[]): Markup {
  const columns = buckets.map(({ fromMs, toMs, ...tally }) => ({
    ...tally,
    name:
      toMs === Number.POSITIVE_INFINITY
        ? `${durationText(fromMs)} and more`
        : `${durationText(fromMs)} to ${durationText(toMs)}`,
  }));
  const labels = buckets.map(({ fromMs }) => html`<span>${durationText(fromMs)}</span>`);
  return html`<figure>${columnChart('Results by the time they took', columns)}
<div class="axis each">${labels}</div></figure>`;
}

function timelineChart(buckets: readonly TimeBucket[], widthMs: number): Markup {
  const first = buckets[0]?.startMs ?? 0;
  const columns = buckets.map(({ startMs, ...tally }) => ({
    ...tally,
    name: `after ${formatDuration(startMs - first)}`,
  }));
  const ends = [0, 0.5, 1].map(
    (part) => html`<span>${formatDuration(part * buckets.length * widthMs)}</span>`,
  );
  return html`<figure>${columnChart('Results over time', columns)}
<div class="axis">${ends}</div></figure>`;
}

interface Column extends Readonly<Tally> {
  readonly name: string;
}

/** A stacked column chart: failures at the bottom, those that do not fail the run above them, and what is OK on top. */
function columnChart(title: string, columns: readonly Column[]): Markup {
  const most = Math.max(1, ...columns.map(sumOf));
  const height = (count: number) =>
    count === 0 ? 0 : Math.max(MIN_BAR_HEIGHT, (count / most) * CHART_HEIGHT);
  const bars = columns.map((column, index) => {
    const { name, ok, excused, failed } = column;
    if (sumOf(column) === 0) return html``;
    const excusedTop = Math.max(0, CHART_HEIGHT - height(failed) - height(excused));
    const failedTop = CHART_HEIGHT - height(failed);
    const top = Math.max(0, excusedTop - height(ok));
    const parts = [
      `${formatCount(ok)} OK`,
      ...(excused > 0 ? [`${formatCount(excused)} ${EXCUSED}`] : []),
      `${formatCount(failed)} failed`,
    ];
    return html`<g><title>${name}: ${parts.join(', ')}</title>${rect('ok', index, top, excusedTop - top)}${rect('warn', index, excusedTop, failedTop - excusedTop)}${rect('fail', index, failedTop, height(failed))}</g>`;
  });
  return html`<svg class="columns" viewBox="0 0 ${columns.length} ${CHART_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}">${bars}</svg>
<p class="most">${formatCount(most)} at most</p>`;
}

function rect(kind: string, index: number, y: number, height: number): Markup {
  if (height <= 0) return html``;
  return html`<rect class="${kind}" x="${index + COLUMN_GAP / 2}" y="${round(y)}" width="${1 - COLUMN_GAP}" height="${round(height)}"/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function durationText(ms: number): string {
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`;
}

/** One line of the table of results. */
function resultRow(section: Section | 'ok', row: Row): Markup {
  const [css, word] = VERDICTS[section];
  const notes = row.notes.map(
    (note) => html` <span class="${note === 'fixed' ? 'note ok' : 'note'}">${note}</span>`,
  );
  const time = `${formatDuration(row.durationMs)}${row.ok ? `, ${formatBytes(row.bytes)}` : ''}`;
  return html`<tr><td class="verdict ${css}">${word}</td><td class="outcome">${row.label}</td><td class="url">${link(row.url)}${row.name}${target(row)}</td><td class="why">${row.message}${notes}</td><td class="time">${time}</td><td class="place">${place(row)}</td></tr>
`;
}

function slowRow(row: Row): Markup {
  return html`<tr><td class="time">${formatDuration(row.durationMs)}</td><td class="outcome">${row.label}</td><td class="url">${link(row.url)}${row.name}</td><td class="place">${place(row)}</td></tr>
`;
}

function redirectRow(row: Row): Markup {
  return html`<tr><td class="url">${link(row.url)}${row.name}</td><td class="url">${row.finalUrl === '' ? '–' : row.finalUrl}</td><td class="outcome">${row.hops} → ${row.label}</td><td class="place">${place(row)}</td></tr>
`;
}

/** A name with its count, and a bar in proportion to the largest count. */
function countRow(name: string, count: number, most: number, isLowerBound = false): Markup {
  return html`<tr><th scope="row">${name}</th><td class="bar">${shareBar(count / most)}</td><td class="number">${formatCount(count)}${isLowerBound ? '+' : ''}</td></tr>
`;
}

function hostRows(hosts: readonly FailingHost[]): readonly Markup[] {
  const counts = hosts.map(({ failures, overcount }) => failures - overcount);
  const most = Math.max(1, ...counts);
  return hosts.map(({ host, overcount }, index) => countRow(host, counts[index] ?? 0, most, overcount > 0));
}

function place({ source, line }: Row): string {
  return `${source}:${line}`;
}

function target({ ok, finalUrl }: Row): Markup {
  return ok && finalUrl !== '' ? html` <span class="target">→ ${finalUrl}</span>` : html``;
}

/** Only a complete http or https URL becomes a link: not `javascript:`, and not a truncated URL. */
function link(url: string): Markup {
  return /^https?:\/\/[\x21-\x7e]+$/.test(url)
    ? html`<a href="${url}" rel="noopener noreferrer nofollow">${url}</a>`
    : html`${url === '' ? '–' : url}`;
}

/** A bar in a table cell. `share` is from 0 to 1. */
function shareBar(share: number): Markup {
  const width = Math.max(1, Math.round(share * 1000) / 10);
  return html`<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="8"/></svg>`;
}
