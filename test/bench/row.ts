/** One line of the table of results. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  /** What it is held against, such as `curl 3.1s`. */
  readonly beside?: string;
  /** The figure divided by what it is held against, or the figure itself where `target` is absolute. */
  readonly value?: number;
  readonly target?: Target;
  /** Stands in place of a verdict when nothing could be measured. */
  readonly missing?: string;
}

export interface Target {
  readonly is: 'at most' | 'at least';
  readonly value: number;
  /** `ratio` unless told otherwise. */
  readonly unit?: string;
}

const HEAD = ['what', 'figure', 'compared with', 'value', 'target', 'verdict'] as const;

/** Whether a row keeps its target; `undefined` if there is none, or nothing to hold against it. */
export function isMet({ value, target }: Row): boolean | undefined {
  if (value === undefined || target === undefined) return undefined;
  return target.is === 'at most' ? value <= target.value : value >= target.value;
}

/** The table as it is read in a terminal, or as Markdown. */
export function renderRows(rows: readonly Row[], format: 'text' | 'markdown'): string {
  const lines = [HEAD, ...rows.map(cellsOf)];
  if (format === 'markdown') {
    const [head, ...rest] = lines.map((cells) => `| ${cells.join(' | ')} |`);
    return `${[head, `|${' --- |'.repeat(HEAD.length)}`, ...rest].join('\n')}\n`;
  }
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const padded = lines.map((cells) =>
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
  );
  return `${padded.map((line) => line.trimEnd()).join('\n')}\n`;
}

function cellsOf(row: Row): readonly string[] {
  const { what, figure, beside = '', value, target, missing } = row;
  const unit = target?.unit ?? '';
  const met = isMet(row);
  const verdict = missing ?? (met === undefined ? '' : met ? 'pass' : 'MISS');
  const wish = target === undefined ? '' : `${target.is} ${target.value}${unit}`;
  return [what, figure, beside, value === undefined ? '' : `${value.toFixed(2)}${unit}`, wish, verdict];
}
