import { expect, test } from 'vitest';
import type { Result } from '../../src/model/result.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { githubAnnotations } from '../../src/output/github.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { hostileResults, UNPRINTABLE } from './hostile.ts';
import { attackedResults, EVERY_WAY, failures } from './reports/report-of.ts';

async function annotated(
  results: Iterable<Result>,
  fileOf: (source: string) => string | undefined = (source) => source,
) {
  const output = new CollectedLines();
  const sink = githubAnnotations(output, fileOf);
  for (const result of results) await sink.write(result);
  await sink.end(new SummaryFold().summary(0));
  expect(output.isEnded).toBe(true);
  return output.text;
}

/** A command as the runner of GitHub Actions reads it (actions/runner, ActionCommand.cs, version 2 of the commands). */
function parsed(line: string): { level: string; properties: Record<string, string>; data: string } {
  const [, level = '', list = '', data = ''] = /^::(\w+)(?: (.*?))?::(.*)$/.exec(line) ?? [];
  const back = (text: string) => text.replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%25', '%');
  const properties = list.split(',').map((pair) => /^([^=]*)=?(.*)$/.exec(pair)?.slice(1) ?? []);
  return {
    level,
    properties: Object.fromEntries(properties.map(([name = '', value = '']) => [name, back(value)])),
    data: data.replaceAll('%25', '%'),
  };
}

test('failures that fail the run are errors with file and line, and warnings are warnings', async () => {
  expect(await annotated(EVERY_WAY)).toBe(
    '::warning file=urls.txt,line=3::blocked https://example.com/1 a challenge\n' +
      '::error file=urls.txt,line=5::dns https://example.com/1 a dns failure (new)\n' +
      '::error file=urls.txt,line=8::invalid no url a invalid failure\n',
  );
});

test('an annotation has the id of its job behind the URL, or the line of a POST without one', async () => {
  const results = [
    failedResult('dns', { id: 'a%b\n' }),
    failedResult('dns', { method: 'POST', line: 7, source: '-' }),
  ];
  expect(await annotated(results, (source) => (source === '-' ? undefined : source))).toBe(
    '::error file=urls.txt,line=1::dns https://example.com/1 [a%25b\\u{a}] a dns failure\n' +
      '::error::dns https://example.com/1 [line 7] a dns failure\n',
  );
});

test('a source that is not a file of the repository has no place', async () => {
  expect(await annotated([failedResult('dns', { source: '-' })], () => undefined)).toBe(
    '::error::dns https://example.com/1 a dns failure\n',
  );
});

test('the first ten of each level are written, and the others are counted', async () => {
  const warning = { kind: 'blocked', message: '' } as const;
  const text = await annotated([
    ...failures(3000),
    ...Array.from({ length: 12 }, () => okResult({ warning })),
  ]);
  expect(text.match(/^::error /gm)).toHaveLength(10);
  expect(text.match(/^::warning /gm)).toHaveLength(10);
  expect(text).toMatch(
    /\nnote: 2990 more errors and 2 more warnings without an annotation: GitHub shows 10 of each\n$/,
  );
});

test('the runner decodes percent signs, colons and commas', async () => {
  const source = 'a:b,c%25,line=9::d.txt';
  const text = await annotated([
    failedResult('dns', { source, failure: { kind: 'dns', message: '100% %0A::error::' } }),
  ]);
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(parsed(text.trimEnd())).toEqual({
    level: 'error',
    properties: { file: source, line: '1' },
    data: 'dns https://example.com/1 100% %0A::error::',
  });
});

test('hostile text stays within its annotation', async () => {
  for (const result of [...attackedResults(), ...hostileResults]) {
    const text = (await annotated([result])).trimEnd();
    expect(text).not.toMatch(UNPRINTABLE);
    expect(text).not.toContain('##[');
    if (text !== '') expect(text).toMatch(/^::(error|warning) file=[^:,]*,line=\d+::/);
  }
});
