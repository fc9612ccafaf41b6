import { expect, test } from 'vitest';
import { stackSink } from '../../src/cli/commands/fetch.ts';
import { failedResult, okResult } from '../model/a-result.ts';

test('stackSink() writes the stack of each result of kind internal, printable', () => {
  const messages: string[] = [];
  const sink = stackSink({ error: (message) => messages.push(message) });
  const stack = 'TypeError: \u001b[2J\n    at f (x.ts:1:1)';
  sink.write(okResult());
  sink.write(failedResult('dns'));
  sink.write(failedResult('internal', { failure: { kind: 'internal', message: 'a bug', stack } }));
  expect(messages).toEqual([
    'bug at https://example.com/1, please report it: TypeError: \\u{1b}[2J\n    at f (x.ts:1:1)',
  ]);
});
