import { printable } from '../model/printable.ts';
import { type Result, verdictOf } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import type { LineOutput } from './line-writer.ts';

const COLUMNS =
  'index,source,line,id,url,finalUrl,method,ok,status,attempts,redirects,bytes,truncated,contentType,' +
  'startedAt,durationMs,ttfbMs,kind,code,message,verdict,baseline,badRuns';

const NOT_PLAIN = /^[=+\-@]|[",]|[^\x20-\x7e]|##\[/;
// The full-width forms start a formula too, in the spreadsheets of the locales that use them.
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * `--format csv`: a header line, then one line for each result with the keys of the record. `redirects` is their number;
 * kind, code and message are those of the failure or the warning.
 */
export function csvSink(output: LineOutput): Sink {
  let header = `${COLUMNS}\n`;
  return {
    write(result) {
      const lines = `${header}${csvLine(result)}\n`;
      header = '';
      return output.write(lines);
    },
    async end() {
      await output.write(header);
      await output.end();
    },
  };
}

function csvLine(result: Result): string {
  const trouble = result.failure ?? result.warning;
  return (
    `${result.index},${cell(result.source)},${result.line},${cell(result.id)},${cell(result.url)},` +
    `${cell(result.finalUrl)},${cell(result.method)},${result.ok},${result.status ?? ''},${result.attempts},` +
    `${result.redirects.length},${result.bytes},${result.truncated},${cell(result.contentType)},` +
    `${new Date(result.startedAt).toISOString()},${tenths(result.durationMs)},` +
    `${result.ttfbMs === undefined ? '' : tenths(result.ttfbMs)},` +
    `${cell(trouble?.kind)},${cell(trouble?.code)},${cell(trouble?.message)},` +
    `${verdictOf(result)},${result.baseline ?? ''},${result.badRuns ?? ''}`
  );
}

/**
 * One cell: quoted as RFC 4180 says, without control characters (so a record is always one line), and with an
 * apostrophe before what a spreadsheet would run as a formula (OWASP, "CSV Injection").
 */
function cell(text: string | undefined): string {
  if (text === undefined) return '';
  if (!NOT_PLAIN.test(text)) return text;
  const safe = (FORMULA.test(text) ? "'" : '') + printable(text, Number.POSITIVE_INFINITY);
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
