import type { Sink } from '../collect/sink.ts';
import { printable } from '../model/printable.ts';
import type { FailedResult, OkResult, Result } from '../model/result.ts';
import { formatBytes } from './format-bytes.ts';
import { formatDuration } from './format-duration.ts';
import type { LineOutput } from './line-writer.ts';
import type { Paint } from './paint.ts';

const NOT_PLAIN_OR_SPACE = /[^\x21-\x7e]/;

/** `--format text`: one line for each result, as `CLI.md` shows it. */
export function textSink(output: LineOutput, paint: Paint): Sink {
  const line = textLine(paint);
  return {
    write: (result) => output.write(line(result)),
    end: () => output.end(),
  };
}

/** Returns the function that makes a line with its newline. The first three columns never hold white space. */
export function textLine(paint: Paint): (result: Result) => string {
  const okVerdict = `${paint.ok('OK  ')}  `;
  const failVerdict = `${paint.fail('FAIL')}  `;
  return (result) =>
    result.ok
      ? `${okVerdict}${result.status ?? '-'}  ${urlColumn(result.url)}  ${okDetails(result, paint)}\n`
      : `${failVerdict}${failureColumn(result)}  ${urlColumn(result.url)}  ${failDetails(result, paint)}\n`;
}

/** `1.2kB 34ms (3 attempts, truncated) -> https://example.com/final`. */
function okDetails(result: OkResult, paint: Paint): string {
  const cost = paint.dim(`${formatBytes(result.bytes)} ${formatDuration(result.durationMs)}`);
  const end = result.finalUrl === undefined ? '' : ` -> ${urlColumn(result.finalUrl)}`;
  return cost + notes(result, paint) + end;
}

/** `12ms  Not Found (3 attempts)`. */
function failDetails(result: FailedResult, paint: Paint): string {
  const { message } = result.failure;
  const time = formatDuration(result.durationMs);
  if (message === '') return paint.dim(time) + notes(result, paint);
  return `${paint.dim(time.padEnd(4))}  ${printable(message)}${notes(result, paint)}`;
}

function failureColumn({ failure, status }: FailedResult): string {
  return failure.kind === 'status' && status !== undefined ? String(status) : failure.kind;
}

function notes({ attempts, truncated }: Result, paint: Paint): string {
  if (attempts < 2 && !truncated) return '';
  const tries = attempts < 2 ? '' : `${attempts} attempts`;
  const cut = truncated ? 'truncated' : '';
  return ` ${paint.warn(`(${tries}${tries && cut && ', '}${cut})`)}`;
}

/** A serialised URL is printable ASCII already; what an invalid line held is made so, spaces as `%20`. */
function urlColumn(url: string): string {
  if (url === '') return '-';
  if (!NOT_PLAIN_OR_SPACE.test(url)) return url;
  return printable(url, Number.POSITIVE_INFINITY).replace(/\s/g, (space) => encodeURIComponent(space));
}
