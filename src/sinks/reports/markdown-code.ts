import { printable } from '../../model/printable.ts';

/**
 * Text from outside as a code span that may stand in a table (GitHub Flavored Markdown, sections 4.10 and 6.3). In a code
 * span nothing is markup, a link, a mention or an image; only the fence and the borders of the cell have to be minded.
 */
export function code(text: string, maxLength: number): string {
  const shown = printable(text, maxLength).replace(/\p{Cs}/gu, '\ufffd');
  if (shown.trim() === '') return '–';
  const longest = Math.max(0, ...Array.from(shown.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // A backslash before the one that saves the bar could take that one's meaning away.
  const inCell = shown.replace(/\\(?=\|)/g, '\\ ').replaceAll('|', '\\|');
  const pad = /^[` ]|[` ]$/.test(shown) ? ' ' : '';
  return `${fence}${pad}${inCell}${pad}${fence}`;
}
