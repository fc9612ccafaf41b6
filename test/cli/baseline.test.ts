import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe('--baseline', () => {
  it('ignores known failures, marks fixed URLs, and fails the run only for a new failure', async () => {
    const origin = await anOrigin();
    const [ok, broken, fresh] = [`${origin.url}/ok`, `${origin.url}/status/404`, `${origin.url}/status/410`];
    const baseline = await aFile([broken, ok], 'baseline.txt');
    const known = await runInProcess(['fetch', '--baseline', baseline, ok, broken]);
    expect(known.code).toBe(0);
    expect(known.stdout).toMatch(/^OK .*fixed/m);
    expect(known.stdout).toMatch(/^KNOWN 404 /m);
    const quiet = await runInProcess(['fetch', '-q', '--baseline', baseline, ok, broken]);
    expect(quiet.stdout).toMatch(/^OK .*fixed\)?\n$/);
    const broke = await runInProcess(['fetch', '--json', '--baseline', baseline, ok, broken, fresh]);
    expect(broke.code).toBe(1);
    const records = broke.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(Object.fromEntries(records.map(({ url, baseline }) => [url, baseline]))).toEqual({
      [ok]: 'fixed',
      [broken]: 'known',
      [fresh]: 'new',
    });
  });

  it('reads a JSONL result, whose OK results are not known failures', async () => {
    const origin = await anOrigin();
    const flaky = `${origin.url}/flaky/a/1?status=500`;
    const args = ['fetch', '--json', '--retries', '0', `${origin.url}/ok`, flaky];
    const first = await runInProcess(args);
    const baseline = await aFile([first.stdout.trim()], 'baseline.jsonl');
    const { code, stdout } = await runInProcess([
      ...args,
      `${origin.url}/status/404`,
      '--baseline',
      baseline,
    ]);
    expect(code).toBe(1);
    expect(stdout.match(/"baseline":"\w+"/g)?.sort()).toEqual(['"baseline":"fixed"', '"baseline":"new"']);
  });

  it('does not stop for a known failure with --fail-fast', async () => {
    const origin = await anOrigin();
    const broken = Array.from({ length: 50 }, (_, index) => `${origin.url}/status/404?${index}`);
    const baseline = await aFile(broken, 'baseline.txt');
    const list = [...broken, `${origin.url}/ok`].join('\n');
    const { code, stderr } = await runInProcess(['fetch', '--fail-fast', '--baseline', baseline], {
      stdin: list,
    });
    expect(code).toBe(0);
    expect(stderr).toContain('Done: 1 succeeded, 0 failed, 50 known\n');
  });

  it.each([
    ['that does not exist', 'missing.jsonl', /cannot read --baseline ".*missing\.jsonl": no such file/],
    ['with a damaged record', undefined, /:1 is not a result record: it is not JSON/],
  ])('a file %s is an error before the first request', async (_, name, message) => {
    const origin = await anOrigin();
    const path = name === undefined ? await aFile(['{"v":1,'], 'b.jsonl') : join(await tempDir(), name);
    const { code, stderr } = await runInProcess(['fetch', '--baseline', path, `${origin.url}/ok`]);
    expect([code, origin.requests]).toEqual([2, 0]);
    expect(stderr).toMatch(message);
  });
});

describe('a file that is no baseline', () => {
  it.each<[string, readonly string[], string]>([
    ['HTML', ['<!doctype html>', '<p>http://a.example/'], 'it looks like HTML or XML; a baseline is what'],
    ['a JUnit report', ['<?xml version="1.0"?>', '<testsuites>'], 'it looks like XML; a baseline is what'],
    [
      'results as text',
      ['FAIL  404  http://a/  12ms  Not Found'],
      'it looks like a result file; a baseline is what',
    ],
    [
      'results as CSV',
      ['index,source,line,url', '0,a,1,http://a/'],
      'it looks like CSV or TSV; a baseline is what',
    ],
    [
      'a JSON report',
      ['{"v":1,"findings":[', '{"v":1,"index":0},'],
      'it looks like a JSON report of fanout; a base',
    ],
    [
      'pretty-printed JSON',
      ['{', '  "url": "http://a/"', '}'],
      'it looks like JSON over several lines; a baseline',
    ],
    [
      'a Markdown report',
      ['## 1 of 2 URLs failed', '', '| kind | URLs |'],
      'no line is a URL or a result; a baseline',
    ],
    [
      'prose',
      ['These links fail every day.', 'We know.'],
      'no line is a URL or a result; a baseline is what',
    ],
    ['binary data', ['\x01\x02', '\x03'], 'it looks like binary data; a baseline is what'],
  ])('is refused before the first request: %s', async (_, content, message) => {
    const origin = await anOrigin();
    for (const flags of [[], ['--update-baseline']]) {
      const path = await aFile(content, 'known.jsonl');
      const { code, stderr } = await runInProcess([
        'fetch',
        '--baseline',
        path,
        ...flags,
        `${origin.url}/ok`,
      ]);
      expect([code, stderr, origin.requests]).toEqual([
        2,
        expect.stringContaining(`known.jsonl": ${message}`),
        0,
      ]);
      expect(await readFile(path, 'utf8')).toBe(`${content.join('\n')}\n`);
    }
  });

  it.each([
    ['{"url":"http://a/","kind":"nope","method":"GET"}', 'its "kind" is missing or wrong'],
    ['{"url":"http://a/","kind":"dns"}', 'its "method" is missing or wrong'],
    [
      '{"url":"http://a/","kind":"dns","method":"GET","occurrence":-1}',
      'its "occurrence" is missing or wrong',
    ],
  ])('has a line that is damaged: %s', async (line, message) => {
    const path = await aFile(['{"url":"http://a/","method":"GET","kind":"dns"}', line], 'known.jsonl');
    const { code, stderr } = await runInProcess(['fetch', '--baseline', path, 'http://127.0.0.1:9/']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`known.jsonl:2 is not a result record: ${message}`),
    ]);
  });

  it('does not include an empty one, and a list of --failed with invalid lines only', async () => {
    const origin = await anOrigin();
    for (const content of [[], ['# none'], ['example.com'], ['{"url":"nonsense text"}', 'http://b/']]) {
      const path = await aFile(content, 'known.txt');
      expect((await runInProcess(['fetch', '--baseline', path, `${origin.url}/ok`])).code).toBe(0);
    }
  });
});

describe('the file of --baseline', () => {
  const PLACES: Record<string, (path: string) => unknown> = {
    'a link to an endless device': (path) => symlink('/dev/zero', path),
    'a link to a device with line breaks': (path) => symlink('/dev/urandom', path),
    'a pipe without a writer': (path) => execFileSync('mkfifo', [path]),
    'a large file that is empty': async (path) => {
      await writeFile(path, '');
      await truncate(path, 3 * 1024 ** 3); // sparse
    },
  };

  it.each<[string, string[], RegExp]>([
    ['a link to an endless device', [], /": it is not a regular file or a pipe\n/],
    ['a link to a device with line breaks', [], /": it is not a regular file or a pipe\n/],
    [
      'a pipe without a writer',
      ['--deadline', '100ms'],
      /": it did not end before the deadline of the run\n/,
    ],
    ['a large file that is empty', [], /:1 is not a result record: it is too long\n/],
    ['a large file that is empty', ['--update-baseline'], /:1 is not a result record: it is too long\n/],
  ])(
    'that is %s is an error with %j, and nothing is sent',
    async (what, flags, message) => {
      const origin = await anOrigin();
      const path = join(await tempDir(), 'baseline');
      await PLACES[what]?.(path);
      const args = ['fetch', '--baseline', path, ...flags, `${origin.url}/ok`];
      const { code, stderr } = await runInProcess(args);
      expect([code, stderr, origin.requests]).toEqual([2, expect.stringMatching(message), 0]);
      expect(existsSync(`${path}.part`)).toBe(false);
    },
    60_000,
  );

  it('may be a pipe', async () => {
    const origin = await anOrigin();
    const path = join(await tempDir(), 'baseline');
    execFileSync('mkfifo', [path]);
    const running = runInProcess([
      'fetch',
      '--baseline',
      path,
      '--deadline',
      '60s',
      `${origin.url}/status/404`,
    ]);
    await writeFile(path, `${origin.url}/status/404\n`);
    expect(await running).toMatchObject({ code: 0, stdout: expect.stringContaining('KNOWN 404') });
  });
});

describe('--update-baseline', () => {
  it('creates the file, and the next run knows its failures', async () => {
    const origin = await anOrigin();
    const path = join(await tempDir(), 'baseline.jsonl');
    const args = ['fetch', '--baseline', path, `${origin.url}/ok`, `${origin.url}/status/404`];
    const first = await runInProcess([...args, '--update-baseline']);
    expect(first.code).toBe(1);
    expect(first.stderr).toContain(`\nnote: wrote 1 failure to "${path}"; the next run counts it as known\n`);
    expect(await readFile(path, 'utf8')).toBe(
      `{"url":"${origin.url}/status/404","method":"GET","kind":"status","status":404}\n`,
    );
    expect((await runInProcess(args)).code).toBe(0);
    expect(existsSync(`${path}.part`)).toBe(false);
  });

  it('rewrites a list as a list, without fixed URLs', async () => {
    const origin = await anOrigin();
    const baseline = await aFile([`${origin.url}/ok`, `${origin.url}/status/404`], 'baseline.txt');
    const list = [`${origin.url}/ok`, `${origin.url}/status/404`, `${origin.url}/status/410`];
    await runInProcess(['fetch', '--baseline', baseline, '--update-baseline', ...list]);
    expect((await readFile(baseline, 'utf8')).trim().split('\n').sort()).toEqual(list.slice(1).sort());
  });

  it('writes sorted lines without times, so that a second run changes nothing', async () => {
    const origin = await anOrigin();
    const path = join(await tempDir(), 'baseline.jsonl');
    const list = Array.from({ length: 60 }, (_, n) => `${origin.url}/status/404?${n % 50}`);
    const args = ['fetch', '--baseline', path, '--update-baseline'];
    await runInProcess(args, { stdin: list.join('\n') });
    const written = await readFile(path, 'utf8');
    expect(written.trimEnd().split('\n')).toEqual(
      [...new Set(list)].map((url) => `{"url":"${url}","method":"GET","kind":"status","status":404}`).sort(),
    );
    await runInProcess([...args, '-c', '3'], { stdin: list.toReversed().join('\n') });
    expect(await readFile(path, 'utf8')).toBe(written);
  });

  it.each(['baseline.jsonl', 'baseline.txt', 'baseline.jsonl.gz'])(
    'keeps the known failures of URLs that are not in the list, and says so: %s',
    async (name) => {
      const origin = await anOrigin();
      const [a, b, c] = ['a', 'b', 'c'].map((query) => `${origin.url}/status/404?${query}`);
      const path = name.endsWith('.txt')
        ? await aFile([a ?? '', b ?? ''], name)
        : join(await tempDir(), name);
      const args = ['fetch', '--baseline', path];
      await runInProcess([...args, '--update-baseline', a ?? '', b ?? '']);
      const shorter = await runInProcess([...args, '--update-baseline', b ?? '', c ?? '']);
      expect(shorter.stderr).toContain(
        `note: wrote 3 failures to "${path}", 1 of them kept for URLs that are not in this list; the next run`,
      );
      const whole = await runInProcess([...args, a ?? '', b ?? '', c ?? '']);
      expect([whole.code, whole.stdout.match(/^KNOWN/gm)?.length]).toEqual([0, 3]);
    },
  );

  it('does not change the file when the run is stopped', async () => {
    const origin = await anOrigin();
    const baseline = await aFile([`${origin.url}/old`], 'baseline.txt');
    const list = Array.from({ length: 200 }, (_, index) => `${origin.url}/status/404?${index}`).join('\n');
    const flags = ['--baseline', baseline, '--update-baseline', '--fail-fast', '-c', '1'];
    const { code, stderr } = await runInProcess(['fetch', ...flags], { stdin: list });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/\nnote: left .* as it was, because the run was cut short\n$/),
    ]);
    expect(await readFile(baseline, 'utf8')).toBe(`${origin.url}/old\n`);
    expect(existsSync(`${baseline}.part`)).toBe(false);
  });

  it('needs --baseline', async () => {
    const { code, stderr } = await runInProcess(['fetch', '--update-baseline', 'http://127.0.0.1/']);
    expect(code).toBe(2);
    expect(stderr).toContain('--update-baseline needs --baseline');
  });
});

test('a missing baseline is an error that names --update-baseline', async () => {
  const { code, stderr } = await runInProcess(['fetch', '--baseline', 'gone.txt', 'http://127.0.0.1:9/']);
  expect([code, stderr]).toEqual([
    2,
    'error: cannot read --baseline "gone.txt": no such file (create it with --update-baseline)\n',
  ]);
});

describe('--flaky-after', () => {
  it('fails the run only after 3 bad runs in a row', async () => {
    const origin = await anOrigin();
    const state = join(await tempDir(), 'state.jsonl');
    const args = [
      'fetch',
      '--flaky-after',
      '3',
      '--flaky-state',
      state,
      `${origin.url}/status/500`,
      '--retries',
      '0',
    ];
    const codes = [];
    for (let run = 0; run < 4; run += 1) codes.push((await runInProcess(args)).code);
    expect(codes).toEqual([0, 0, 1, 1]);
    expect(await readFile(state, 'utf8')).toBe(
      `{"method":"GET","url":"${origin.url}/status/500","badRuns":4}\n`,
    );
  });

  it('fails at once for a URL that will not pass', async () => {
    const origin = await anOrigin();
    const state = join(await tempDir(), 'state.jsonl');
    const args = ['fetch', '--flaky-after', '3', '--flaky-state', state, `${origin.url}/status/404`];
    const { code, stderr } = await runInProcess(args);
    expect([code, stderr]).toEqual([1, expect.stringContaining('Done: 0 succeeded, 1 failed\n')]);
  });

  it('starts from zero after a good run', async () => {
    const origin = await anOrigin();
    const state = await aFile(
      [JSON.stringify({ method: 'GET', url: `${origin.url}/ok`, badRuns: 2 })],
      'state.jsonl',
    );
    const flags = ['--flaky-after', '3', '--flaky-state', state];
    expect((await runInProcess(['fetch', ...flags, `${origin.url}/ok`])).code).toBe(0);
    expect(await readFile(state, 'utf8')).toBe('');
  });

  it.each([
    [['--flaky-after', '2'], '--flaky-after needs --flaky-state'],
    [['--flaky-state', 'x'], '--flaky-state needs --flaky-after'],
  ])('%s without its partner is wrong usage', async (flags, message) => {
    const { code, stderr } = await runInProcess(['fetch', ...flags, 'http://127.0.0.1/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('a damaged state is an error before the first request', async () => {
    const origin = await anOrigin();
    const state = await aFile(['{"url":"x"}'], 'state.jsonl');
    const flags = ['--flaky-after', '2', '--flaky-state', state];
    const { code, stderr } = await runInProcess(['fetch', ...flags, `${origin.url}/ok`]);
    expect([code, origin.requests]).toEqual([2, 0]);
    expect(stderr).toMatch(/state\.jsonl:1 is not a line of --flaky-state \(remove the file to start over\)/);
  });
});

describe('jobs without an id that share a URL', () => {
  const job = (url: string, status: number) => JSON.stringify({ url, expect: { status } });
  const verdicts = (stdout: string) => stdout.split('\n').flatMap((line) => line.split(' ')[0] || []);

  it.each(['baseline.jsonl', 'baseline.txt'])(
    'hide no new failure behind a known one in %s',
    async (name) => {
      const url = `${(await anOrigin()).url}/ok`;
      const baseline = name.endsWith('.txt') ? await aFile([url], name) : join(await tempDir(), name);
      const args = ['fetch', '-c', '1', '--baseline', baseline];
      const list = await aFile([job(url, 200), job(url, 201)], 'jobs.jsonl');
      expect((await runInProcess([...args, list, '--update-baseline'])).code).toBe(1);
      expect(await readFile(baseline, 'utf8')).toBe(
        `${JSON.stringify({ url, method: 'GET', occurrence: 1, kind: 'expectation', status: 200 })}\n`,
      );
      const same = await runInProcess([...args, list]);
      expect([same.code, verdicts(same.stdout)]).toEqual([0, ['OK', 'KNOWN']]);
      const other = await runInProcess([...args, await aFile([job(url, 204), job(url, 200)], 'other.jsonl')]);
      expect([other.code, verdicts(other.stdout)]).toEqual([1, ['FAIL', 'OK']]);
      expect(other.stdout).toContain('fixed');
      expect(other.stderr).not.toContain('warning');
    },
  );

  it('are all new if the baseline names only their URL, with a warning', async () => {
    const url = `${(await anOrigin()).url}/ok`;
    const list = await aFile([job(url, 200), job(url, 201)], 'jobs.jsonl');
    const { code, stderr } = await runInProcess([
      'fetch',
      list,
      '--baseline',
      await aFile([url], 'known.txt'),
    ]);
    expect([code, stderr.match(/^warning: .*$/gm)]).toEqual([
      1,
      [expect.stringContaining('give each job an "id"')],
    ]);
  });

  it('fail with --flaky-after once one of them has failed in so many runs', async () => {
    const url = `${(await anOrigin()).url}/ok`;
    const list = await aFile([job(url, 201), job(url, 200)], 'jobs.jsonl');
    const args = ['fetch', list, '--flaky-after', '2', '--flaky-state', join(await tempDir(), 'flaky.json')];
    const codes = [];
    for (let run = 1; run <= 3; run += 1) codes.push((await runInProcess(args)).code);
    expect(codes).toEqual([0, 1, 1]);
  });
});
