import { code } from './markdown-code.ts';
import type { Group, Row, Section } from './samples.ts';

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
export function markdownGroups(groups: readonly Group[], maxBytes: number): string {
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
