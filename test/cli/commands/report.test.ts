import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createCommit } from '../../../src/cluster/result-log.ts';
import { ShardFileWriter } from '../../../src/cluster/shards.ts';
import { encodeRecord } from '../../../src/model/record.ts';
import { REPORT_KINDS, type Result } from '../../../src/model/result.ts';
import { failedResult, okResult } from '../../model/a-result.ts';
import { runCli, startCli } from '../../origin/run-cli.ts';
import { tempDir } from '../../origin/temp-dir.ts';
import { EVERY_WAY, failures } from '../../output/reports/report-of.ts';
import { aFile, anOrigin, urls } from '../an-origin.ts';
import { lines, recordFile } from '../records.ts';
import { runInProcess } from '../run-in-process.ts';

test('fanout report makes the same reports of every kind as --report did during the run', async () => {
  const origin = await anOrigin();
  const directory = await tempDir();
  const results = join(directory, 'results.jsonl');
  const list = [...urls(origin, '/ok', 5), `${origin.url}/status/404`, `${origin.url}/redirect/1`, 'no url'];
  const reports = REPORT_KINDS.flatMap((kind) => ['--report', `${kind}=${join(directory, kind)}`]);
  const fetched = await runInProcess(['fetch', await aFile(list), '--json', '-o', results, ...reports]);
  expect(fetched.code).toBe(1);
  for (const kind of REPORT_KINDS) {
    const { code, stdout, stderr } = await runInProcess(['report', results, '--format', kind]);
    expect([kind, code, stderr]).toEqual([kind, 0, '']);
    expect(steady(stdout)).toBe(steady(await readFile(join(directory, kind), 'utf8')));
    expect(stdout).toContain('/status/404');
  }
});

/** Replaces numbers that depend on durations: a record has them rounded, the run itself has not. */
function steady(report: string): string {
  return report.replace(
    /\d+(\.\d+)?(?=ms)|(?<="(time|p\d\d|x|y|width|height|points|d)"?[=:]"?)[\d.]+|\d+\.\d{3,}/g,
    'N',
  );
}

describe('fanout report', () => {
  it('writes text with a summary by default', async () => {
    const file = await recordFile([okResult(), failedResult('dns', { baseline: 'known' })]);
    const { code, stdout, stderr } = await runInProcess(['report', file]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^OK {4}200 .*\nKNOWN dns .* a dns failure\n\nDone: 1 succeeded, 0 failed, 1 known\n {2}time .*\n/,
    );
  });

  it('leaves out known results with -q, and OK ones unless they are fixed', async () => {
    const { stdout } = await runInProcess(['report', '-q', await recordFile(EVERY_WAY)]);
    const verdicts = stdout
      .split('\n\n')[0]
      ?.split('\n')
      .map((line) => line.split(/\s+/)[0]);
    expect(verdicts).toEqual(['WARN', 'OK', 'FAIL', 'WARN', 'FAIL']);
  });

  it('merges files, compressed files and standard input', async () => {
    const packed = await aFile(gzipSync(`${lines(failures(2)).join('\n')}\n`), 'results.jsonl.gz');
    const plain = await recordFile([okResult()]);
    const { stdout } = await runInProcess(['report', packed, '-', plain, '--format', 'json'], {
      stdin: `${lines([failedResult('tls')]).join('\n')}`,
    });
    expect(JSON.parse(stdout).summary).toMatchObject({
      results: 4,
      ok: 1,
      failuresByKind: { status: 2, tls: 1 },
    });
  });

  it('reads standard input when no file is named', async () => {
    const { code, stdout } = await runInProcess(['report', '--format', 'markdown'], {
      stdin: lines([okResult()])[0] ?? '',
    });
    expect([code, stdout.split('\n')[0]]).toEqual([0, '## ✅ The URL is OK']);
  });

  it('writes to a file with -o, and nothing to standard output', async () => {
    const report = join(await tempDir(), 'report.xml');
    const { stdout } = await runInProcess([
      'report',
      await recordFile(EVERY_WAY),
      '--format',
      'junit',
      '-o',
      report,
    ]);
    expect(stdout).toBe('');
    expect(await readFile(report, 'utf8')).toMatch(/^<\?xml[\s\S]*<\/testsuites>\n$/);
  });

  it.each([
    ['report.html', /^<!doctype html>/],
    ['report.md', /^## /],
    ['report.xml', /^<\?xml/],
    ['report.json', /^\{"v":1,"findings"/],
    ['report.jsonl', /^\{"v":1,"index"/],
    ['report.csv', /^index,source/],
    ['report.txt', /^(OK|WARN|FAIL) /],
  ])('chooses the format by the name of the file: %s', async (name, start) => {
    const report = join(await tempDir(), name);
    const { code } = await runInProcess(['report', await recordFile(EVERY_WAY), '-o', report]);
    expect(code).toBe(0);
    expect(await readFile(report, 'utf8')).toMatch(start);
  });

  it.each([
    ['a JSON report', '{"v":1,"findings":[\n{"v":1}', 'it is a JSON report, which does not have all results'],
    ['a JSON report without findings', '{"v":1,"findings":[],"summary":{}}', 'it is a JSON report'],
    ['the output of diff', '{"v":1,"differences":[', 'it is the output of "fanout diff"'],
    [
      'a baseline',
      '{"url":"http://a/","method":"GET","kind":"dns"}',
      'it is a baseline of --update-baseline',
    ],
    ['results as CSV', 'index,source,line,input\n0,a,1,', 'it is results as CSV'],
    ['results as text', '\nOK    200  http://a/  12ms  1.2kB', 'it is results as text'],
    ['a JUnit report', '<?xml version="1.0"?>\n<testsuites>', 'it is XML'],
    ['an HTML report', '<!doctype html>', 'it is HTML or XML'],
    ['a list of URLs', 'http://a.example/\nhttp://b.example/', 'it is a list of URLs'],
    ['pretty-printed JSON', '{', undefined],
  ])('says once what a file is instead of results: %s', async (_, content, message) => {
    const file = await aFile([content], 'r.json');
    for (const format of ['text', 'json']) {
      const { code, stdout, stderr } = await runInProcess(['report', file, '--format', format]);
      expect([code, stdout]).toEqual([2, '']);
      if (message === undefined) continue;
      expect(stderr).toMatch(/^error: .*\n$/);
      expect(stderr).toContain(`r.json" as results: ${message}`);
      expect(stderr).toContain('name the JSONL file of "fanout fetch -o results.jsonl"');
    }
    expect((await runInProcess(['diff', file, file])).stdout).toBe('');
    const [good = ''] = lines([okResult()]);
    const later = await runInProcess(['report', await aFile([good, content], 'later.jsonl')]);
    expect([later.code, later.stdout]).toEqual([2, expect.stringContaining('Done: 1 succeeded')]);
  });

  it('names damaged lines by file and line, reports the others, and ends with 2', async () => {
    const [good = ''] = lines([okResult()]);
    const file = await aFile([good, '{"v":1,', '', '[]', good.replace('"v":1', '"v":9'), good]);
    const { code, stdout, stderr } = await runInProcess(['report', file, '--format', 'json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout).summary.results).toBe(2);
    expect(stderr.split('\n')).toEqual([
      `error: ${file}:2 is not a result record: it is not JSON`,
      `error: ${file}:4 is not a result record: it is not a JSON object`,
      `error: ${file}:5 is not a result record: its "v" is not 1`,
      '',
    ]);
  });

  it('names ten damaged lines of many', async () => {
    const stdin = `${'nothing\n'.repeat(5000)}${lines([okResult()]).join('\n')}\n`;
    const { code, stderr } = await runInProcess(['report'], { stdin });
    expect(code).toBe(2);
    expect(stderr.split('\n')).toHaveLength(12);
    expect(stderr).toContain('error: standard input:10 is not a result record: it is not JSON\n');
    expect(stderr).toContain('error: standard input: 4990 more lines are not result records\n');
  });

  it('says of a file without any record only that', async () => {
    const { code, stdout, stderr } = await runInProcess(['report'], { stdin: 'nothing\n'.repeat(5000) });
    expect([code, stdout, stderr]).toEqual([
      2,
      '',
      'error: standard input does not look like results of fanout fetch --json\n',
    ]);
  });

  it('keeps the old report if a file has no record', async () => {
    const [list, report] = [await aFile(['https://example.com/']), await aFile(['old'], 'report.html')];
    const { code } = await runInProcess(['report', list, '--format', 'html', '-o', report]);
    expect([code, await readFile(report, 'utf8')]).toEqual([2, 'old\n']);
  });

  it.each<[string, readonly string[], string]>([
    [
      'a missing file',
      ['report', 'nope.jsonl'],
      'cannot read "nope.jsonl": no such file (expected results of fanout fetch --json)',
    ],
    ['a directory', ['report', '.'], 'cannot read ".": is a directory'],
    [
      'an unknown format',
      ['report', '-', '--format', 'xml'],
      'invalid value "xml" for --format: must be one of text, jsonl, ',
    ],
    ['standard input twice', ['report', '-', '-'], 'standard input can be read only once'],
    ['an option of fetch', ['report', '--concurrency', '3'], 'unknown option --concurrency\n'],
  ])('ends with 2 at %s', async (_, args, message) => {
    const { code, stdout, stderr } = await runInProcess(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it('does not overwrite its input', async () => {
    const file = await recordFile([okResult()]);
    const { code, stderr } = await runInProcess(['report', file, '-o', file]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('for --output: it is an input file')]);
    expect((await readFile(file, 'utf8')).length).toBeGreaterThan(0);
  });

  it('ends with 3 when the report cannot be written', async () => {
    const { code, stderr } = await runInProcess([
      'report',
      await recordFile([okResult()]),
      '-o',
      '/nonexistent/report',
    ]);
    expect([code, stderr]).toEqual([
      3,
      'error: cannot write to "/nonexistent/report": no such file or directory\n',
    ]);
  });

  describe('of many results', () => {
    let many = '';
    let directory = '';
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'fanout-test-'));
      many = join(directory, 'many.jsonl');
      await writeFile(many, lines(failures(60_000, `${'x'.repeat(200)}.example`)).join('\n'));
    });
    afterAll(() => rm(directory, { recursive: true, force: true }));

    it('ends quietly when its reader closes the pipe', async () => {
      const run = startCli(['report', many]);
      run.child.stdout?.once('data', () => run.child.stdout?.destroy());
      expect(await run.done).toMatchObject({ code: 0, stderr: '' });
    });

    it.each(['text', 'junit', 'json', 'markdown', 'html'])(
      'makes %s in little memory',
      { timeout: 60_000 },
      async (format) => {
        const { code } = await runCli(['report', many, '--format', format, '-o', '/dev/null'], {
          nodeFlags: ['--max-old-space-size=24', '--max-semi-space-size=1'],
          killAfterMs: 60_000,
        });
        expect(code).toBe(0);
      },
    );
  });
});

describe('--report', () => {
  it('can be repeated, and does not replace the results', async () => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const files = REPORT_KINDS.map((kind) => `${kind}=${join(directory, kind)}`);
    const { code, stdout } = await runInProcess([
      ...['fetch', `${origin.url}/ok`],
      ...files.flatMap((file) => ['--report', file]),
    ]);
    expect([code, stdout.slice(0, 2)]).toEqual([0, 'OK']);
    for (const kind of REPORT_KINDS) expect(await readFile(join(directory, kind), 'utf8')).toContain('1');
  });

  it('is written under --silent, too', async () => {
    const report = join(await tempDir(), 'report.md');
    const origin = await anOrigin();
    const silent = await runInProcess([
      'fetch',
      '--silent',
      `${origin.url}/ok`,
      '--report',
      `markdown=${report}`,
    ]);
    expect(silent).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(report, 'utf8')).toContain('The URL is OK');
  });

  it('may not be an input or another output', async () => {
    const list = await aFile(['http://127.0.0.1:9/']);
    const same = await runInProcess(['fetch', list, '--report', `json=${list}`]);
    expect([same.code, same.stderr]).toEqual([2, expect.stringContaining('it is an input file')]);
    const twice = await runInProcess([
      'fetch',
      list,
      '--report',
      `json=${list}.x`,
      '--report',
      `html=${list}.x`,
    ]);
    expect([twice.code, twice.stderr]).toEqual([
      2,
      expect.stringContaining(`it is the file of --report json=${list}.x`),
    ]);
  });

  it('that cannot be written ends the run with 3 before anything is fetched', async () => {
    const origin = await anOrigin();
    const { code } = await runInProcess([
      'fetch',
      `${origin.url}/ok`,
      '--report',
      'junit=/nonexistent/report.xml',
    ]);
    expect([code, origin.requests]).toEqual([3, 0]);
  });
});

const RESULTS: readonly Result[] = [
  okResult({ url: 'https://example.com/0', worker: 'host-1' }),
  failedResult('dns', { index: 1, url: 'https://example.com/1', worker: 'host-1' }),
  okResult({ index: 2, url: 'https://example.com/2' }),
];

/** A manifest beside its shard: a segment with the first two results, and the record of the third. */
async function aManifest(results = RESULTS): Promise<{ readonly path: string; readonly shard: string }> {
  const directory = await tempDir();
  const shards = await ShardFileWriter.open(directory, 'host-1');
  const finished = { chunk: 0, results: results.slice(0, 2), worker: 'host-1' };
  await shards.append(Buffer.from('what the manifest does not name'));
  const { body } = await createCommit(finished, { maxBytes: 1000, shards });
  await shards.close();
  const path = join(directory, 'manifest.jsonl');
  await writeFile(path, [body, ...results.slice(2).map(encodeRecord), ''].join('\n'));
  return { path, shard: join(directory, JSON.parse(body.toString()).shard) };
}

describe('a file of results with shards', () => {
  it('is read by fanout report, which finds them beside it and makes plain JSONL of it', async () => {
    const { path } = await aManifest();
    const { code, stdout, stderr } = await runInProcess(['report', path, '--format', 'jsonl']);
    expect([code, stderr, stdout.trim().split('\n')]).toEqual([0, '', lines(RESULTS)]);
    expect((await runInProcess(['report', path])).stdout).toContain('Done: 2 succeeded, 1 failed');
  });

  it('is read with --store where they are elsewhere, and from standard input', async () => {
    const { path, shard } = await aManifest();
    const other = await tempDir();
    await rename(shard, join(other, shard.slice(shard.lastIndexOf('/'))));
    const named = await runInProcess(['report', path, '--format', 'jsonl', '--store', other]);
    expect([named.code, named.stdout.trim().split('\n')]).toEqual([0, lines(RESULTS)]);
    const alone = await runInProcess(['report', path, '--format', 'jsonl']);
    expect([alone.code, alone.stdout.trim()]).toEqual([2, lines(RESULTS)[2]]);
    expect(alone.stderr).toMatch(
      /cannot read the results of chunk 0 at 31 of host-1-.* in \/.*: no such file/,
    );
    const piped = await runInProcess(['report'], { stdin: `${lines(RESULTS)[2]}\n` });
    expect(piped.code).toBe(0);
    const refused = await runInProcess(['report'], { stdin: '{"v":1,"shard":"a"}\n' });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('its "chunk" is missing')]);
  });

  it('is compared by fanout diff', async () => {
    const old = await aManifest();
    const now = await aManifest(
      RESULTS.map((result) => okResult({ ...result, ok: true, failure: undefined })),
    );
    const { code, stdout } = await runInProcess(['diff', old.path, now.path]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('FIXED    200  https://example.com/1')]);
  });

  it('is a baseline, and none without its shards', async () => {
    const { path, shard } = await aManifest();
    const fetch = [
      'fetch',
      'https://example.com/1',
      '--resolve',
      'example.com:443:127.0.0.1',
      '--retries',
      '0',
    ];
    const known = await runInProcess([...fetch, '--baseline', path]);
    expect([known.code, known.stdout]).toEqual([0, expect.stringContaining('KNOWN ')]);
    await rm(shard);
    const { code, stderr } = await runInProcess([...fetch, '--baseline', path]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`${path}:1 is not a result record: the results of chunk 0`),
    ]);
  });
});
