import { formatDuration } from './format-duration.ts';

/** What the bar shows of a run. */
export interface Progress {
  /** Finished, skipped ones included. */
  readonly done: number;
  /** Nothing while it is not known, which may be for ever. */
  readonly total?: number | undefined;
  readonly ok: number;
  readonly failed: number;
  readonly inFlight: number;
}

const SHORTEST_BAR = 10;
const LONGEST_BAR = 30;

/**
 * The text of the bar, never longer than `width`: ` 12% [===-------] 12/100  OK 11  FAIL 1  8/s  ETA 11s  4 in flight`.
 *
 * @param rate finished URLs a second
 * @param drawBar draws a bar of a given length for a fraction from 0 to 1
 */
export function barLine(
  progress: Progress,
  rate: number,
  width: number,
  drawBar: (fraction: number, length: number) => string,
): string {
  const { done, total, ok, failed, inFlight } = progress;
  const counts = [`OK ${ok}`, `FAIL ${failed}`, `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`];
  const flying = `${inFlight} in flight`;
  if (total === undefined) return fitting([`${done} done`, ...counts, flying], width);
  const fraction = total > 0 ? Math.min(1, done / total) : 1;
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const fields = [`${done}/${total}`, ...counts, `ETA ${timeLeft(total - done, rate)}`, flying];
  const text = fitting(fields, width - percent.length - 1);
  const length = Math.min(LONGEST_BAR, width - percent.length - text.length - 4);
  const bar = length < SHORTEST_BAR ? ' ' : ` [${drawBar(fraction, length)}] `;
  return (percent + bar + text).slice(0, width);
}

/** As many of the fields as fit: the half of a number would be another number. */
function fitting(fields: readonly string[], width: number): string {
  const text = fields.join('  ');
  return text.length <= width || fields.length === 1
    ? text.slice(0, width)
    : fitting(fields.slice(0, -1), width);
}

function timeLeft(count: number, rate: number): string {
  if (count <= 0) return '0s';
  if (rate <= 0) return '-';
  const seconds = Math.max(1, Math.ceil(count / rate));
  return seconds < 60 ? `${seconds}s` : formatDuration(seconds * 1000);
}
