import { formatCount } from '../../format-count.ts';
import { formatDuration } from '../../format-duration.ts';
import type { LatencyBucket } from '../latency-buckets.ts';
import type { TimeBucket } from '../time-buckets.ts';
import { html, type Markup } from './markup.ts';

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
export function shareBar(share: number): Markup {
  const width = Math.max(1, Math.round(share * 1000) / 10);
  return html`<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="8"/></svg>`;
}

/** How many results took how long. */
export function latencyChart(buckets: readonly LatencyBucket[]): Markup {
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
export function timelineChart(buckets: readonly TimeBucket[], widthMs: number): Markup {
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
