import { expect, test } from 'vitest';
import { failsRun, verdictOf } from '../../src/model/result.ts';
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
