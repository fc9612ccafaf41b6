import { expect, test } from 'vitest';
import type { Summary } from '../../src/model/summary.ts';
import { type Paint, plain } from '../../src/output/format.ts';
import { summaryJsonSink, summaryText, summaryTextSink } from '../../src/output/run-summary.ts';
import { failedResult, okResult } from '../model/a-result.ts';
import { CollectedLines } from './collected-lines.ts';
import { HOSTILE, UNPRINTABLE } from './hostile.ts';

const good: Summary = {
  read: 2,
  ok: 2,
  warned: 0,
  fixed: 0,
  failed: 0,
  known: 0,
  new: 0,
  flaky: 0,
  resumed: 0,
  skipped: 0,
  notFetched: 0,
  isListComplete: true,
  wallMs: 500,
  urlsPerSecond: 4,
  bytes: 5 * 1024 ** 2,
  savedFiles: 0,
  savedBytes: 0,
  latencyMs: { p50: 34.1, p90: 120, p99: 1240 },
  failuresByKind: {},
  failuresByStatus: {},
  worstHosts: [],
  downHosts: [],
};

const bad: Summary = {
  ...good,
  read: 200,
  ok: 10,
  failed: 183,
  skipped: 3,
  notFetched: 4,
  failuresByKind: { status: 123, dns: 40, timeout: 20 },
  failuresByStatus: { 404: 100, 500: 22 },
  worstHosts: [
    { host: 'a.example', failures: 90, overcount: 0 },
    { host: 'b.example:8443', failures: 13, overcount: 1 },
  ],
};

function textOf(summary: Partial<Summary>): string {
  return summaryText({ ...good, ...summary }, plain);
}

test.each([
  [12, 34 * 1024 ** 2, 'pages', '12 files (34MB) in pages/'],
  [1, 5, './out/', '1 file (5B) in ./out/'],
  [1, 5, 'a\u001bb', '1 file (5B) in a\\u{1b}b/'],
])('%d saved files of %d bytes in %j are told as %s', (savedFiles, savedBytes, directory, line) => {
  const text = summaryText({ ...good, savedFiles, savedBytes }, plain, { saveDir: directory });
  expect(text).toContain(`\n  saved     ${line}\n`);
});

test('nothing is said of a directory in which nothing was saved, or of files that are elsewhere', () => {
  expect(summaryText(good, plain, { saveDir: 'pages' })).not.toContain('saved');
  expect(summaryText({ ...good, savedFiles: 1 }, plain)).not.toContain('saved');
});

test('the summary of a good run is short', () => {
  expect(textOf({})).toBe(
    '\n' +
      'Done: 2 succeeded, 0 failed\n' +
      '  time      500ms, 4.0 URLs/s\n' +
      '  bytes     5MB, 10MB/s\n' +
      '  latency   p50 34ms, p90 120ms, p99 1.24s\n',
  );
});

test('the summary of a bad run shows failures by kind and host', () => {
  expect(textOf(bad)).toBe(
    '\n' +
      'Done: 10 succeeded, 183 failed, 4 not fetched, 3 skipped\n' +
      '  time      500ms, 4.0 URLs/s\n' +
      '  bytes     5MB, 10MB/s\n' +
      '  latency   p50 34ms, p90 120ms, p99 1.24s\n' +
      '  failures  404 (100), dns (40), 500 (22), timeout (20), status (1)\n' +
      '  hosts     a.example (90), b.example:8443 (12+)\n',
  );
});

test('the summary counts URLs by verdict: a known failure is not failed, a flaky one is a warning', () => {
  expect(textOf({ ok: 9, warned: 2, fixed: 1, failed: 6, new: 1, known: 3, flaky: 2 })).toContain(
    '\nDone: 7 succeeded (1 fixed), 1 failed, 4 warnings, 3 known\n',
  );
  expect(textOf({ ok: 9, fixed: 1, failed: 3, known: 3 })).toContain(
    '\nDone: 9 succeeded (1 fixed), 0 failed, 3 known\n',
  );
});

test('the summary of a stopped run says so if the list is of unknown length', () => {
  expect(textOf({ notFetched: 3, isListComplete: false })).toContain(
    '\nDone: 2 succeeded, 0 failed, 3 not fetched, the rest of the list was not read\n',
  );
});

test('the summary names a host that is down once, with its URLs and last error', () => {
  const downHosts = [{ host: 'a.example', urls: 32, message: 'last error: connection refused' }];
  expect(textOf({ failed: 32, downHosts })).toContain(
    '  down      a.example (32 URLs, last error: connection refused)\n',
  );
});

test('on a terminal the summary repeats the first 20 failures, without the unsent URLs of hosts that are given up', async () => {
  const output = new CollectedLines();
  const sink = summaryTextSink(output, plain, { repeatsFailures: true });
  sink.write(okResult());
  sink.write(failedResult('dns', { baseline: 'known' }));
  sink.write(failedResult('aborted', { attempts: 0 }));
  sink.write(failedResult('down'));
  sink.write(failedResult('blocked', { attempts: 0 }));
  for (let n = 1; n <= 23; n += 1) sink.write(failedResult('dns', { url: `https://h${n}/` }));
  await sink.end(good);
  const lines = output.text.split('\n');
  expect(lines.slice(0, 2)).toEqual(['', 'FAIL  dns  https://h1/  34ms  a dns failure']);
  expect(lines.slice(20, 23)).toEqual([
    'FAIL  dns  https://h20/  34ms  a dns failure',
    'and 3 more failures',
    '',
  ]);
  expect(lines[23]).toMatch(/^Done: /);
});

test('the summary of a single URL does not repeat its failure', async () => {
  const output = new CollectedLines();
  const sink = summaryTextSink(output, plain, { repeatsFailures: true });
  sink.write(failedResult('dns'));
  await sink.end(good);
  expect(output.text).toMatch(/^\nDone: /);
});

test('a run without requests has neither bytes nor latency', () => {
  const { latencyMs: _, ...nothing } = { ...good, ok: 0, failed: 1, wallMs: 0, urlsPerSecond: 0 };
  expect(summaryText({ ...nothing, failuresByKind: { invalid: 1 } }, plain)).toBe(
    '\nDone: 0 succeeded, 1 failed\n  time      0ms\n  failures  invalid (1)\n',
  );
});

test('long lists end after five entries with the number of the others', () => {
  const worstHosts = Array.from({ length: 9 }, (_, n) => ({ host: `h${n}`, failures: 1, overcount: 0 }));
  expect(textOf({ failed: 9, worstHosts })).toContain(
    'hosts     h0 (1), h1 (1), h2 (1), h3 (1), h4 (1), and 4 more\n',
  );
});

test('a hostile host name is printable', () => {
  const text = textOf({ worstHosts: [{ host: HOSTILE, failures: 1, overcount: 0 }] });
  expect(text.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  expect(text.split('\n')).toHaveLength(7);
});

test('colours do not change the text', () => {
  const colour = (text: string) => `\x1b[1m${text}\x1b[22m`;
  const paint: Paint = { ok: colour, fail: colour, warn: colour, dim: colour, strong: colour };
  const painted = summaryText(bad, paint);
  expect(painted).toContain(colour('183 failed'));
  expect(painted.replaceAll(/\x1b\[\d+m/g, '')).toBe(textOf(bad));
});

test('summaryTextSink() writes only at the end', async () => {
  const output = new CollectedLines();
  const sink = summaryTextSink(output, plain);
  sink.write(okResult());
  expect(output.text).toBe('');
  await sink.end(good);
  expect(output).toMatchObject({ text: textOf({}), isEnded: true });
});

test('summaryJsonSink() writes the summary as one line of JSON, printable and complete', async () => {
  const output = new CollectedLines();
  const sink = summaryJsonSink(output);
  sink.write(okResult());
  expect(output.text).toBe('');
  const hostile = { ...bad, worstHosts: [{ host: HOSTILE, failures: 1, overcount: 0 }] };
  await sink.end(hostile);
  expect(output.text.slice(0, -1)).not.toMatch(UNPRINTABLE);
  expect(output.text.endsWith('\n')).toBe(true);
  expect(JSON.parse(output.text)).toEqual(hostile);
  expect(output.isEnded).toBe(true);
});

test('summaryJsonSink() rounds milliseconds to integers and URLs per second to one decimal', async () => {
  const output = new CollectedLines();
  await summaryJsonSink(output).end({ ...good, wallMs: 480.84814453125, urlsPerSecond: 2.0796586435304643 });
  expect(JSON.parse(output.text)).toMatchObject({ wallMs: 481, urlsPerSecond: 2.1 });
});

test('the summary says which results come from the journal, and lists known failures apart from the others', () => {
  const text = textOf({
    ...{ read: 5000, ok: 571, warned: 1, failed: 43, known: 40, fixed: 2, notFetched: 4386, resumed: 443 },
    resumedByVerdict: { OK: 440, FAIL: 1, KNOWN: 2 },
    failuresByKind: { status: 42, dns: 1 },
    failuresByStatus: { 404: 42 },
    excusedByOutcome: { 404: 40 },
  });
  expect(text).toContain(
    '\nDone: 570 succeeded (2 fixed, 440 from the journal), 3 failed (1 from the journal), 1 warning, ' +
      '40 known (2 from the journal), 4386 not fetched\n',
  );
  expect(text).toContain('\n  failures  404 (2), dns (1)\n  known     404 (40)\n');
});

test.each([
  [0, 2, 'flaky'],
  [1, 1, 'known, flaky'],
])('the summary names failures that do not fail the run: %d known and %d flaky', (known, flaky, name) => {
  const text = textOf({
    ...{ failed: 2, known, flaky, failuresByKind: { dns: 2 }, excusedByOutcome: { dns: 2 } },
  });
  expect(text).toMatch(new RegExp(`\n  ${name} +dns \\(2\\)\n$`));
  expect(text).not.toContain('failures');
});
