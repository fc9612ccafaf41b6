import { expect, test } from 'vitest';
import { LatencyHistogram } from '../../src/model/summary.ts';
import { seededRandom } from '../seeded-random.ts';

function percentilesOf(durations: Iterable<number>) {
  const histogram = new LatencyHistogram();
  for (const duration of durations) histogram.record(duration);
  return histogram.percentiles();
}

function exact(durations: number[], percent: number): number {
  const sorted = durations.toSorted((a, b) => a - b);
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? Number.NaN;
}

test('percentiles() of nothing is nothing', () => {
  expect(percentilesOf([])).toBeUndefined();
});

test('percentiles() of one duration is that duration', () => {
  expect(percentilesOf([12])).toEqual({
    p50: expect.closeTo(12, 1),
    p90: expect.closeTo(12, 1),
    p99: expect.closeTo(12, 1),
  });
});

test.each([
  ['even', (random: number) => random * 1000],
  ['long-tailed', (random: number) => 5 / (1.0001 - random)],
  ['tiny', (random: number) => random * 0.5],
])('percentiles() of 50,000 %s durations are within 0.1 %% or 1 µs of the exact ones', (_name, shape) => {
  const random = seededRandom(7);
  const durations = Array.from({ length: 50_000 }, () => shape(random()));
  const found = percentilesOf(durations);
  for (const [percent, value] of [
    [50, found?.p50],
    [90, found?.p90],
    [99, found?.p99],
  ] as const) {
    const truth = exact(durations, percent);
    expect(Math.abs((value ?? Number.NaN) - truth)).toBeLessThanOrEqual(truth * 0.001 + 0.001);
  }
});

test.each([0, -5, Number.NaN])('record() takes the odd duration %d as the shortest there is', (duration) => {
  expect(percentilesOf([duration])?.p99).toBeLessThanOrEqual(0.001);
});

test('record() counts what is longer than a day as a day', () => {
  const day = 24 * 3600 * 1000;
  expect(percentilesOf([day * 1000, Number.POSITIVE_INFINITY])?.p50).toBeCloseTo(day, -6);
});
