import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe('URLs that were not fetched, after --fail-fast,', () => {
  it.each([
    ['', []],
    ['with --ordered', ['--ordered']],
    ['with a small queue', ['--queue-size', '4']],
    ['with a journal', ['--journal', 'journal']],
  ])('are in every report, in --failed, and in the records %s', async (_, flags) => {
    const directory = await tempDir();
    const file = (name: string) => join(directory, name);
    const text = (name: string) => readFile(file(name), 'utf8');
    const origin = await anOrigin();
    const list = [
      `${origin.url}/status/404`,
      ...urls(origin, '/ok', 27),
      JSON.stringify({ url: `${origin.url}/ok`, method: 'POST', id: 'mine', body: 'text' }),
    ];
    const { code, stderr } = await runInProcess([
      ...['fetch', await aFile([...list, '', '# comment', `${origin.url}/last`]), '-c', '1', '--fail-fast'],
      ...['--json', '-o', file('r.jsonl'), '--failed', file('failed.txt')],
      ...['markdown', 'html', 'junit', 'json'].flatMap((kind) => ['--report', `${kind}=${file(kind)}`]),
      ...flags.map((flag) => (flag === 'journal' ? file(flag) : flag)),
    ]);
    expect([code, origin.requests]).toEqual([1, 1]);
    expect(stderr).toContain('Done: 0 succeeded, 1 failed, 29 not fetched\n');
    const records = (await text('r.jsonl'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ index }) => index)).toEqual(Array.from({ length: 30 }, (_, index) => index));
    const notFetched = { ok: false, attempts: 0, failure: { kind: 'aborted' } };
    expect(records[1]).toMatchObject({ ...notFetched, line: 2 });
    expect(records[28]).toMatchObject({ ...notFetched, line: 29, method: 'POST', id: 'mine' });
    expect(records[29]).toMatchObject({ ...notFetched, line: 32, url: `${origin.url}/last` });
    const failed = (await text('failed.txt')).trimEnd().split('\n');
    expect(failed).toHaveLength(30);
    expect(failed.map((line) => (line.startsWith('{') ? JSON.parse(line) : line))).toEqual([
      ...list.slice(0, -1),
      JSON.parse(list[28] ?? ''),
      `${origin.url}/last`,
    ]);
    expect(await text('markdown')).toMatch(/^## ❌ Run stopped: 1 failed, 29 not fetched of 30 URLs\n/);
    expect(await text('html')).toContain('<h1>Run stopped: 1 failed, 29 not fetched of 30 URLs</h1>');
    expect(await text('junit')).toContain('tests="30" failures="1" errors="29"');
    expect(JSON.parse(await text('json')).summary).toMatchObject({ results: 1, failed: 1, notFetched: 29 });
    const again = await runInProcess(['report', '--format', 'markdown', file('r.jsonl')]);
    expect(again.stdout).toBe(await text('markdown'));
  });

  it('are fetched by the next run with the same journal, or with the list of --failed', async () => {
    const origin = await anOrigin();
    const list = await aFile([...urls(origin, '/status/404', 1), ...urls(origin, '/ok', 9)]);
    const [journal, failed] = [join(await tempDir(), 'journal'), join(await tempDir(), 'failed.txt')];
    const args = ['fetch', list, '--journal', journal, '-c', '1'];
    await runInProcess([...args, '--fail-fast', '--failed', failed]);
    const next = await runInProcess([...args, '--keep-failed']);
    expect(next.stderr).toContain('Done: 9 succeeded, 1 failed (1 from the journal)\n');
    const rest = await runInProcess(['fetch', failed]);
    expect(rest.stderr).toContain('Done: 9 succeeded, 1 failed\n');
  });

  it('do not include those that the journal has', async () => {
    const origin = await anOrigin();
    const journal = join(await tempDir(), 'journal');
    const good = urls(origin, '/ok', 9);
    await runInProcess(['fetch', ...good, '--journal', journal]);
    const list = [...urls(origin, '/status/404', 1), ...urls(origin, '/slow/1', 60), ...good];
    const args = ['fetch', await aFile(list), '--journal', journal, '-c', '1', '--queue-size', '4'];
    const { stderr } = await runInProcess([...args, '--fail-fast']);
    expect(stderr).toContain('Done: 9 succeeded (9 from the journal), 1 failed, 60 not fetched\n');
  });

  it('are those that were read if the list comes from standard input', async () => {
    const origin = await anOrigin();
    const stdin = [`${origin.url}/status/404`, ...urls(origin, '/ok', 5000)].join('\n');
    const { code, stdout, stderr } = await runInProcess(
      ['fetch', '-c', '1', '--fail-fast', '--queue-size', '8', '--json'],
      { stdin },
    );
    expect(code).toBe(1);
    const [, count = 0] =
      /Done: 0 succeeded, 1 failed, (\d+) not fetched, the rest of the list was not read\n/.exec(stderr) ??
      [];
    expect(Number(count)).toBeGreaterThan(5);
    expect(stdout.trimEnd().split('\n')).toHaveLength(Number(count) + 1);
  });

  it('do not include duplicates, which are skipped', async () => {
    const origin = await anOrigin();
    const twice = urls(origin, '/ok', 40).flatMap((url) => [url, url]);
    const list = await aFile([`${origin.url}/status/404`, ...twice]);
    const args = ['fetch', list, '-c', '1', '--fail-fast', '--unique', '--queue-size', '4'];
    const { stderr } = await runInProcess(args);
    expect(stderr).toContain('Done: 0 succeeded, 1 failed, 40 not fetched, 40 skipped (40 duplicates)\n');
  });
});

it('a run that --deadline ends has the URLs that were not fetched in its summary', async () => {
  const origin = await anOrigin();
  const list = await aFile(urls(origin, '/hang', 30));
  const { code, stderr } = await runInProcess(['fetch', list, '-c', '5', '--deadline', '300ms']);
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('Done: 0 succeeded, 0 failed, 30 not fetched\n'),
  ]);
});
