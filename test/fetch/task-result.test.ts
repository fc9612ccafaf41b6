import { describe, expect, it } from 'vitest';
import { RequestTask } from '../../src/fetch/request-task.ts';
import { crashedResult, notFetchedResult } from '../../src/fetch/task-result.ts';
import { isNotFetched } from '../../src/model/result.ts';

const JOB = { index: 3, source: 'urls.txt', line: 4, id: 'mine', input: 'HTTP://a/', url: 'http://a/' };
const task = () => new RequestTask(JOB, { method: 'GET', headers: {} });

describe('crashedResult()', () => {
  it('has the message and the stack of the error', () => {
    const error = new TypeError('x is not a function');
    expect(crashedResult(task(), error)).toMatchObject({
      ...JOB,
      failure: { kind: 'internal', message: 'TypeError: x is not a function', stack: error.stack },
    });
  });

  it('has no stack if something else was thrown', () => {
    expect(crashedResult(task(), 'text').failure).toEqual({ kind: 'internal', message: 'text' });
  });
});

describe('notFetchedResult()', () => {
  it('is the result of a job for which nothing was sent', () => {
    const result = notFetchedResult(JOB, 'HEAD', 1000.5);
    expect(result).toMatchObject({ ...JOB, method: 'HEAD', attempts: 0, startedAt: 1000, totalMs: 0 });
    expect(isNotFetched(result)).toBe(true);
    expect(isNotFetched(crashedResult(task(), new Error('a bug')))).toBe(false);
  });
});

describe('a task', () => {
  it('remembers the start of its first attempt', () => {
    const first = task();
    first.begin(1000);
    first.recordHop(5, 10);
    first.begin(3000);
    first.recordHop(5, 20);
    expect(crashedResult(first, 'text')).toMatchObject({ attempts: 2, durationMs: 20, totalMs: 2020 });
  });
});
