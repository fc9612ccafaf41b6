import { printable } from '../../model/printable.ts';
import { BadValue } from '../bad-value.ts';

/** The values of a repeatable option: one text, or a list of them. Throws `BadValue` with the wish. */
export function linesOf(value: unknown, wish: string): readonly string[] {
  const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
  return lines.map((line) => {
    if (typeof line !== 'string') throw new BadValue(wish);
    return line.trim();
  });
}

/** What a message shows of such a value. */
export function showLines(value: unknown): string {
  const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
  return lines
    .map((line) => (typeof line === 'string' ? `"${printable(line, 200)}"` : 'a value that is no text'))
    .join(', ');
}
