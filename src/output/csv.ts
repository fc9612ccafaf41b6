import { printable } from '../model/printable.ts';
import { type Result, verdictOf } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import type { LineOutput } from './line-writer.ts';

const COLUMNS =
  'index,source,line,input,id,url,finalUrl,method,ok,status,attempts,redirects,bytes,truncated,contentType,' +
  'startedAt,durationMs,ttfbMs,totalMs,kind,code,message,verdict,baseline,badRuns';

const NOT_PLAIN = /^ *[=+\-@]|; *[=+\-@]|[",]|[^\x20-\x7e]|##\[/;
/**
 * The place before a formula: at the start, or after what a spreadsheet may take for the start of a cell, which depends on its
 * language. Full-width forms count, too, because spreadsheets in some locales accept them.
 */
const FORMULA = /(?:^[\t\r\n]*|(?<=[;"])) *(?=[=+\-@＝＋－＠])|^(?=[\t\r\n])/g;

/**
 * `--format csv` and `--report csv`: a header, then one line per result with the keys of the record. `redirects` is the
 * number of redirects; `kind`, `code` and `message` are those of the failure or warning.
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
  const problem = result.failure ?? result.warning;
  return (
    `${result.index},${cell(result.source)},${result.line},${cell(result.input)},${cell(result.id)},${cell(result.url)},` +
    `${cell(result.finalUrl)},${cell(result.method)},${result.ok},${result.status ?? ''},${result.attempts},` +
    `${result.redirects.length},${result.bytes},${result.truncated},${cell(result.contentType)},` +
    `${new Date(result.startedAt).toISOString()},${tenths(result.durationMs)},` +
    `${result.ttfbMs === undefined ? '' : tenths(result.ttfbMs)},${tenths(result.totalMs)},` +
    `${cell(problem?.kind)},${cell(problem?.code)},${cell(problem?.message)},` +
    `${verdictOf(result)},${result.baseline ?? ''},${result.badRuns ?? ''}`
  );
}

/**
 * One cell, quoted as in RFC 4180. Control characters are escaped, so that a record is always one line. An apostrophe
 * precedes what a spreadsheet could evaluate as a formula (OWASP, "CSV Injection").
 */
function cell(text: string | undefined): string {
  if (text === undefined) return '';
  if (!NOT_PLAIN.test(text)) return text;
  const safe = printable(text.replace(FORMULA, "'$&"), Number.POSITIVE_INFINITY);
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rounds to one decimal. */
function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
