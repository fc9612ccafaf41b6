import { printable } from '../model/printable.ts';
import type { Result, Verdict } from '../model/result.ts';
import type { SkipReason, Summary } from '../model/summary.ts';

const BYTE_UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'];

/** A number of bytes in the units of `--max-size`, which are powers of 1024: `34B`, `1.2kB`, `340kB`, `10MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let scaled = bytes / 1024;
  let unit = 0;
  // 1023.5 of a unit would be shown as 1024 of it.
  while (scaled >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return oneDecimal(scaled) + BYTE_UNITS[unit];
}

/** Uses integer arithmetic, because `toFixed` costs as much as the rest of a line. */
function oneDecimal(scaled: number): string {
  const tenths = Math.round(scaled * 10);
  if (tenths >= 1000) return String(Math.round(scaled));
  const whole = Math.floor(tenths / 10);
  return tenths % 10 === 0 ? String(whole) : `${whole}.${tenths % 10}`;
}

/** A count with separators: `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A duration: `0.4ms`, `12ms`, `1.24s`, `12.4s`, `2m05s`, `1h02m`. */
export function formatDuration(ms: number): string {
  if (ms < 0.95) return ms >= 0.05 ? `0.${Math.round(ms * 10)}ms` : '0ms';
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 9_995) {
    const hundredths = Math.round(ms / 10);
    return `${Math.floor(hundredths / 100)}.${twoDigits(hundredths % 100)}s`;
  }
  if (ms < 59_950) {
    const tenths = Math.round(ms / 100);
    return `${Math.floor(tenths / 10)}.${tenths % 10}s`;
  }
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${twoDigits(seconds % 60)}s`;
  const minutes = Math.round(ms / 60_000);
  return `${Math.floor(minutes / 60)}h${twoDigits(minutes % 60)}m`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

const NOT_PLAIN_OR_SPACE = /[^\x21-\x7e]|##\[/;

/**
 * A URL as a column: not empty, without white space and control characters, never truncated. Valid URLs are printable ASCII
 * already; in an invalid one, white space is percent-encoded.
 */
export function urlColumn(url: string): string {
  if (url === '') return '-';
  if (!NOT_PLAIN_OR_SPACE.test(url)) return url;
  return printable(url, Number.POSITIVE_INFINITY).replace(/\s/g, (space) => encodeURIComponent(space));
}

/** What tells jobs with one URL apart: the id, or else the line of a job that most likely has a body. */
export function jobName({
  id,
  method,
  line,
  source,
}: Pick<Result, 'id' | 'method' | 'line' | 'source'>): string | undefined {
  if (id !== undefined) return id;
  return method === 'GET' || method === 'HEAD' || source === 'arguments' ? undefined : `line ${line}`;
}

/** ` [order 7]`, to be written behind a URL; empty if nothing tells jobs with this URL apart. */
export function nameSuffix(result: Pick<Result, 'id' | 'method' | 'line' | 'source'>): string {
  const name = jobName(result);
  return name === undefined ? '' : ` [${printable(name, 100)}]`;
}

type RunCounts = Pick<
  Summary,
  | 'ok'
  | 'warned'
  | 'fixed'
  | 'failed'
  | 'known'
  | 'flaky'
  | 'notFetched'
  | 'isListComplete'
  | 'resumedByVerdict'
> &
  Partial<Pick<Summary, 'skipped' | 'skippedByReason'>>;

const SKIP_WORDS: Readonly<Record<SkipReason, readonly [one: string, several: string]>> = {
  excluded: ['excluded', 'excluded'],
  duplicate: ['duplicate', 'duplicates'],
  scheme: ['other scheme', 'other schemes'],
};

/** Why lines were skipped: `3 excluded, 1 duplicate`; empty if that is not known. */
export function skipReasonsText(reasons: Summary['skippedByReason'] = {}): string {
  const parts = Object.entries(SKIP_WORDS).map(([reason, words]) => {
    const count = reasons[reason as SkipReason] ?? 0; // the keys of a record that has each reason
    return count === 0 ? '' : `${formatCount(count)} ${words[count === 1 ? 0 : 1]}`;
  });
  return parts.filter((part) => part !== '').join(', ');
}

/**
 * The URLs of a run by verdict: `9 succeeded (1 fixed, 4 from the journal), 2 failed, 1 warning, 3 known, 20 not fetched`. Failures below
 * `--flaky-after` are warnings. `earlier` names what has the results of earlier runs.
 */
export function runCountsText(counts: RunCounts, paint: Paint = plain): string {
  const { ok, warned, fixed, failed, known, flaky, notFetched, isListComplete, skipped = 0 } = counts;
  const failing = failed - known - flaky;
  const warnings = warned + flaky;
  const resumed = (verdict: Verdict, before = '') => {
    const count = counts.resumedByVerdict?.[verdict] ?? 0;
    const notes = [before, count > 0 ? `${count} from the journal` : ''].filter((note) => note !== '');
    return notes.length > 0 ? ` (${notes.join(', ')})` : '';
  };
  const parts = [
    paint.ok(`${ok - warned} succeeded${resumed('OK', fixed > 0 ? `${fixed} fixed` : '')}`),
    failing > 0 ? paint.fail(`${failing} failed${resumed('FAIL')}`) : '0 failed',
  ];
  if (warnings > 0)
    parts.push(paint.warn(`${warnings === 1 ? '1 warning' : `${warnings} warnings`}${resumed('WARN')}`));
  if (known > 0) parts.push(`${known} known${resumed('KNOWN')}`);
  if (notFetched > 0) parts.push(paint.fail(`${notFetched} not fetched`));
  if (!isListComplete) parts.push(paint.fail('the rest of the list was not read'));
  if (skipped > 0) {
    const reasons = skipReasonsText(counts.skippedByReason);
    parts.push(`${skipped} skipped${reasons === '' ? '' : ` (${reasons})`}`);
  }
  return parts.join(', ');
}

/** Colours by meaning. Text is padded before it is painted, so that colours do not move a column. */
export interface Paint {
  ok(text: string): string;
  fail(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  strong(text: string): string;
}

const unchanged = (text: string): string => text;

/** No colours. */
export const plain: Paint = {
  ok: unchanged,
  fail: unchanged,
  warn: unchanged,
  dim: unchanged,
  strong: unchanged,
};

/** `README.md:12:3`: source, line, and the column if it is known. */
export function place({ source, line, column }: Pick<Result, 'source' | 'line' | 'column'>): string {
  return `${source}:${line}${column === undefined ? '' : `:${column}`}`;
}
