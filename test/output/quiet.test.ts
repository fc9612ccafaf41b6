import { expect, test } from 'vitest';
import { quiet } from '../../src/cli/outputs.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { RecordingSink } from '../results/recording-sink.ts';

test('quiet() hands on the failures alone, and the end', async () => {
  const sink = new RecordingSink();
  const filter = quiet(sink);
  filter.write(okResult({ index: 0 }));
  filter.write(failedResult('dns', { index: 1 }));
  filter.write(okResult({ index: 2 }));
  const summary = new SummaryFold().summary(0);
  await filter.end(summary);
  expect(sink).toMatchObject({ indexes: [1], summaries: [summary] });
});

test('quiet() hands on the back-pressure of its sink', async () => {
  const filter = quiet(new RecordingSink(() => Promise.resolve()));
  expect(filter.write(failedResult('dns'))).toBeInstanceOf(Promise);
  expect(filter.write(okResult())).toBeUndefined();
});
