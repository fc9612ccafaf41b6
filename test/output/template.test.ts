import { expect, test } from 'vitest';
import { lineTemplate } from '../../src/config/parse/record-format.ts';
import { SummaryFold } from '../../src/model/summary.ts';
import { templateSink } from '../../src/output/text.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { hostileResults, UNPRINTABLE } from './hostile.ts';

async function written(template: string, results: Parameters<ReturnType<typeof templateSink>['write']>[0][]) {
  const output = new CollectedLines();
  const sink = templateSink(output, lineTemplate.parse(template));
  for (const result of results) sink.write(result);
  await sink.end(new SummaryFold().summary(0));
  expect(output.isEnded).toBe(true);
  return output.text;
}

test('templateSink() writes a line of its own for each result, with "-" for what a result has not', async () => {
  const results = [okResult(), failedResult('dns'), failedResult('aborted', { attempts: 0 })];
  expect(await written('{status} {url} {time}', results)).toBe(
    '200 https://example.com/1 34ms\n- https://example.com/1 34ms\n',
  );
});

test.each([
  ['{verdict} {kind} {message}', failedResult('dns', { baseline: 'known' }), 'KNOWN dns a dns failure'],
  ['{code}', failedResult('dns', { failure: { kind: 'dns', code: 'ENOTFOUND', message: '' } }), 'ENOTFOUND'],
  ['{redirects} {finalUrl}', okResult(), '0 https://example.com/1'],
  ['{path} {sha256} {size}', okResult({ body: { path: 'a/b', bytes: 2048, sha256: 'ff' } }), 'a/b ff 2kB'],
  [
    '{startedAt}|{durationMs}|{totalMs}|{ttfbMs}',
    okResult({ totalMs: 99 }),
    '2026-01-01T00:00:00.000Z|34|99|-',
  ],
  [
    '{title} {address} {tlsProtocol} {tlsDaysLeft} {tlsSubject}',
    okResult({
      title: 'a\u001bb',
      address: '[::1]:443',
      tls: { protocol: 'TLSv1.3', cipher: 'X', daysLeft: 3 },
    }),
    'a\\u{1b}b [::1]:443 TLSv1.3 3 -',
  ],
  ['{ok},{truncated},{index},{line},{source}', okResult(), 'true,false,0,1,urls.txt'],
])('%s', async (template, result, line) => {
  expect(await written(template, [result])).toBe(`${line}\n`);
});

test('hostile values have no control characters', async () => {
  const text = await written('{source} {id} {url} {finalUrl} {contentType} {message}', [...hostileResults]);
  expect(text.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  expect(text.split('\n')).toHaveLength(hostileResults.length + 1);
});
