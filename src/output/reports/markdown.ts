import { printable } from '../../model/printable.ts';
import type { FailingHost } from '../../model/summary.ts';
import type { Sink } from '../../results/sink.ts';
import { failedText, formatBytes, formatDuration, succeededText } from '../format.ts';
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

/**
 * Text from outside as a code span that may stand in a table (GitHub Flavored Markdown, sections 4.10 and 6.3). In a code
 * span nothing is markup, a link, a mention or an image; only the fence and the borders of the cell have to be minded.
 */
function code(text: string, maxLength: number): string {
  const shown = printable(text, maxLength).replace(/\p{Cs}/gu, '\ufffd');
  if (shown.trim() === '') return '–';
  const longest = Math.max(0, ...Array.from(shown.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // A backslash before the one that saves the bar could take that one's meaning away.
  const inCell = shown.replace(/\\(?=\|)/g, '\\ ').replaceAll('|', '\\|');
  const pad = /^[` ]|[` ]$/.test(shown) ? ' ' : '';
  return `${fence}${pad}${inCell}${pad}${fence}`;
}

const TITLES: Readonly<Record<Section, string>> = {
  failed: '',
  flaky: ' (bad, but not often enough to fail the run)',
  known: ' (known)',
  warned: ' (warning)',
  mended: ' (mended)',
};

/** So many rows are shown open; more of them are folded away. */
const OPEN_ROWS = 20;
/** What a group has besides its rows, in bytes, at most. */
const FRAME_BYTES = 300;
const MAX_URL = 300;
const MAX_PLACE = 120;
const MAX_MESSAGE = 200;

/** A table for each group, folded when there are many rows, in at most `maxBytes` of UTF-8. What is left out is said. */
function markdownGroups(groups: readonly Group[], maxBytes: number): string {
  const isOpen = groups.reduce((sum, { count }) => sum + count, 0) <= OPEN_ROWS;
  let text = '';
  for (const [index, group] of groups.entries()) {
    const left = maxBytes - Buffer.byteLength(text) - FRAME_BYTES;
    // Each group gets an equal share of what is left, so that the largest does not take the place of all others.
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

function rowText({ url, source, line, message, notes, finalUrl }: Row): string {
  const end = finalUrl === '' ? '' : ` → ${code(finalUrl, MAX_URL)}`;
  const why = message === '' && notes.length > 0 ? '' : code(message, MAX_MESSAGE);
  const told = notes.length > 0 ? ` (${notes.join(', ')})` : '';
  return `| ${code(url, MAX_URL)}${end} | ${code(`${source}:${line}`, MAX_PLACE)} | ${why}${told} |\n`;
}

const MARKS = { good: '✅', bad: '❌', nothing: '⚠️' };
const MAX_HOST = 200;

/** The verdict as a heading, and the counts in one line. */
function markdownHead(summary: ReportSummary): string {
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
function markdownHosts(hosts: readonly FailingHost[]): string {
  if (hosts.length === 0) return '';
  const rows = hosts.map(
    ({ host, failures, overcount }) =>
      `| ${code(host, MAX_HOST)} | ${failures - overcount}${overcount > 0 ? '+' : ''} |\n`,
  );
  return `\n| Host | Failures |\n| --- | ---: |\n${rows.join('')}`;
}

/** GitHub takes comments of 65,536 characters and job summaries of 1 MiB; what is more is left out, and it is said. */
const MAX_BYTES = 60_000;

const LIMITS = { section: 500, group: 200 };

/** `--report markdown`: a verdict, the worst hosts, and tables of failures by kind, in the length of one comment. */
export function markdownReport(output: LineOutput): Sink {
  const fold = new ReportFold();
  const samples = new Samples(LIMITS);
  return {
    write(result) {
      fold.add(result);
      samples.add(result);
    },
    async end() {
      const summary = fold.summary();
      const head = markdownHead(summary) + markdownHosts(summary.worstHosts);
      await output.write(head + markdownGroups(samples.groups(), MAX_BYTES - Buffer.byteLength(head)));
      await output.end();
    },
  };
}
