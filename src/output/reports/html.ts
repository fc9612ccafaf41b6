import { createHash } from 'node:crypto';
import type { Result } from '../../model/result.ts';
import type { FailingHost } from '../../model/summary.ts';
import type { Sink } from '../../results/sink.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import type { LineOutput } from '../line-writer.ts';
import {
  endOf,
  type Group,
  type LatencyBucket,
  LatencyBuckets,
  ReportFold,
  type ReportSummary,
  type Row,
  rowOf,
  Samples,
  type Section,
  Slowest,
  sectionOf,
  type TimeBucket,
  TimeBuckets,
  verdictLine,
} from './aggregate.ts';
import { SCRIPT, STYLE } from './html-template.ts';
import { html, Markup } from './markup.ts';

/** How much is kept for the page, so that a browser opens it at once, however many results there are. */
const LIMITS = { section: 1000, group: 500 };
const OK_ROWS = 300;
const REDIRECTS = 200;
const SLOWEST = 25;
const TIME_BUCKETS = 120;

/** Everything that the page shows, folded in memory that does not depend on the number of results. */
class PageData {
  readonly fold = new ReportFold();
  readonly samples = new Samples(LIMITS);
  readonly slowest = new Slowest(SLOWEST);
  readonly latency = new LatencyBuckets();
  readonly timeline = new TimeBuckets(TIME_BUCKETS);
  /** The first results that are no more than OK, and how many there are. */
  readonly okRows: Row[] = [];
  okCount = 0;
  /** The first results that were redirected, and how many there are. */
  readonly redirects: Row[] = [];
  redirectCount = 0;

  add(result: Result): void {
    this.fold.add(result);
    this.samples.add(result);
    this.timeline.add(endOf(result), result.ok);
    if (result.attempts > 0) {
      this.slowest.add(result);
      this.latency.add(result.durationMs, result.ok);
    }
    if (sectionOf(result) === undefined) {
      this.okCount += 1;
      if (this.okRows.length < OK_ROWS) this.okRows.push(rowOf(result));
    }
    if (result.redirects.length > 0) {
      this.redirectCount += 1;
      if (this.redirects.length < REDIRECTS) this.redirects.push(rowOf(result));
    }
  }
}

/** The verdict, and the figures under it. */
function pageHead(summary: ReportSummary): Markup {
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

interface Column {
  readonly name: string;
  readonly ok: number;
  readonly failed: number;
}

const HEIGHT = 100;
const GAP = 0.15;
/** The smallest height of a column that is not empty, so that one failure among thousands can be seen. */
const VISIBLE = 2;

/** A bar as long as its share, in percent, of a cell. */
function shareBar(share: number): Markup {
  const width = Math.max(1, Math.round(share * 1000) / 10);
  return html`<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="8"/></svg>`;
}

/** How many results took how long. */
function latencyChart(buckets: readonly LatencyBucket[]): Markup {
  const columns = buckets.map(({ fromMs, toMs, ok, failed }) => ({
    name: toMs === Number.POSITIVE_INFINITY ? `${span(fromMs)} and more` : `${span(fromMs)} to ${span(toMs)}`,
    ok,
    failed,
  }));
  const labels = buckets.map(({ fromMs }) => html`<span>${span(fromMs)}</span>`);
  return html`<figure>${columnChart('Results by the time they took', columns)}
<div class="axis each">${labels}</div></figure>`;
}

/** How many results came when. */
function timelineChart(buckets: readonly TimeBucket[], widthMs: number): Markup {
  const first = buckets[0]?.startMs ?? 0;
  const columns = buckets.map(({ startMs, ok, failed }) => ({
    name: `after ${formatDuration(startMs - first)}`,
    ok,
    failed,
  }));
  const ends = [0, 0.5, 1].map(
    (part) => html`<span>${formatDuration(part * buckets.length * widthMs)}</span>`,
  );
  return html`<figure>${columnChart('Results over time', columns)}
<div class="axis">${ends}</div></figure>`;
}

/** Columns of equal width: failures at the foot, where their height can be read, and what is OK on top of them. */
function columnChart(title: string, columns: readonly Column[]): Markup {
  const most = Math.max(1, ...columns.map(({ ok, failed }) => ok + failed));
  const height = (count: number) => (count === 0 ? 0 : Math.max(VISIBLE, (count / most) * HEIGHT));
  const bars = columns.map(({ name, ok, failed }, index) => {
    if (ok + failed === 0) return html``;
    const [low, high] = [height(failed), height(ok)];
    const top = Math.max(0, HEIGHT - low - high);
    return html`<g><title>${name}: ${formatCount(ok)} OK, ${formatCount(failed)} failed</title>${rect('ok', index, top, HEIGHT - low - top)}${rect('fail', index, HEIGHT - low, low)}</g>`;
  });
  return html`<svg class="columns" viewBox="0 0 ${columns.length} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}">${bars}</svg>
<p class="most">${formatCount(most)} at most</p>`;
}

function rect(kind: string, index: number, y: number, height: number): Markup {
  if (height <= 0) return html``;
  return html`<rect class="${kind}" x="${index + GAP / 2}" y="${round(y)}" width="${1 - GAP}" height="${round(height)}"/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function span(ms: number): string {
  return ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`;
}

/** A section of the samples, or what is no more than OK. */
type Standing = Section | 'ok';

const WORDS: Readonly<Record<Standing, readonly [css: string, word: string]>> = {
  failed: ['fail', 'FAIL'],
  flaky: ['warn', 'FAIL'],
  known: ['warn', 'FAIL'],
  warned: ['warn', 'WARN'],
  mended: ['ok', 'OK'],
  ok: ['ok', 'OK'],
};

/** One line of the table of results. */
function resultRow(standing: Standing, row: Row): Markup {
  const [css, word] = WORDS[standing];
  const notes = row.notes.map((note) => html` <span class="note">${note}</span>`);
  const time = `${formatDuration(row.durationMs)}${row.ok ? `, ${formatBytes(row.bytes)}` : ''}`;
  return html`<tr><td class="verdict ${css}">${word}</td><td class="outcome">${row.label}</td><td class="url">${link(row.url)}${target(row)}</td><td class="why">${row.message}${notes}</td><td class="time">${time}</td><td class="place">${place(row)}</td></tr>
`;
}

function slowRow(row: Row): Markup {
  return html`<tr><td class="time">${formatDuration(row.durationMs)}</td><td class="outcome">${row.label}</td><td class="url">${link(row.url)}</td><td class="place">${place(row)}</td></tr>
`;
}

function redirectRow(row: Row): Markup {
  return html`<tr><td class="url">${link(row.url)}</td><td class="url">${row.finalUrl === '' ? '–' : row.finalUrl}</td><td class="outcome">${row.hops} → ${row.label}</td><td class="place">${place(row)}</td></tr>
`;
}

/** A name, how often, and a bar that is as long as its share of the largest. */
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

/** Only a whole URL of the web is a link: never `javascript:`, never one that was cut. */
function link(url: string): Markup {
  return /^https?:\/\/[\x21-\x7e]+$/.test(url)
    ? html`<a href="${url}" rel="noopener noreferrer nofollow">${url}</a>`
    : html`${url === '' ? '–' : url}`;
}

const KEY = html`<small><span class="key ok"></span>OK<span class="key fail"></span>failed</small>`;

/** Failures by kind and by host; nothing when there are none. */
function failureSections({ worstHosts }: ReportSummary, groups: readonly Group[]): Markup {
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
function chartSections({ latency, timeline }: PageData): Markup {
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
function resultSection(data: PageData, groups: readonly Group[]): Markup {
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

/**
 * `--report html`: one page without any other file. It loads nothing, and its policy lets no style and no script run but
 * its own, by their hashes; without scripts it lacks the filter alone.
 */
export function htmlReport(output: LineOutput): Sink {
  const data = new PageData();
  return {
    write: (result) => data.add(result),
    async end() {
      for (const part of page(data)) await output.write(String(part));
      await output.end();
    },
  };
}

function page(data: PageData): readonly Markup[] {
  const summary = data.fold.summary();
  const groups = data.samples.groups();
  // No part of the template below: bundlers rewrite a tagged template with such an end in it, and call a package for that.
  const script = Markup.own(`<script>${SCRIPT}</script>`);
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
<style>${Markup.own(STYLE)}</style>
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
