import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesIn } from '../bodies/a-saver.ts';
import { originsOfTwoThreads } from '../fetch/threads/origins-of-threads.ts';
import { running } from '../http/client.ts';
import { listen } from '../origin/listen.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const FETCH = ['fetch', '--threads', '2'];
const FETCH4 = ['fetch', '--threads', '4'];

/** The URLs of two lists, alternately. */
function mixed(first: readonly string[], second: readonly string[]): string[] {
  return first.flatMap((url, at) => [url, second[at] ?? url]);
}

describe('fanout fetch --threads 2', () => {
  it.each([
    ['first', 0],
    ['in the middle', 500],
    ['last', 999],
  ])('ends with 1 when the one failure is %s', async (_, place) => {
    const [a, b] = await originsOfTwoThreads();
    const list = mixed(urls(a, '/ok', 500), urls(b, '/ok', 500)).with(place, `${b.url}/status/404`);
    const { code, stdout, stderr } = await runCli(FETCH, { stdin: list.join('\n') });
    expect(stdout.match(/^FAIL .*$/gm)).toEqual([expect.stringContaining(' 404 ')]);
    expect(stderr).toContain('\nDone: 999 succeeded, 1 failed\n');
    expect([code, a.requests + b.requests]).toEqual([1, 1000]);
  });

  it('writes the same records as one thread, also for JSON jobs', async () => {
    const [a, b] = await originsOfTwoThreads();
    const list = [
      ...mixed(urls(a, '/redirect/2', 3), urls(b, '/status/500', 3)),
      `${a.url}/redirect-to?url=${encodeURIComponent(`${b.url}/ok`)}`,
      JSON.stringify({ url: `${b.url}/status/301`, expect: { status: '301' }, id: 'moved' }),
      JSON.stringify({ url: `${a.url}/echo`, method: 'PUT', body: 'ü', headers: { 'x-a': '1' } }),
      'no URL at all',
    ];
    const args = ['--json', '--ordered', '--retries', '0'];
    const outputs = [];
    for (const threads of ['1', '2']) {
      const { code, stdout } = await runCli(['fetch', ...args, '--threads', threads], {
        stdin: list.join('\n'),
      });
      outputs.push([code, stdout.replace(/"(startedAt|durationMs|ttfbMs|totalMs)":("[^"]*"|[\d.]+),?/g, '')]);
    }
    expect(outputs[1]).toEqual(outputs[0]);
  });

  it('applies --per-host also to sitemaps that are redirected to a host of the other thread', async () => {
    const [a, b] = await originsOfTwoThreads();
    const locs = Array.from({ length: 20 }, (_, n) => {
      const target = `${b.url}/slow/20?n=${n}`;
      return n % 2 === 0 ? target : `${a.url}/redirect-to?url=${encodeURIComponent(target)}`;
    });
    const sitemaps = locs.map((loc) => `<sitemap><loc>${loc}</loc></sitemap>`);
    const index = await aFile([`<sitemapindex>${sitemaps.join('')}</sitemapindex>`], 'index.xml');
    const { code, stdout } = await runCli([...FETCH, '--sitemap', '--per-host', '1', index]);
    // They are no sitemaps, which shows that each was fetched.
    expect([code, stdout.match(/^FAIL {2}invalid .* as a sitemap/gm)?.length]).toEqual([1, 20]);
    expect([a.requests, b.requests, b.maxInFlight]).toEqual([10, 20, 1]);
  });

  it('applies --per-host also to redirects to a host of the other thread', async () => {
    const [a, b] = await originsOfTwoThreads();
    const there = (origin: { url: string }) => `?url=${encodeURIComponent(`${origin.url}/slow/20`)}&n=`;
    const list = [
      ...Array.from({ length: 20 }, (_, n) => `${a.url}/redirect-to${there(b)}${n}`),
      ...Array.from({ length: 20 }, (_, n) => `${b.url}/redirect-to${there(a)}${n}`),
    ];
    const { code, stdout } = await runCli([...FETCH, '--per-host', '2', '-c', '20', ...list]);
    expect([code, stdout.match(/^OK .* -> /gm)?.length]).toEqual([0, 40]);
    expect([a.maxInFlight, b.maxInFlight, a.requests, b.requests]).toEqual([2, 2, 40, 40]);
  });

  it('applies --rate to all threads together', async () => {
    const [a, b] = await originsOfTwoThreads();
    const list = await aFile(mixed(urls(a, '/ok', 500), urls(b, '/ok', 500)));
    const startedAt = performance.now();
    const run = startCli([...FETCH, '--rate', '10/s', list]);
    await Promise.all([a.received(6), b.received(6)]);
    run.child.kill('SIGINT');
    await run.done;
    const seconds = (performance.now() - startedAt) / 1000;
    expect(a.requests + b.requests).toBeLessThanOrEqual(10 * seconds + 3);
  });

  it('gives one host all requests of -c', async () => {
    const origin = await anOrigin();
    const run = startCli([...FETCH4, '-c', '10', await aFile(urls(origin, '/gate/g', 20))]);
    await origin.waiting('g', 10);
    origin.open('g');
    expect([(await run.done).code, origin.maxInFlight]).toEqual([0, 10]);
  });

  it('has at most the requests of --per-host in flight to a host, in all threads together', async () => {
    const origin = await anOrigin();
    const list = await aFile(urls(origin, '/slow/5', 100));
    const { code } = await runCli([...FETCH4, '-c', '32', '--per-host', '3', list]);
    expect([code, origin.requests, origin.maxInFlight]).toEqual([0, 100, 3]);
  });

  it('applies --host-rate to all threads together', async () => {
    const origin = await anOrigin();
    const startedAt = performance.now();
    const run = startCli([...FETCH4, '--host-rate', '20/s', await aFile(urls(origin, '/ok', 500))]);
    await origin.received(12);
    run.child.kill('SIGINT');
    await run.done;
    const seconds = (performance.now() - startedAt) / 1000;
    expect(origin.requests).toBeLessThanOrEqual(20 * seconds + 3);
  });

  it('pauses a host in every thread for its Retry-After', async () => {
    const times: number[] = [];
    const server = createServer((_, response) => {
      times.push(performance.now());
      const isFirst = times.length <= 8;
      response.writeHead(isFirst ? 429 : 200, isFirst ? { 'retry-after': '1' } : {}).end();
    });
    const { url } = await running(listen(server).then((it) => ({ ...it, url: `http://${it.authority}` })));
    const list = await aFile(Array.from({ length: 40 }, (_, n) => `${url}/?${n}`));
    const { code } = await runCli([...FETCH4, '-c', '8', list]);
    // The eight that were in flight are pushed back; nothing else is sent before the pause is over.
    const pauseMs = (times[8] ?? 0) - (times[0] ?? 0);
    expect([code, times.length, pauseMs > 900]).toEqual([0, 48, true]);
  });

  it('gives a host up for all threads at once', async () => {
    let connections = 0;
    const server = createTcpServer((socket) => {
      connections += 1;
      socket.on('error', () => {});
      socket.once('data', () => socket.resetAndDestroy());
    });
    const { authority } = await running(listen(server));
    const list = await aFile(Array.from({ length: 200 }, (_, n) => `http://${authority}/?${n}`));
    const flags = ['--retries', '0', '--give-up-after', '1s', '--json'];
    const { code, stdout, stderr } = await runCli([...FETCH4, ...flags, list]);
    const kinds = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).failure.kind);
    expect([code, kinds.length, new Set(kinds)]).toEqual([1, 200, new Set(['reset', 'down'])]);
    // The first ten, and one after each pause.
    expect(connections).toBeLessThan(20);
    expect(stderr.match(/ down /g)?.length ?? 0).toBeLessThanOrEqual(2);
  });

  it('saves a URL that is in the list many times, in whichever threads, to one file', async () => {
    const origin = await anOrigin();
    const dir = join(await tempDir(), 'out');
    const list = await aFile(Array.from({ length: 60 }, () => `${origin.url}/bytes/5000`));
    const { code } = await runCli([...FETCH4, '-c', '40', '--save-dir', dir, list]);
    expect([code, (await filesIn(dir)).length, origin.requests]).toEqual([0, 1, 60]);
  });

  it('counts what is not fetched after a failure with --fail-fast', async () => {
    const [a, b] = await originsOfTwoThreads();
    const list = await aFile([
      `${a.url}/status/404`,
      ...mixed(urls(a, '/hang', 5000), urls(b, '/hang', 5000)),
    ]);
    const args = [...FETCH, '--fail-fast', '--timeout', '500ms', '--retries', '0', '-c', '8', '--ordered'];
    const { code, stderr } = await runCli([...args, list]);
    const [, failed = 0, left = 0] = /Done: 0 succeeded, (\d+) failed, (\d+) not fetched/.exec(stderr) ?? [];
    expect([code, Number(failed) + Number(left)]).toEqual([1, 10_001]);
    expect(Number(failed)).toBeLessThan(20);
  });

  it('finishes the requests in flight in every thread after SIGINT, and ends with 130', async () => {
    const [a, b] = await originsOfTwoThreads();
    const list = await aFile(mixed(urls(a, '/gate/g', 2000), urls(b, '/gate/g', 2000)));
    const run = startCli([...FETCH, '-c', '4', list]);
    await Promise.all([a.waiting('g', 2), b.waiting('g', 2)]);
    run.child.kill('SIGINT');
    await run.stderr.sees(': finishing ');
    a.open('g');
    b.open('g');
    const { code, stderr } = await run.done;
    const sent = a.requests + b.requests;
    expect([code, sent]).toEqual([130, 4]);
    expect(stderr).toContain(`Done: ${sent} succeeded, 0 failed, ${4000 - sent} not fetched\n`);
  });

  it('writes after SIGINT the failures that would have been retried', async () => {
    const [a, b] = await originsOfTwoThreads();
    const list = [a, b].flatMap(({ url }) => [`${url}/status/500`, `${url}/ok`]);
    // Once the URL behind it is done, the first URL of each host waits for its next attempt.
    const run = startCli([...FETCH, '--per-host', '1', '--retry-on', '500', '--retries', '99', ...list]);
    await run.stdout.sees(/OK [\s\S]*OK /);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.done;
    expect([code, stdout.match(/^FAIL {2}500 /gm)?.length]).toEqual([130, 2]);
  });

  it('aborts the requests in flight in every thread at a second signal', async () => {
    const [a, b] = await originsOfTwoThreads();
    const run = startCli([...FETCH, '-c', '2', `${a.url}/hang`, `${b.url}/hang`]);
    await Promise.all([a.waiting('hang'), b.waiting('hang')]);
    run.child.kill('SIGTERM');
    await run.stderr.sees(' to quit now');
    run.child.kill('SIGTERM');
    expect((await run.done).code).toBe(143);
    await Promise.all([a.abandoned('hang'), b.abandoned('hang')]);
  });

  it('waits for a reader that does not read, and ends with 0 when the reader closes the pipe', async () => {
    const [a, b] = await originsOfTwoThreads();
    const id = 'long'.repeat(1000);
    const list = mixed(urls(a, '/ok', 1500), urls(b, '/ok', 1500)).map((url) => JSON.stringify({ url, id }));
    const run = startCli([...FETCH, '--json', '--queue-size', '16', '-c', '4', await aFile(list)]);
    run.child.stdout?.pause();
    await Promise.all([a.received(10), b.received(10)]);
    // A second run gives the first one time to continue, if it wrongly could.
    const other = await anOrigin();
    await runInProcess(['fetch', '-q', await aFile(urls(other, '/ok', 1000))]);
    expect(a.requests + b.requests).toBeLessThan(1000);
    run.child.stdout?.destroy();
    expect((await run.done).code).toBe(0);
  });

  it('continues after SIGKILL from its journal, and every URL has one record', async () => {
    const [a, b] = await originsOfTwoThreads();
    const dir = await tempDir();
    const list = await aFile([
      ...mixed(urls(a, '/ok', 200), urls(b, '/ok', 200)),
      ...mixed(urls(a, '/gate/g', 4), urls(b, '/gate/g', 4)),
    ]);
    const output = join(dir, 'out.jsonl');
    const args = [...FETCH, '--json', '-o', output, '-c', '8', '--journal', join(dir, 'run.journal'), list];
    const killed = startCli(args);
    await Promise.all([a.waiting('g', 4), b.waiting('g', 4)]);
    killed.child.kill('SIGKILL');
    await killed.done;
    a.open('g');
    b.open('g');
    const { code, stderr } = await runCli(args);
    expect(code).toBe(0);
    expect(stderr).toMatch(/Done: 408 succeeded \(\d{2,} from the journal\), 0 failed/);
    const found = (await readFile(output, 'utf8')).trim().split('\n');
    expect(new Set(found.map((line) => JSON.parse(line).url)).size).toBe(408);
    expect(found).toHaveLength(408);
  });

  it('gives no two URLs the same file, whichever threads fetch them', async () => {
    const [a, b] = await originsOfTwoThreads();
    const dir = join(await tempDir(), 'out');
    const list = [
      ...[a, b].flatMap(({ url }) => [`${url}/ok`, `${url}/bytes/1000`, `${url}/ok?a`]),
      JSON.stringify({ url: `${a.url}/ok?1`, save: 'same.txt' }),
      JSON.stringify({ url: `${b.url}/ok?2`, save: 'SAME.txt' }),
    ];
    const { code, stdout } = await runCli([...FETCH, '--save-dir', dir, '--json', '--ordered'], {
      stdin: list.join('\n'),
    });
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([code, records.map(({ failure }) => failure?.kind).filter(Boolean)]).toEqual([1, ['invalid']]);
    const paths = records.flatMap(({ body }) => body?.path ?? []);
    expect(await filesIn(dir)).toEqual(paths.toSorted());
    expect([paths.length, new Set(paths).size]).toEqual([7, 7]);
  });

  it('ends with 3 before the first request when bodies cannot be saved', async () => {
    const origin = await anOrigin();
    const { code } = await runCli([...FETCH, '--save-dir', await aFile(['in the way']), `${origin.url}/ok`]);
    expect([code, origin.requests]).toEqual([3, 0]);
  });

  it.each([
    [['--threads', '0'], 'invalid value "0" for --threads: must be an integer from 1 to 64, or auto'],
    [['--threads', '65'], 'invalid value "65" for --threads: must be an integer from 1 to 64, or auto'],
    [['--threads', 'many'], 'invalid value "many" for --threads: must be an integer from 1 to 64, or auto'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await runInProcess(['fetch', ...flags, 'http://127.0.0.1:1/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
