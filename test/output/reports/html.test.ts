import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Result } from '../../../src/model/result.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { hostileResults, UNPRINTABLE } from '../hostile.ts';
import { openReport, startBrowser } from './a-browser.ts';
import { ATTACKS, attackedResults, EVERY_WAY, failures, reportOf } from './report-of.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
}, 60_000);
afterAll(() => browser?.close());

const open = async (results: Iterable<Result>, options?: Parameters<typeof openReport>[2]) =>
  openReport(browser, await reportOf('html', results), options);

describe('the page', () => {
  it('shows the verdict, the figures, failures by kind and host, and every result', async () => {
    const { page, complaints } = await open(EVERY_WAY);
    expect(await page.textContent('h1')).toBe('2 of 8 URLs failed');
    expect(await page.title()).toBe('2 of 8 URLs failed – fanout');
    const figures = await page.$$eval('dl > div', (all) => all.map((one) => one.textContent));
    expect(figures.slice(0, 5)).toEqual(['Results8', 'OK3 1 fixed', 'Failed2', 'Warnings2', 'Known1']);
    const kindsOf = (title: string) =>
      page.$$eval(`section:has(h2:text-is("${title}")) tr`, (rows) =>
        rows.map((row) => row.textContent?.replace(/\s+/g, ' ').trim()),
      );
    expect(await kindsOf('Failures by kind')).toEqual(['dns1', 'invalid1']);
    expect(await kindsOf('Known failures by kind')).toEqual(['dns1']);
    expect(await kindsOf('Failures below --flaky-after by kind')).toEqual(['timeout1']);
    expect(await page.textContent('section:has-text("Failures by host") tr')).toBe('example.com1');
    const verdicts = await page.$$eval('#results tbody tr', (rows) =>
      rows.map((row) => [0, 1, 3].map((cell) => row.children[cell]?.textContent).join('|')),
    );
    expect(verdicts).toEqual([
      'FAIL|dns|a dns failure new',
      'FAIL|invalid|a invalid failure',
      'WARN|timeout|a timeout failure bad run 2',
      'KNOWN|dns|a dns failure known',
      'WARN|blocked|a challenge',
      'OK|200| fixed',
      'OK|200|',
      'OK|200|',
    ]);
    expect(await page.$$('svg.columns')).toHaveLength(2);
    expect(complaints).toEqual([]);
  });

  it.each([
    ['dark and wide', { colorScheme: 'dark', viewport: { width: 1600, height: 900 } }],
    ['light and narrow', { colorScheme: 'light', viewport: { width: 360, height: 740 } }],
  ] as const)('fits the width of the window: %s', async (_, options) => {
    const { page } = await open([...EVERY_WAY, ...failures(3, `${'x'.repeat(300)}.example`)], options);
    const [content, back] = (await page.evaluate(
      '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
    )) as [number, string];
    expect(content).toBe(options.viewport.width);
    expect(back).toBe(options.colorScheme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(246, 248, 250)');
  });

  it('draws known and flaky failures apart from those that fail the run', async () => {
    const { page } = await open(EVERY_WAY);
    const bars = await page.$$eval('svg.columns', (charts) =>
      charts.map((chart) => ({
        classes: [
          ...new Set([...chart.querySelectorAll('rect')].map((bar) => bar.getAttribute('class'))),
        ].sort(),
        titles: [...chart.querySelectorAll('title')].map((title) => title.textContent).join(' '),
      })),
    );
    for (const { classes, titles } of bars) {
      expect(classes).toEqual(['fail', 'ok', 'warn']);
      expect(titles).toContain('2 known or flaky');
    }
    const colors =
      '[...document.querySelectorAll("svg.columns rect")].map((bar) => getComputedStyle(bar).fill)';
    expect(await page.evaluate(`new Set(${colors}).size`)).toBe(3);
    expect(await page.textContent('section:has(svg.columns) h2')).toBe('Latency OKknown or flakyfailed');
    const plain = await open([okResult(), failedResult('dns')]);
    expect(await plain.page.textContent('section:has(svg.columns) h2')).toBe('Latency OKfailed');
  });

  it('filters by every word that is typed', async () => {
    const { page } = await open([...failures(30), failedResult('dns', { url: 'https://other.example/7' })]);
    const shown = () =>
      page.$$eval('#results tbody tr', (rows) => rows.filter((row) => row.checkVisibility()).length);
    expect(await shown()).toBe(31);
    await page.fill('#words', 'OTHER dns');
    expect([await shown(), await page.textContent('#row-count')]).toEqual([1, '1 of 31 rows']);
    await page.fill('#words', 'nothing has this');
    expect(await shown()).toBe(0);
    await page.fill('#words', '');
    expect(await shown()).toBe(31);
  });

  it('shows tables and charts but no filter without scripts', async () => {
    const { page } = await open(EVERY_WAY, { javaScriptEnabled: false });
    expect(await page.locator('#results tbody tr').count()).toBe(8);
    expect(await page.locator('#filter').isVisible()).toBe(false);
    expect(await page.locator('svg.columns').first().isVisible()).toBe(true);
  });

  it('lists the slowest and the redirected results', async () => {
    const { page } = await open([
      ...Array.from({ length: 100 }, (_, index) =>
        okResult({ url: `https://a.example/${index}`, durationMs: index }),
      ),
      okResult({
        url: 'https://b.example/',
        finalUrl: 'https://c.example/',
        redirects: [{ status: 301, url: 'https://b.example/' }],
      }),
    ]);
    const slowest = await page.$$eval('section:has-text("Slowest") tbody tr', (rows) =>
      rows.map((row) => row.textContent),
    );
    expect(slowest).toHaveLength(25);
    expect(slowest[0]).toBe('99ms200https://a.example/99urls.txt:1');
    expect(await page.textContent('section:has-text("Redirected") tbody tr')).toBe(
      'https://b.example/https://c.example/301 → 200urls.txt:1',
    );
  });

  it('has no tables and charts without results', async () => {
    const { page, complaints } = await open([]);
    expect(await page.textContent('h1')).toBe('No results');
    expect(await page.$$('table, svg')).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

describe('100,000 results', () => {
  it('make a page of bounded size that shows failures first and the number of rows left out', {
    timeout: 60_000,
  }, async () => {
    const ok = Array.from({ length: 95_000 }, (_, index) =>
      okResult({ url: `https://a.example/${index}`, durationMs: index % 977 }),
    );
    const report = await reportOf('html', [...ok, ...failures(5000)]);
    expect(report.length).toBeLessThan(1_000_000);
    const { page, complaints } = await openReport(browser, report);
    const rows = await page.$$eval('#results tbody tr', (all) =>
      all.map((row) => row.children[0]?.textContent),
    );
    expect(rows.slice(0, 500).every((verdict) => verdict === 'FAIL')).toBe(true);
    expect(rows).toHaveLength(800);
    const left = await page.$$eval('#results p', (all) => all.map((one) => one.textContent));
    expect(left).toEqual([
      '4,500 more results that are more than OK are left out.',
      '94,700 more results that are OK are left out.',
    ]);
    expect(complaints).toEqual([]);
  });
});

describe('text of a list or a server', () => {
  const attacked = [...attackedResults(), ...hostileResults];

  it('never becomes markup or script, and violates no policy', async () => {
    const { page, complaints } = await open(attacked);
    const tags = await page.$$eval('*', (all) => [
      ...new Set(all.map(({ tagName }) => tagName.toLowerCase())),
    ]);
    expect(tags.sort()).toEqual(
      [
        ...[
          'html',
          'head',
          'meta',
          'title',
          'style',
          'body',
          'main',
          'header',
          'h1',
          'p',
          'dl',
          'div',
          'dt',
          'dd',
          'small',
        ],
        ...[
          'section',
          'h2',
          'table',
          'thead',
          'tbody',
          'tr',
          'th',
          'td',
          'svg',
          'g',
          'rect',
          'figure',
          'span',
          'a',
        ],
        ...['input', 'output', 'footer', 'script'],
      ].sort(),
    );
    const handlers = await page.$$eval('*', (all) =>
      all
        .flatMap(({ attributes }) => [...attributes].map(({ name }) => name))
        .filter((name) => name.startsWith('on')),
    );
    expect(handlers).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('is shown unchanged', async () => {
    const texts = ATTACKS.filter((text) => !/[\0-\x1f\u200f\u202e]|##\[/.test(text));
    const { page } = await open(
      texts.map((text, line) =>
        failedResult('dns', { line, url: text, failure: { kind: 'dns', message: text } }),
      ),
    );
    const why = await page.$$eval('#results td.why', (all) => all.map((one) => one.textContent));
    expect([...why].sort()).toEqual([...texts].sort());
  });

  it('is printable', async () => {
    expect((await reportOf('html', attacked)).replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  });

  it('is a link only if it is a complete http or https URL', async () => {
    const urls = [
      'https://a.example/x',
      'javascript:alert(1)',
      'data:text/html,x',
      `https://a.example/${'x'.repeat(600)}`,
      ' https://a.example/',
    ];
    const { page } = await open(urls.map((url) => failedResult('dns', { url })));
    const links = await page.$$eval('#results a', (all) =>
      all.map((one) => [one.getAttribute('href'), one.getAttribute('rel')]),
    );
    expect(links).toEqual([['https://a.example/x', 'noopener noreferrer nofollow']]);
  });
});

test('the policy refuses all scripts and styles but its own, in case the escaping has a hole', async () => {
  const report = await reportOf('html', [okResult()]);
  const holed = report.replace(
    '<footer>',
    '<script>document.title = "owned"</script><img src="x" onerror="document.title = \'owned\'"><style>h1 { color: red }</style><footer>',
  );
  const { page, complaints } = await openReport(browser, holed);
  expect(await page.title()).toBe('The URL is OK – fanout');
  expect(complaints.filter((text) => /Content Security Policy/.test(text)).length).toBeGreaterThan(2);
});
