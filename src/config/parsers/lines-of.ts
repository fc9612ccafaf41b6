import { BadValue } from '../bad-value.ts';

/** The values of a repeatable option: one text, or a list of them. Throws `BadValue` with the wish. */
export function linesOf(value: unknown, wish: string): readonly string[] {
  const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
  return lines.map((line) => {
    if (typeof line !== 'string') throw new BadValue(wish);
    return line.trim();
  });
}
