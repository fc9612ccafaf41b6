import { expect, test } from 'vitest';
import { barLine, MovingRate, type Progress } from '../../src/output/progress.ts';

const half: Progress = { done: 50, total: 100, ok: 48, failed: 2, inFlight: 4 };

function line(progress: Progress, rate = 5, width = 100): string {
  return barLine(progress, rate, width, (fraction, length) =>
    '='.repeat(Math.round(fraction * length)).padEnd(length, '-'),
  );
}

test('the bar shows done and total, OK, FAIL, rate, ETA and what is in flight', () => {
  expect(line(half)).toBe(
    ' 50% [===============---------------] 50/100  OK 48  FAIL 2  5.0/s  ETA 10s  4 in flight',
  );
});

test('without a total it shows counts and rate', () => {
  expect(line({ ...half, total: undefined }, 812.4)).toBe('50 done  OK 48  FAIL 2  812/s  4 in flight');
});

test('a narrow terminal has a shorter bar, then none, and never a longer line', () => {
  expect(line(half, 5, 75)).toMatch(/^ 50% \[=+-+\] 50\/100 .*in flight$/);
  expect(line(half, 5, 75).length).toBeLessThanOrEqual(75);
  expect(line(half, 5, 60)).toBe(' 50% 50/100  OK 48  FAIL 2  5.0/s  ETA 10s  4 in flight');
  expect(line(half, 5, 20)).toBe(' 50% 50/100  OK 48');
  expect(line({ ...half, total: undefined }, 5, 20)).toBe('50 done  OK 48');
});

test('a field that does not fit is left out as a whole: half of an ETA would be another one', () => {
  expect(line(half, 5, 42)).toBe(' 50% 50/100  OK 48  FAIL 2  5.0/s  ETA 10s');
  expect(line(half, 5, 41)).toBe(' 50% 50/100  OK 48  FAIL 2  5.0/s');
  expect(line({ ...half, done: 1e9, total: undefined }, 5, 8)).toBe('10000000');
});

test.each([
  [{ done: 0, total: 0 }, 0, /^100% .* ETA 0s/],
  [{ done: 0 }, 0, /^ {2}0% .* ETA - /],
  [{ done: 120 }, 5, /^100% .* 120\/100 .* ETA 0s/],
  [{ done: 99 }, 1000, /^ 99% .* ETA 1s/],
  [{ done: 0, total: 7500 }, 1, / ETA 2h05m /],
  [{ done: 999, total: 1000 }, 1, /^ 99% /],
])('odd counts make a line that holds: %j', (changes, rate, shown) => {
  expect(line({ ...half, ...changes }, rate)).toMatch(shown);
});

test('MovingRate knows no rate from one sample', () => {
  expect(new MovingRate().update(1000, 50)).toBe(0);
});

test('MovingRate gives growth a second, also between two samples it keeps', () => {
  const rate = new MovingRate();
  rate.update(0, 0);
  expect(rate.update(50, 10)).toBe(200);
  expect(rate.update(2000, 400)).toBe(200);
});

test('MovingRate forgets what is more than ten seconds ago', () => {
  const rate = new MovingRate();
  for (let second = 0; second <= 10; second += 1) rate.update(second * 1000, second * 1000);
  let last = 0;
  for (let second = 11; second <= 30; second += 1) last = rate.update(second * 1000, 10_000);
  expect(last).toBe(0);
});
