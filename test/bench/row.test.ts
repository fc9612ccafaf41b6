import { expect, test } from 'vitest';
import { isMet, type Row, renderRows } from './row.ts';

const ROW: Row = {
  what: 'w',
  figure: '2s',
  beside: 'curl 2s',
  value: 1,
  target: { is: 'at most', value: 0.85 },
};

test('A ratio above an upper target is a miss, and one at it is not', () => {
  expect(isMet(ROW)).toBe(false);
  expect(isMet({ ...ROW, value: 0.85 })).toBe(true);
});

test('A ratio below a lower target is a miss, and one at it is not', () => {
  const target = { is: 'at least', value: 0.6 } as const;
  expect(isMet({ ...ROW, value: 0.59, target })).toBe(false);
  expect(isMet({ ...ROW, value: 0.6, target })).toBe(true);
});

test('A value that is no number is a miss', () => {
  expect(isMet({ ...ROW, value: Number.NaN })).toBe(false);
});

test('A peer that is missing is named in place of a verdict', () => {
  const { value: _, ...unmeasured } = ROW;
  const table = renderRows([{ ...unmeasured, missing: 'apt-get install curl' }], 'markdown');
  expect(table).toContain('| apt-get install curl |');
  expect(table).not.toContain('MISS');
});
