import { printable } from '../model/printable.ts';
import { bodyLength, historyNotes, outcomeLabel, type Result, verdictOf } from '../model/result.ts';
import type { Sink } from '../results/sink.ts';
import { formatBytes, formatDuration, type Paint, urlColumn } from './format.ts';
import type { LineOutput } from './line-writer.ts';

/** `--format text`: one line per result. */
export function textSink(output: LineOutput, paint: Paint): Sink {
  const line = textLine(paint);
  return {
    write: (result) => output.write(line(result)),
    end: () => output.end(),
  };
}

/** Returns the function that formats a result as a line. The first three columns contain no white space. */
export function textLine(paint: Paint): (result: Result) => string {
  const verdicts = { OK: paint.ok('OK  '), WARN: paint.warn('WARN'), FAIL: paint.fail('FAIL') };
  return (result) =>
    `${verdicts[verdictOf(result)]}  ${outcomeLabel(result)}  ${urlColumn(result.url)}  ${details(result, paint)}\n`;
}

function details(result: Result, paint: Paint): string {
  const problem = result.failure ?? result.warning;
  return problem === undefined ? okDetails(result, paint) : problemDetails(result, problem.message, paint);
}

/** `1.2kB 34ms (3 attempts, truncated) -> https://example.com/final`. */
function okDetails(result: Result, paint: Paint): string {
  const cost = paint.dim(`${formatBytes(bodyLength(result))} ${formatDuration(result.durationMs)}`);
  const end = result.finalUrl === undefined ? '' : ` -> ${urlColumn(result.finalUrl)}`;
  return cost + notes(result, paint) + end;
}

/** `12ms  Not Found (3 attempts, known)`. */
function problemDetails(result: Result, message: string, paint: Paint): string {
  const time = formatDuration(result.durationMs);
  if (message === '') return paint.dim(time) + notes(result, paint);
  return `${paint.dim(time.padEnd(4))}  ${printable(message)}${notes(result, paint)}`;
}

function notes(result: Result, paint: Paint): string {
  const { attempts, truncated, baseline, badRuns } = result;
  if (attempts < 2 && !truncated && baseline === undefined && badRuns === undefined) return '';
  const all = [...historyNotes(result)];
  if (truncated) all.unshift('truncated');
  if (attempts > 1) all.unshift(`${attempts} attempts`);
  return ` ${paint.warn(`(${all.join(', ')})`)}`;
}
