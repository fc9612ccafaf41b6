import { type RecordKey, TLS_FIELDS } from '../config/parse/record-format.ts';
import { printable } from '../model/printable.ts';
import { type Result, verdictOf } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import type { LineOutput } from './line-writer.ts';
import { tlsFact } from './text.ts';

const COLUMNS =
  'index,source,line,input,id,url,finalUrl,method,ok,status,attempts,redirects,bytes,truncated,contentType,' +
  'startedAt,durationMs,ttfbMs,totalMs,kind,code,message,verdict,baseline,badRuns';

const NOT_PLAIN = /^ *[=+\-@]|; *[=+\-@]|[",]|[^\x20-\x7e]|##\[/;
/**
 * The place before a formula: at the start, or after what a spreadsheet may take for the start of a cell, which depends on its
 * language. Full-width forms count, too, because spreadsheets in some locales accept them.
 */
const FORMULA = /(?:^[\t\r\n]*|(?<=[;"])) *(?=[=+\-@＝＋－＠])|^(?=[\t\r\n])/g;

type MoreKeys = readonly RecordKey[];

/**
 * `--format csv` and `--report csv`: a header, then one line per result with the keys of the record. `redirects` is the
 * number of redirects; `kind`, `code` and `message` are those of the failure or warning. Columns of `keeps` are added; if that
 * is unset, those of what the first result has.
 */
export function csvSink(output: LineOutput, keeps?: MoreKeys): Sink {
  let columns = keeps;
  let hasHeader = false;
  const header = (keys: MoreKeys) => `${[COLUMNS, ...moreColumns(keys)].join(',')}\n`;
  return {
    write(result) {
      columns ??= MORE_KEYS.filter((key) => result[key] !== undefined);
      const lines = `${hasHeader ? '' : header(columns)}${csvLine(result)}${moreCells(result, columns)}\n`;
      hasHeader = true;
      return output.write(lines);
    },
    async end() {
      if (!hasHeader) await output.write(header(columns ?? []));
      await output.end();
    },
  };
}

const MORE_KEYS = ['address', 'title', 'tls'] as const satisfies MoreKeys;

function moreColumns(keys: MoreKeys): string[] {
  return MORE_KEYS.filter((key) => keys.includes(key)).flatMap((key) => (key === 'tls' ? TLS_FIELDS : [key]));
}

/** The cells of these columns, each after a comma. */
function moreCells(result: Result, keys: MoreKeys): string {
  if (keys.length === 0) return '';
  const values = MORE_KEYS.filter((key) => keys.includes(key)).flatMap((key) =>
    key === 'tls' ? TLS_FIELDS.map((field) => tlsFact(result, field)) : [result[key]],
  );
  return values.map((value) => `,${typeof value === 'number' ? value : cell(value)}`).join('');
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
