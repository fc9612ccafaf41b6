import { readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

/** The URLs and verdicts of JSONL lines, in their order. */
function records(jsonl: string): [url: string, ok: boolean][] {
  return jsonl
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ url, ok }) => [url, ok]);
}

async function aJournal(): Promise<string> {
  return join(await tempDir(), 'run.journal');
}

describe('--journal', () => {
  it('fetches nothing twice, and writes a result for every URL of the list', async () => {
    const origin = await anOrigin();
    const list = urls(origin, '/ok', 100);
    const args = ['fetch', '--json', '--journal', await aJournal()];
    const first = await runInProcess(args, { stdin: list.slice(0, 60).join('\n') });
    expect([first.code, origin.requests]).toEqual([0, 60]);
    const second = await runInProcess(args, { stdin: list.join('\n') });
    expect([second.code, origin.requests]).toEqual([0, 100]);
    expect(
      records(second.stdout)
        .map(([url]) => url)
        .sort(),
    ).toEqual(list.toSorted());
    expect(second.stderr).toContain('Done: 100 succeeded (60 from the journal), 0 failed');
    expect(first.stderr).not.toContain('continuing');
    expect(second.stderr).toMatch(/^note: continuing from ".*", which has 60 results\n/);
  });

  it('says so when nothing is left to fetch', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    const args = ['fetch', '--journal', journal, ...urls(origin, '/ok', 3)];
    const says = `note: nothing left to fetch: remove "${journal}" to start over\n`;
    expect((await runInProcess(args)).stderr).not.toContain(says);
    const { code, stderr } = await runInProcess(args);
    expect([code, stderr, origin.requests]).toEqual([0, expect.stringContaining(says), 3]);
    expect(stderr).not.toContain('URLs/s');
    expect((await runInProcess([...args, '--silent'])).stderr).toBe('');
    expect((await runInProcess([...args, `${origin.url}/ok?new`])).stderr).not.toContain('nothing left');
  });

  it('fetches failures again, unless they are kept', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    const list = [`${origin.url}/ok`, `${origin.url}/status/404`];
    expect((await runInProcess(['fetch', '--journal', journal, ...list])).code).toBe(1);
    expect((await runInProcess(['fetch', '--journal', journal, ...list])).code).toBe(1);
    expect([origin.hits('/ok'), origin.hits('/status/404')]).toEqual([1, 2]);
    const kept = await runInProcess(['fetch', '--json', '--keep-failed', '--journal', journal, ...list]);
    expect([kept.code, origin.requests]).toEqual([1, 3]);
    expect(new Map(records(kept.stdout))).toEqual(
      new Map([
        [list[0], true],
        [list[1], false],
      ]),
    );
  });

  it('recognises jobs and not line numbers, so that lists may be edited', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    const list = urls(origin, '/ok', 10);
    await runInProcess(['fetch', '--journal', journal], { stdin: list.join('\n') });
    const edited = ['# moved', ...list.slice(5).reverse(), `${origin.url}/ok?new`, ...list.slice(0, 2)];
    const { stdout } = await runInProcess(['fetch', '--json', '--ordered', '--journal', journal], {
      stdin: edited.join('\n'),
    });
    expect(records(stdout).map(([url]) => url)).toEqual(edited.slice(1));
    expect(origin.requests).toBe(11);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({ index: 0, line: 2 });
  });

  it('counts how often a URL is in the list', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    const url = `${origin.url}/ok`;
    await runInProcess(['fetch', '--journal', journal, url, url]);
    const { stderr } = await runInProcess(['fetch', '--journal', journal, url, url, url]);
    expect(origin.requests).toBe(3);
    expect(stderr).toContain('Done: 3 succeeded (2 from the journal), 0 failed');
  });

  it('writes the whole list to --output, --failed and --report again', async () => {
    const origin = await anOrigin();
    const directory = await tempDir();
    const [output, failed, report] = ['out.jsonl', 'failed.txt', 'out.xml'].map((name) =>
      join(directory, name),
    );
    const flags = [
      '-o',
      `${output}`,
      '--failed',
      `${failed}`,
      '--report',
      `junit=${report}`,
      '--keep-failed',
      '--json',
    ];
    const args = ['fetch', ...flags, '--journal', join(directory, 'j')];
    const list = [...urls(origin, '/ok', 20), `${origin.url}/status/404`];
    await runInProcess(args, { stdin: list.slice(10).join('\n') });
    await runInProcess(args, { stdin: list.join('\n') });
    expect(records(await readFile(`${output}`, 'utf8'))).toHaveLength(21);
    expect(await readFile(`${failed}`, 'utf8')).toBe(`${origin.url}/status/404\n`);
    expect((await readFile(`${report}`, 'utf8')).match(/<testcase/g)).toHaveLength(21);
    expect(origin.requests).toBe(21);
  });

  it('continues after SIGKILL, and every URL has one record', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    const output = join(await tempDir(), 'out.jsonl');
    const gates = urls(origin, '/gate/g', 8);
    const list = await aFile([...urls(origin, '/ok', 2000), ...gates, ...urls(origin, '/ok/more', 1000)]);
    const args = ['fetch', '--json', '-o', output, '-c', '8', '--journal', journal, list];
    const killed = startCli(args);
    await origin.waiting('g', 8);
    killed.child.kill('SIGKILL');
    await killed.done;
    origin.open('g');
    const { code, stderr } = await runCli(args);
    expect(code).toBe(0);
    expect(stderr).toMatch(/Done: 3008 succeeded \(\d{3,} from the journal\), 0 failed/);
    const found = records(await readFile(output, 'utf8')).map(([url]) => url);
    expect([found.length, new Set(found).size]).toEqual([3008, 3008]);
  }, 90_000);

  it.each<[string, readonly string[], readonly string[]]>([
    ['header', ['-H', 'X-Token: good'], ['-H', 'X-Token: bad']],
    ['user', ['-u', 'a:good'], ['-u', 'a:bad']],
    [
      'header for the host',
      ['--header-for', '127.0.0.1 X-Token: good'],
      ['--header-for', '127.0.0.1 X-Token: bad'],
    ],
    [
      'header for the host of a redirect',
      ['--header-for', 'elsewhere.test X-Token: good'],
      ['--header-for', 'elsewhere.test X-Token: bad'],
    ],
    ['text that is required', [], ['--contains', 'nowhere']],
    ['text that is unwanted', [], ['--not-contains', 'o']],
    ['expression', [], ['--matches', '^nowhere$']],
    ['header that is required', [], ['--expect-header', 'X-Nowhere: 1']],
    ['list of accepted statuses', [], ['--accept', '404']],
    ['use of compression', [], ['--no-decompress']],
  ])('fetches a URL again that was fetched with another %s', async (_, first, second) => {
    const origin = await anOrigin();
    const args = ['fetch', '--journal', await aJournal(), `${origin.url}/ok`];
    await runInProcess([...args, ...first]);
    await runInProcess([...args, ...first]);
    expect(origin.requests).toBe(1);
    const { stderr } = await runInProcess([...args, ...second]);
    expect([origin.requests, stderr.includes('from the journal')]).toEqual([2, false]);
  });

  it.each<[string, readonly string[], readonly string[], object]>([
    ['--record headers', [], ['--record', 'headers'], { headers: expect.anything() }],
    ['--inline-body', [], ['--inline-body', '1kb'], { body: { bytes: 3, text: 'ok\n' } }],
    [
      'a larger --inline-body',
      ['--inline-body', '1'],
      ['--inline-body', '1kb'],
      { body: { bytes: 3, text: 'ok\n' } },
    ],
  ])('fetches a URL again whose record lacks what %s adds', async (_, first, second, added) => {
    const origin = await anOrigin();
    const args = ['fetch', '--json', '--journal', await aJournal(), `${origin.url}/ok`];
    await runInProcess([...args, ...first]);
    const fetched = JSON.parse((await runInProcess([...args, ...second])).stdout);
    const again = JSON.parse((await runInProcess([...args, ...second])).stdout);
    expect([fetched, again, origin.requests]).toEqual([
      expect.objectContaining(added),
      expect.objectContaining(added),
      2,
    ]);
  });

  it('gives no record with headers or a body to a run that does not request them', async () => {
    const origin = await anOrigin();
    const args = ['fetch', '--json', '--journal', await aJournal(), `${origin.url}/ok`];
    await runInProcess([...args, '--record', 'headers', '--inline-body']);
    const record = JSON.parse((await runInProcess(args)).stdout);
    expect([record.headers, record.body]).toEqual([undefined, undefined]);
  });

  it.each<[string, object]>([
    ['headers', { headers: { Authorization: 'Bearer bad' } }],
    ['id', { id: '2' }],
    ['expectation', { expect: { contains: 'nowhere' } }],
  ])('gives a JSON job with other %s no result of another job', async (_, changes) => {
    const origin = await anOrigin();
    const args = ['fetch', '-', '--json', '--journal', await aJournal()];
    const one = {
      url: `${origin.url}/ok`,
      id: '1',
      headers: { Authorization: 'Bearer good' },
      expect: { contains: 'o' },
    };
    await runInProcess(args, { stdin: JSON.stringify(one) });
    const both = [one, { ...one, ...changes }].map((line) => JSON.stringify(line)).join('\n');
    const { stderr } = await runInProcess(args, { stdin: both });
    expect([origin.requests, stderr.includes('(1 from the journal)')]).toEqual([2, true]);
  });

  it('refuses a file that is not a journal, and does not change it', async () => {
    const list = await aFile(['http://127.0.0.1/']);
    const { code, stderr } = await runInProcess(['fetch', '--journal', list, 'http://127.0.0.1:1/']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/Cannot use .*journal/i);
    expect(await readFile(list, 'utf8')).toBe('http://127.0.0.1/\n');
  });

  it('refuses a journal that another run uses', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    const args = ['fetch', '--journal', journal];
    const first = startCli([...args, '-'], { stdin: 'open' });
    first.child.stdin?.write(`${origin.url}/ok\n`);
    await first.stdout.sees('OK');
    const second = await runInProcess([...args, `${origin.url}/ok`]);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`${first.child.pid}`);
    first.child.stdin?.end();
    expect((await first.done).code).toBe(0);
  });

  it('fetches a URL again whose saved body is gone or incomplete', async () => {
    const origin = await anOrigin();
    const directory = join(await tempDir(), 'bodies');
    const args = ['fetch', '--json', '--save-dir', directory, '--journal', await aJournal()];
    const list = [1, 2, 3].map((n) => `${origin.url}/bytes/${n}000`);
    const { stdout } = await runInProcess([...args, ...list]);
    const paths = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ url, body }) => [url, join(directory, body.path)]),
    );
    await rm(`${paths.get(list[0])}`);
    await truncate(`${paths.get(list[1])}`, 5);
    const again = await runInProcess([...args, ...list]);
    expect([again.code, ...list.map((url) => origin.hits(new URL(url).pathname))]).toEqual([0, 2, 2, 1]);
    expect((await readFile(`${paths.get(list[1])}`)).length).toBe(2000);
  });

  it('fetches a URL again whose body was not saved the first time', async () => {
    const origin = await anOrigin();
    const journal = await aJournal();
    await runInProcess(['fetch', '--journal', journal, `${origin.url}/ok`]);
    await runInProcess(['fetch', '--save-dir', await tempDir(), '--journal', journal, `${origin.url}/ok`]);
    expect(origin.hits('/ok')).toBe(2);
  });

  it('is needed by --keep-failed', async () => {
    const { code, stderr } = await runInProcess(['fetch', '--keep-failed', 'http://127.0.0.1/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--keep-failed needs --journal')]);
  });
});
