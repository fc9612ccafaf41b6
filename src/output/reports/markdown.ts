import { printable } from '../../model/printable.ts';
import type { FailingHost } from '../../model/summary.ts';
import type { Sink } from '../../results/sink.ts';
import { formatBytes, formatDuration, runCountsText } from '../format.ts';
import type { LineOutput } from '../line-writer.ts';
import {
  type Group,
  ReportFold,
  type ReportSummary,
  type Row,
  Samples,
  type Section,
  verdictLine,
} from './aggregate.ts';

/** Limit of the report, so that it fits a comment on GitHub (65,536 characters) and a job summary (1 MiB). */
const MAX_BYTES = 60_000;

const LIMITS = { section: 500, group: 200 };

/** Groups are folded if there are more rows than this. */
const MAX_OPEN_ROWS = 20;

/** Upper bound for the bytes of a group without its rows. */
const FRAME_BYTES = 300;

const MAX_URL = 300;
const MAX_NAME = 120;
const MAX_PLACE = 120;
const MAX_MESSAGE = 200;
const MAX_HOST = 200;

const MARKS = { good: '✅', bad: '❌', nothing: '⚠️' };

const TITLES: Readonly<Record<Section, string>> = {
  failed: '',
  notFetched: '',
  flaky: ' (bad, but not often enough to fail the run)',
  known: ' (known)',
  warned: ' (warning)',
  fixed: ' (fixed)',
};

/** `--report markdown`: a verdict, the hosts with most failures, and tables of findings, short enough for a comment. */
export function markdownReport(output: LineOutput): Sink {
  const fold = new ReportFold();
  const samples = new Samples(LIMITS);
  return {
    write(result) {
      fold.add(result);
      samples.add(result);
    },
    async end(run) {
      const summary = fold.summary(run);
      const start = headText(summary) + hostsText(summary.worstHosts);
      await output.write(start + groupsText(samples.groups(), MAX_BYTES - Buffer.byteLength(start)));
      await output.end();
    },
  };
}

/** The verdict as a heading, and the counts in one line. */
function headText(summary: ReportSummary): string {
  const { startedAt, endedAt, latencyMs, bytes } = summary;
  const { mood, text } = verdictLine(summary);
  const facts = [runCountsText(summary), formatBytes(bytes)];
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

/** The hosts with most failures that fail the run, with `+` if only a lower bound is known. */
function hostsText(hosts: readonly FailingHost[]): string {
  if (hosts.length === 0) return '';
  const rows = hosts.map(
    ({ host, failures, overcount }) =>
      `| ${code(host, MAX_HOST)} | ${failures - overcount}${overcount > 0 ? '+' : ''} |\n`,
  );
  return `\n| Host | Failures |\n| --- | ---: |\n${rows.join('')}`;
}

/** A table for each group, in at most `maxBytes` of UTF-8, with the number of rows and groups that are left out. */
function groupsText(groups: readonly Group[], maxBytes: number): string {
  const isOpen = groups.reduce((sum, { count }) => sum + count, 0) <= MAX_OPEN_ROWS;
  let text = '';
  for (const [index, group] of groups.entries()) {
    const left = maxBytes - Buffer.byteLength(text) - FRAME_BYTES;
    // Groups share the remaining bytes equally, so that a large group leaves room for the others.
    const share = Math.floor(left / (groups.length - index)) - FRAME_BYTES;
    if (left < 2 * FRAME_BYTES) return `${text}\n${groups.length - index} more groups are left out.\n`;
    text += groupText(group, isOpen, Math.max(0, share));
  }
  return text;
}

function groupText({ section, label, count, rows }: Group, isOpen: boolean, maxBytes: number): string {
  let table = '';
  let shown = 0;
  for (const row of rows) {
    const line = rowText(row);
    if (Buffer.byteLength(table) + Buffer.byteLength(line) > maxBytes) break;
    table += line;
    shown += 1;
  }
  const rest = count > shown ? `\n${count - shown} more are left out.\n` : '';
  const head = shown > 0 ? '| URL | Where | Why |\n| --- | --- | --- |\n' : '';
  const title = `<b>${label}</b>: ${count} ${count === 1 ? 'URL' : 'URLs'}${TITLES[section]}`;
  return `\n<details${isOpen ? ' open' : ''}><summary>${title}</summary>\n\n${head}${table}${rest}\n</details>\n`;
}

function rowText({ url, name, source, line, message, notes, finalUrl }: Row): string {
  const target = finalUrl === '' ? '' : ` → ${code(finalUrl, MAX_URL)}`;
  const reason = message === '' && notes.length > 0 ? '' : code(message, MAX_MESSAGE);
  const suffix = notes.length > 0 ? ` (${notes.join(', ')})` : '';
  const named = name === '' ? '' : ` ${code(name.trim(), MAX_NAME)}`;
  return `| ${code(url, MAX_URL)}${named}${target} | ${code(`${source}:${line}`, MAX_PLACE)} | ${reason}${suffix} |\n`;
}

/**
 * Untrusted text as a code span in a table cell (GitHub Flavored Markdown, sections 4.10 and 6.3). Within a code span there is
 * no markup, link, mention or image, so only backticks and the cell separator need care.
 */
function code(text: string, maxLength: number): string {
  const shown = printable(text, maxLength).replace(/\p{Cs}/gu, '\ufffd');
  if (shown.trim() === '') return '–';
  const longest = Math.max(0, ...Array.from(shown.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // A backslash before the one that escapes the bar could cancel that escape.
  const inCell = shown.replace(/\\(?=\|)/g, '\\ ').replaceAll('|', '\\|');
  const pad = /^[` ]|[` ]$/.test(shown) ? ' ' : '';
  return `${fence}${pad}${inCell}${pad}${fence}`;
}
