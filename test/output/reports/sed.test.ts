import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { OkResult } from '../../../src/model/result.ts';
import { sedReport } from '../../../src/output/reports/report-sink.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { CollectedLines } from '../collected-lines.ts';

/** A URL that has moved to another. */
function moved(from: string, to: string, changes: Partial<OkResult> = {}): OkResult {
  return okResult({ url: from, finalUrl: to, redirects: [{ status: 301, url: from }], ...changes });
}

async function scriptOf(...results: OkResult[]): Promise<string> {
  const output = new CollectedLines();
  const sink = sedReport(output);
  for (const result of results) await sink.write(result);
  await sink.end({} as never);
  return output.text;
}

/** What sed makes of a text. */
function edited(script: string, text: string): string {
  return execFileSync('sed', ['-E', '-e', script], { input: text, encoding: 'utf8' });
}

const OLD = 'https://old.example/a';
const NEW = 'https://new.example/b';

test.each([
  [OLD, NEW],
  [`see ${OLD}.`, `see ${NEW}.`],
  [`[a](${OLD}), <${OLD}> and "${OLD}"`, `[a](${NEW}), <${NEW}> and "${NEW}"`],
  [`${OLD} ${OLD}\n${OLD}!`, `${NEW} ${NEW}\n${NEW}!`],
  [`${OLD}/b ${OLD}.html ${OLD}b ${OLD}?x ${OLD}-c ${OLD}%20`, undefined],
  ['https://oldxexample/a', undefined],
])('in "%s" the URL that has moved is replaced, and no longer one', async (text, expected = text) => {
  expect(edited(await scriptOf(moved(OLD, NEW)), text)).toBe(expected);
});

test('each URL is text, whatever sed takes its characters for', async () => {
  const from = 'https://old.example/a.b*c(d)+$e^[f]{2}|g?h=i&j\\k';
  const to = 'https://new.example/&\\1|x';
  expect(edited(await scriptOf(moved(from, to)), `(${from})`)).toBe(`(${to})`);
});

test('what stands in the list is replaced, once for each URL', async () => {
  const script = await scriptOf(
    moved('https://old.example/', NEW, { input: 'https://old.example' }),
    moved('https://old.example/', NEW, { input: 'https://old.example' }),
  );
  expect(script.match(/^s/gm)).toHaveLength(1);
  expect(edited(script, 'https://old.example and https://old.example/x')).toBe(
    `${NEW} and https://old.example/x`,
  );
});

test('a URL that has not moved, has failed, or cannot stand in a script is left out', async () => {
  const script = await scriptOf(
    okResult({ redirects: [{ status: 302, url: OLD }], finalUrl: NEW }),
    failedResult('status', { redirects: [{ status: 301, url: OLD }], finalUrl: NEW }) as never,
    moved('https://old.example/"x', NEW, { input: 'https://old.example/"x' }),
    moved('https://old.example/', NEW, { input: 'a\nb' }),
  );
  expect(script).toBe('');
});
