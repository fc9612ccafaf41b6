import { tmpdir } from 'node:os';
import type { ReportKind, Result } from '../../../src/model/result.ts';
import { type Summary, SummaryFold } from '../../../src/model/summary.ts';
import { csvSink } from '../../../src/output/csv.ts';
import { reportSink } from '../../../src/output/reports/report-sink.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { CollectedLines } from '../collected-lines.ts';

/** The text of the report of these results. */
export async function reportOf(
  kind: ReportKind | 'csv',
  results: Iterable<Result>,
  run: Partial<Summary> = {},
): Promise<string> {
  const output = new CollectedLines();
  const sink = kind === 'csv' ? csvSink(output) : reportSink(kind, output, tmpdir());
  for (const result of results) {
    const accepted = sink.write(result);
    if (accepted !== undefined) await accepted;
  }
  await sink.end({ ...new SummaryFold().summary(0), ...run });
  if (!output.isEnded) throw new Error('the report did not end its output');
  return output.text;
}

/** `count` failures of one host, each of another line. */
export function failures(count: number, host = 'example.com', changes: Partial<Result> = {}): Result[] {
  return Array.from({ length: count }, (_, index) =>
    failedResult('status', {
      index,
      line: index + 1,
      url: `https://${host}/${index}`,
      status: 404,
      failure: { kind: 'status', message: 'Not Found' },
      ...(changes as object),
    }),
  );
}

/** One result of each kind. */
export const EVERY_WAY: readonly Result[] = [
  okResult(),
  okResult({ line: 2, url: 'https://example.com/moved', finalUrl: 'https://other.example/new' }),
  okResult({ line: 3, status: 403, warning: { kind: 'blocked', message: 'a challenge' } }),
  okResult({ line: 4, baseline: 'fixed' }),
  failedResult('dns', { line: 5, baseline: 'new' }),
  failedResult('dns', { line: 6, baseline: 'known' }),
  failedResult('timeout', { line: 7, badRuns: 2 }),
  failedResult('invalid', { line: 8, url: 'no url', attempts: 0, durationMs: 0 }),
];

/** Texts that could become markup, script, a formula, a link, a mention or a command. */
export const ATTACKS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</td></table></details><h1>owned</h1>',
  ']]></failure><testcase name="fake"/>',
  '-->',
  '&lt;script&gt;&amp;&#60;',
  '| a | b |',
  '\\| \\\\| |',
  '`code` ``more`` ```',
  '`',
  '\\',
  '[evil](https://evil.example/) ![x](https://evil.example/x.png)',
  '<https://evil.example/> https://evil.example/ www.evil.example a@evil.example',
  '@octocat #1 GH-1 :tada: $`x`$ $$x$$',
  '**bold** _it_ ~~no~~ # head\n\n# head',
  '=HYPERLINK("https://evil.example/")',
  '::error::x ##[error]x',
  '\u0000\u0001\u000b\u001f\ufffe\uffff\ud800x\udfff',
  '\u202egnp.exe\u2066\u200f',
  'javascript:alert(1)',
];

/** Each attack in every field that comes from outside. */
export function attackedResults(): Result[] {
  return ATTACKS.flatMap((text, index) => {
    const fields = { source: text, id: text, contentType: text, line: index };
    const failure = { code: text, message: text };
    return [
      failedResult('invalid', { ...fields, url: text, failure: { ...failure, kind: 'invalid' } }),
      failedResult('protocol', {
        ...fields,
        url: `https://${text}/${text}`,
        finalUrl: text,
        failure: { ...failure, kind: 'protocol' },
      }),
      okResult({
        ...fields,
        url: text,
        finalUrl: text,
        method: text,
        warning: { ...failure, kind: 'blocked' },
      }),
      okResult({
        ...fields,
        url: `https://x/${text}`,
        finalUrl: text,
        redirects: [{ status: 301, url: text }],
        baseline: 'fixed',
      }),
    ];
  });
}
