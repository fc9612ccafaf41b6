import type { FailingHost } from '../../../model/summary.ts';
import { formatBytes } from '../../format-bytes.ts';
import { formatCount } from '../../format-count.ts';
import { formatDuration } from '../../format-duration.ts';
import type { Row, Section } from '../samples.ts';
import { shareBar } from './charts.ts';
import { html, type Markup } from './markup.ts';

/** A section of the samples, or what is no more than OK. */
export type Standing = Section | 'ok';

const WORDS: Readonly<Record<Standing, readonly [css: string, word: string]>> = {
  failed: ['fail', 'FAIL'],
  flaky: ['warn', 'FAIL'],
  known: ['warn', 'FAIL'],
  warned: ['warn', 'WARN'],
  mended: ['ok', 'OK'],
  ok: ['ok', 'OK'],
};

/** One line of the table of results. */
export function resultRow(standing: Standing, row: Row): Markup {
  const [css, word] = WORDS[standing];
  const notes = row.notes.map((note) => html` <span class="note">${note}</span>`);
  const time = `${formatDuration(row.durationMs)}${row.ok ? `, ${formatBytes(row.bytes)}` : ''}`;
  return html`<tr><td class="verdict ${css}">${word}</td><td class="outcome">${row.label}</td><td class="url">${link(row.url)}${target(row)}</td><td class="why">${row.message}${notes}</td><td class="time">${time}</td><td class="place">${place(row)}</td></tr>
`;
}

export function slowRow(row: Row): Markup {
  return html`<tr><td class="time">${formatDuration(row.durationMs)}</td><td class="outcome">${row.label}</td><td class="url">${link(row.url)}</td><td class="place">${place(row)}</td></tr>
`;
}

export function redirectRow(row: Row): Markup {
  return html`<tr><td class="url">${link(row.url)}</td><td class="url">${row.finalUrl === '' ? '–' : row.finalUrl}</td><td class="outcome">${row.hops} → ${row.label}</td><td class="place">${place(row)}</td></tr>
`;
}

/** A name, how often, and a bar that is as long as its share of the largest. */
export function countRow(name: string, count: number, most: number, isLowerBound = false): Markup {
  return html`<tr><th scope="row">${name}</th><td class="bar">${shareBar(count / most)}</td><td class="number">${formatCount(count)}${isLowerBound ? '+' : ''}</td></tr>
`;
}

export function hostRows(hosts: readonly FailingHost[]): readonly Markup[] {
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
