import { Marked } from 'marked';
import { describe, expect, it, test } from 'vitest';
import type { Result } from '../../../src/model/result.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { hostileResults, UNPRINTABLE } from '../hostile.ts';
import { ATTACKS, attackedResults, EVERY_WAY, failures, reportOf } from './report-of.ts';

const marked = new Marked({ gfm: true });

async function htmlOf(results: Iterable<Result>): Promise<string> {
  return marked.parse(await reportOf('markdown', results)) as string;
}

/** The cells of all rendered table rows. */
function cellsOf(html: string): string[][] {
  return Array.from(html.matchAll(/<tr>([\s\S]*?)<\/tr>/g), ([, row = '']) =>
    Array.from(row.matchAll(/<t[dh][^>]*>([\s\S]*?)<\/t[dh]>/g), ([, cell = '']) => cell),
  );
}

test('a report of a few failures shows URL, place and reason in open sections', async () => {
  const report = await reportOf('markdown', [
    okResult(),
    failedResult('dns', {
      line: 7,
      url: 'https://nope.invalid/x',
      failure: { kind: 'dns', message: 'no such host' },
    }),
  ]);
  expect(report).toBe(
    '## ❌ 1 of 2 URLs failed\n\n' +
      '1 succeeded, 1 failed · 1.2kB · p50 34ms, p90 34ms, p99 34ms · 34ms from 2026-01-01T00:00:00Z\n\n' +
      '| Host | Failures |\n| --- | ---: |\n| `nope.invalid` | 1 |\n\n' +
      '<details open><summary><b>dns</b>: 1 URL</summary>\n\n' +
      '| URL | Where | Why |\n| --- | --- | --- |\n' +
      '| `https://nope.invalid/x` | `urls.txt:7` | `no such host` |\n\n</details>\n',
  );
});

test.each<[string, readonly Result[], string]>([
  ['all OK', [okResult(), okResult()], '✅ All 2 URLs are OK'],
  ['one OK', [okResult()], '✅ The URL is OK'],
  ['nothing', [], '⚠️ No results'],
  ['one failed', [failedResult('dns')], '❌ 1 of 1 URL failed'],
  [
    'only known failures',
    [okResult(), failedResult('dns', { baseline: 'known' })],
    '✅ 1 of 2 URLs failed; it is known',
  ],
])('the verdict of %s is the heading', async (_, results, heading) => {
  expect(await reportOf('markdown', results)).toMatch(new RegExp(`^## ${heading}\n`));
});

test('known, flaky, warned and fixed results have groups of their own after the failures', async () => {
  const report = await reportOf('markdown', EVERY_WAY);
  expect(Array.from(report.matchAll(/<summary>(.*)<\/summary>/g), ([, title]) => title)).toEqual([
    '<b>dns</b>: 1 URL',
    '<b>invalid</b>: 1 URL',
    '<b>timeout</b>: 1 URL (bad, but not often enough to fail the run)',
    '<b>dns</b>: 1 URL (known)',
    '<b>blocked</b>: 1 URL (warning)',
    '<b>200</b>: 1 URL (fixed)',
  ]);
  expect(report).toContain('3 succeeded (1 fixed), 2 failed, 2 warnings, 1 known');
  expect(report).toContain('`a timeout failure` (bad run 2) |');
});

test('rows are sorted by host and place', async () => {
  const results = [...failures(2, 'b.example'), ...failures(2, 'a.example').reverse()];
  const urls = cellsOf(await htmlOf(results))
    .slice(4)
    .map(([url]) => url);
  expect(urls).toEqual(
    ['a.example/0', 'a.example/1', 'b.example/0', 'b.example/1'].map((url) => `<code>https://${url}</code>`),
  );
});

describe('many failures', () => {
  it.each([
    ['of one kind and host', failures(3000)],
    ['with long URLs', failures(3000, 'x'.repeat(5000))],
    [
      'of many hosts and statuses',
      Array.from({ length: 3000 }, (_, index) =>
        failures(1, `h${index}.example`, { status: 300 + (index % 600) }),
      ).flat(),
    ],
    ['in wide characters', failures(3000, '見'.repeat(100))],
    ['of bars and fences', failures(3000, '|`'.repeat(400))],
  ])('%s fit into one comment with the number of rows left out', async (_, results) => {
    const report = await reportOf('markdown', results);
    expect(Buffer.byteLength(report)).toBeLessThan(65_536);
    expect(report).toContain('3,000 of 3,000 URLs failed');
    expect(report).toMatch(/\d+ more (groups )?are left out\./);
    expect(report.match(/<details>/g)?.length).toBe(report.match(/<\/details>/g)?.length);
  });

  it('are folded, and the rows shown and left out add up', async () => {
    const report = await reportOf('markdown', failures(3000));
    const [, rest] = /^(\d+) more are left out\.$/m.exec(report) ?? [];
    expect(report).not.toContain('<details open>');
    expect((report.match(/^\| `https/gm)?.length ?? 0) + Number(rest)).toBe(3000);
  });

  it('of one kind leave room for other kinds', async () => {
    const report = await reportOf('markdown', [
      ...failures(3000),
      failedResult('tls', { url: 'https://late.example/' }),
    ]);
    expect(report).toContain('| `https://late.example/` |');
  });

  it('that are known leave room for new failures', async () => {
    const known = failures(3000, 'example.com', { baseline: 'known' });
    const report = await reportOf('markdown', [
      ...known,
      failedResult('tls', { url: 'https://late.example/' }),
    ]);
    expect(report).toMatch(/^## ❌ 1 of 3,001 URLs failed\n/);
    expect(report.indexOf('| `https://late.example/` |')).toBeLessThan(report.indexOf('(known)</summary>'));
  });
});

describe('text of a list or a server', () => {
  it('is only a code span in its own cell', async () => {
    const html = await htmlOf([...attackedResults(), ...hostileResults]);
    const tags = new Set(Array.from(html.matchAll(/<\/?([a-z][a-z0-9]*)/gi), ([, tag]) => tag));
    expect([...tags].sort()).toEqual(
      ['b', 'code', 'details', 'h2', 'p', 'summary', 'table', 'tbody', 'td', 'th', 'thead', 'tr'].sort(),
    );
    for (const row of cellsOf(html)) expect([2, 3]).toContain(row.length);
    // Outside of code spans there is nothing that GitHub could take for a mention, a link or an emoji.
    const plain = html.replace(/<code>[\s\S]*?<\/code>/g, '');
    expect(plain).not.toMatch(/@|evil|:tada:|owned|\]\(|alert|:\/\//);
  });

  it.each(ATTACKS.filter((text) => !/[\0-\x1f\u200f\u202e]|##\[|\\\\?\|/.test(text)))(
    'is shown unchanged: %s',
    async (text) => {
      const html = await htmlOf([failedResult('dns', { failure: { kind: 'dns', message: text } })]);
      const shown =
        /<code>([^<]*)<\/code><\/td>\s*<\/tr>\s*<\/tbody><\/table>\s*<\/details>/.exec(html)?.[1] ?? '';
      const plain = shown.replace(
        /&(lt|gt|quot|#39|amp);/g,
        (_, name: string) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name] ?? '',
      );
      expect(plain).toBe(text);
    },
  );

  it('is printable', async () => {
    const report = await reportOf('markdown', [...attackedResults(), ...hostileResults]);
    expect(report.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  });

  it('is a dash if it is empty', async () => {
    expect(
      await reportOf('markdown', [failedResult('dns', { failure: { kind: 'dns', message: '' } })]),
    ).toContain('| – |');
  });
});

test('known failures are not among the hosts with failures', async () => {
  const known = failures(37, 'known.example', { baseline: 'known' });
  const report = await reportOf('markdown', [...failures(3, 'new.example', { baseline: 'new' }), ...known]);
  expect(report).toContain('| Host | Failures |\n| --- | ---: |\n| `new.example` | 3 |\n\n<details>');
});

test('a job is named by its id, and a POST without one by its line, behind the URL', async () => {
  const url = 'https://example.com/api';
  const cells = cellsOf(
    await htmlOf([
      failedResult('dns', { url, id: 'a|`b' }),
      failedResult('dns', { url, method: 'POST', line: 7 }),
    ]),
  );
  expect(cells.map(([first]) => first).filter((cell) => cell?.includes(url))).toEqual([
    `<code>${url}</code> <code>[a|\`b]</code>`,
    `<code>${url}</code> <code>[line 7]</code>`,
  ]);
});
