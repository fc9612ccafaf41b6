import { expect, test } from 'vitest';
import { failsRun, movedTo, verdictOf } from '../../src/model/result.ts';
import { failedResult, okResult } from './a-result.ts';

test('verdictOf() is OK, WARN or FAIL', () => {
  expect(verdictOf(okResult())).toBe('OK');
  expect(verdictOf(okResult({ warning: { kind: 'blocked', message: 'go away' } }))).toBe('WARN');
  expect(verdictOf(failedResult('dns'))).toBe('FAIL');
});

test('failsRun() is true for failures that are not in the baseline and occurred often enough', () => {
  expect(failsRun(okResult({ warning: { kind: 'blocked', message: 'go away' } }))).toBe(false);
  expect(failsRun(failedResult('dns'))).toBe(true);
  expect(failsRun(failedResult('dns', { baseline: 'new' }))).toBe(true);
  expect(failsRun(failedResult('dns', { baseline: 'known' }))).toBe(false);
  expect(failsRun(failedResult('dns', { badRuns: 1 }))).toBe(false);
});

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((path) => `https://example.com/${path}`) as [
  string,
  string,
  string,
  string,
];

test.each([
  ['nothing', [], undefined, undefined],
  ['a permanent redirect', [[301, A]], B, B],
  [
    'two of them',
    [
      [308, A],
      [301, B],
    ],
    C,
    C,
  ],
  ['a temporary one', [[302, A]], B, undefined],
  [
    'a permanent one, then temporary ones',
    [
      [301, A],
      [302, B],
      [301, C],
    ],
    D,
    B,
  ],
  [
    'a temporary one, then a permanent one',
    [
      [307, A],
      [301, B],
    ],
    C,
    undefined,
  ],
  [
    'a circle',
    [
      [301, A],
      [302, B],
    ],
    A,
    B,
  ],
  ['one to itself', [[301, A]], undefined, undefined],
])('movedTo() of %s', (_, hops, finalUrl, target) => {
  const redirects = (hops as [number, string][]).map(([status, url]) => ({ status, url }));
  const changes = { url: A, finalUrl, redirects };
  expect(movedTo(okResult(changes))).toBe(target);
  expect(movedTo(failedResult('redirect', changes))).toBe(target);
  expect(movedTo(failedResult('status', changes))).toBeUndefined();
});
