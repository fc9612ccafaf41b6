import type { Summary } from '../model/summary.ts';

/** `9 succeeded (2 warned, 1 mended)`. */
export function succeededText({ ok, warned, mended }: Pick<Summary, 'ok' | 'warned' | 'mended'>): string {
  return `${ok} succeeded${parts({ warned, mended })}`;
}

/** `6 failed (1 new, 3 known, 2 flaky)`. */
export function failedText(counts: Pick<Summary, 'failed' | 'new' | 'known' | 'flaky'>): string {
  const { failed, known, flaky } = counts;
  return `${failed} failed${parts({ new: counts.new, known, flaky })}`;
}

function parts(counts: Readonly<Record<string, number>>): string {
  const shown = Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []));
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`;
}
