import { createHash } from 'node:crypto';
import { readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Result } from '../../src/index.ts';
import { filesIn } from '../bodies/a-saver.ts';
import { filler } from '../origin/filler.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { runCli, startCli } from '../origin/run-cli.ts';
import { runOnSmallDisk } from '../origin/small-disk.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin, urls } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

function recordsIn(stdout: string): Result[] {
  return stdout
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Checks that each file matches its record, and that there are no other files. */
async function expectWhole(dir: string, records: readonly Result[]): Promise<void> {
  const paths = records.flatMap(({ body }) => body?.path ?? []);
  expect(await filesIn(dir)).toEqual([...new Set(paths)].sort());
  for (const { body } of records) {
    if (body?.path === undefined) continue;
    const bytes = await readFile(join(dir, body.path));
    expect(createHash('sha256').update(bytes).digest('hex'), body.path).toBe(body.sha256);
    expect(bytes.length).toBe(body.bytes);
  }
}

describe('fanout fetch --save-dir', () => {
  it('saves the decoded bodies of OK responses, and records their paths', async () => {
    const origin = await anOrigin();
    const dir = join(await tempDir(), 'new/out');
    const list = [
      `${origin.url}/gzip/5000`,
      `${origin.url}/status/404`,
      `${origin.url}/redirect/2`,
      `${origin.url}/ok?a=1`,
    ];
    const { code, stdout } = await runInProcess([
      'fetch',
      ...list,
      '--save-dir',
      dir,
      '--json',
      '--only-failures',
      '--no-progress',
      '-c',
      '1',
    ]);
    const { code: again, stdout: all } = await runInProcess([
      'fetch',
      ...list,
      '--save-dir',
      dir,
      '--json',
      '-c',
      '1',
    ]);
    expect([code, again]).toEqual([1, 1]);
    const host = `127.0.0.1_${origin.port}`;
    const records = recordsIn(all).sort((a, b) => a.index - b.index);
    expect(recordsIn(stdout).map(({ url }) => url)).toEqual([list[1]]);
    expect(records.map(({ body }) => body?.path)).toEqual([
      `${host}/gzip/5000~.txt`,
      undefined,
      `${host}/redirect/2~.txt`,
      `${host}/ok@a=1~.txt`,
    ]);
    await expectWhole(dir, records);
    expect(await readFile(join(dir, host, 'gzip/5000~.txt'))).toEqual(filler(5000));
  });

  it('saves every response with --save-all, undecoded with --no-decompress, under the names of --save-as and "save"', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    const list = await aFile([
      `${origin.url}/gzip/5000`,
      `${origin.url}/status/404`,
      `{"url":"${origin.url}/ok","save":"mine/ok.txt"}`,
      `{"url":"${origin.url}/bytes/3","save":"MINE/ok.txt"}`,
    ]);
    const flags = ['--save-all', '--no-decompress', '--save-as', '{status}/{index}.{ext}', '--json'];
    const { code, stdout, stderr } = await runInProcess(['fetch', list, '--save-dir', dir, ...flags]);
    expect(code).toBe(1);
    expect(stderr).toContain(`\n  saved     3 files (111B) in ${dir}/\n`);
    const records = recordsIn(stdout).sort((a, b) => a.index - b.index);
    expect(records.map(({ body }) => body?.path)).toEqual([
      '200/0.txt',
      '404/1.txt',
      'mine/ok.txt',
      undefined,
    ]);
    expect(records[3]?.failure).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('"MINE/ok.txt"'),
    });
    await expectWhole(dir, records);
  });

  it('fails a body larger than --max-size, and leaves no part of it', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    const flags = ['--save-dir', dir, '--max-size', '1kb', '--json'];
    const { code, stdout } = await runInProcess([
      'fetch',
      `${origin.url}/bytes/1025`,
      `${origin.url}/bytes/1024`,
      ...flags,
    ]);
    const records = recordsIn(stdout).sort((a, b) => a.index - b.index);
    expect(code).toBe(1);
    expect(records[0]).toMatchObject({ ok: false, status: 200, failure: { kind: 'size' } });
    await expectWhole(dir, records);
    expect(await filesIn(dir)).toHaveLength(1);
  });

  it('saves bodies of more than 10 MiB, the default limit for bodies that are not saved', async () => {
    const origin = await anOrigin();
    const dir = await tempDir();
    const { code, stdout } = await runInProcess([
      'fetch',
      `${origin.url}/bytes/11000000`,
      '--save-dir',
      dir,
      '--json',
    ]);
    expect(code).toBe(0);
    await expectWhole(dir, recordsIn(stdout));
    expect(recordsIn(stdout)[0]?.body?.bytes).toBe(11_000_000);
  });

  it('puts bodies into the record with --inline-body', async () => {
    const origin = await anOrigin();
    const list = [`${origin.url}/ok`, `${origin.url}/status/404`, `${origin.url}/gzip/5000`];
    const { stdout } = await runInProcess(['fetch', ...list, '--json', '--inline-body=1kb']);
    const records = recordsIn(stdout).sort((a, b) => a.index - b.index);
    expect(records.map(({ body }) => body)).toEqual([
      { bytes: 3, text: 'ok\n' },
      { bytes: 11, text: 'status 404\n' },
      undefined,
    ]);
  });
});

describe('fanout fetch, where bodies cannot be saved', () => {
  it.each([
    ['--save-all', '--save-all needs --save-dir'],
    ['--save-as={nope}', 'unknown field {nope}; the fields are {host} {path}'],
  ])('ends with 2 for %s', async (flag, message) => {
    const { code, stderr } = await runInProcess(['fetch', 'http://127.0.0.1:1/', flag]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('ends with 3 before the first request when the directory is a file', async () => {
    const origin = await anOrigin();
    const file = await aFile(['x']);
    const { code, stderr, stdout } = await runInProcess(['fetch', `${origin.url}/ok`, '--save-dir', file]);
    expect([code, stdout, origin.requests]).toEqual([3, '', 0]);
    expect(stderr).toBe(`error: cannot save to "${file}": not a directory\n`);
  });

  it.each(['1', '2'])(
    'ends with 3 when the disk is full, and gives no incomplete file its final name: --threads %s',
    async (threads) => {
      const origin = await anOrigin();
      const [dir, copy] = [await tempDir(), await tempDir()];
      const list = await aFile(urls(origin, '/bytes/20000', 200));
      const { code, stdout, stderr } = await runOnSmallDisk(
        dir,
        ['fetch', list, '--save-dir', dir, '--json', '-c', '4', '--threads', threads],
        {
          kilobytes: 512,
          after: `cp -R . '${copy}'`,
        },
      );
      const records = recordsIn(stdout);
      expect(code).toBe(3);
      expect(stderr).toMatch(
        /error: cannot write ".*": no space left on device; stopping, since no more bodies can be saved\n$/,
      );
      expect(records.filter(({ failure }) => failure?.code === 'ENOSPC').length).toBeGreaterThan(0);
      expect(records.filter(({ ok }) => ok).length).toBeGreaterThan(10);
      expect(origin.requests).toBeLessThan(100);
      await expectWhole(copy, records);
    },
  );

  it('ends with 3 when the directory is removed and cannot be created again', async () => {
    const origin = await anOrigin();
    const dir = join(await tempDir(), 'out');
    const list = await aFile([`${origin.url}/ok`, `${origin.url}/gate/a`, ...urls(origin, '/ok', 100)]);
    const run = startCli(['fetch', list, '--save-dir', dir, '--json', '-c', '1']);
    await origin.waiting('a');
    await rm(dir, { recursive: true });
    await writeFile(dir, 'in the way');
    origin.open('a');
    const { code, stdout, stderr } = await run.done;
    expect(code).toBe(3);
    expect(stderr).toContain('no more bodies can be saved');
    const kinds = recordsIn(stdout).map(({ ok, failure }) => failure?.kind ?? ok);
    expect(kinds.slice(0, 2)).toEqual([true, 'write']);
    expect(new Set(kinds.slice(2))).toEqual(new Set(['aborted']));
  });

  it('continues when only one URL cannot be saved', async () => {
    const origin = await anOrigin();
    const [dir, outside] = [await tempDir(), await tempDir()];
    await symlink(outside, join(dir, `127.0.0.1_${origin.port}`));
    const list = await aFile([`${origin.url}/ok`, `{"url":"${origin.url}/ok","save":"ok.txt"}`]);
    const { code, stdout } = await runInProcess(['fetch', list, '--save-dir', dir, '--json']);
    const records = recordsIn(stdout).sort((a, b) => a.index - b.index);
    expect(code).toBe(1);
    expect(records.map(({ failure, body }) => failure?.kind ?? body?.path)).toEqual(['write', 'ok.txt']);
    expect(await filesIn(outside)).toEqual([]);
  });
});

describe('fanout fetch, killed in the middle of a body', () => {
  it('gives it no final name, and resumes it in the next run', async () => {
    const body = filler(100_000);
    const sends = (head: string, bytes: Buffer) =>
      Buffer.concat([Buffer.from(`HTTP/1.1 ${head}\r\n\r\n`), bytes]);
    const server = await startRawServer({
      onRequest({ socket, head }) {
        const first = Number(/^range: bytes=(\d+)-$/im.exec(head)?.[1] ?? 0);
        const length = `Content-Type: text/html\r\nETag: "v1"\r\nContent-Length: ${body.length - first}`;
        const range = `Content-Range: bytes ${first}-${body.length - 1}/${body.length}`;
        if (first === 0) socket.write(sends(`200 OK\r\n${length}`, body.subarray(0, 30_000)));
        else socket.write(sends(`206 Partial Content\r\n${length}\r\n${range}`, body.subarray(first)));
      },
    });
    onTestFinished(() => server.close());
    const dir = await tempDir();
    const command = ['fetch', `${server.url}/page?id=1`, '--save-dir', dir, '--json', '--resume-partial'];
    const run = startCli(command);
    const part = join(dir, `127.0.0.1_${server.port}`, 'page@id=1.body.part');
    await expect
      .poll(
        () =>
          stat(part).then(
            ({ size }) => size,
            () => 0,
          ),
        { timeout: 10_000 },
      )
      .toBe(30_000);
    run.child.kill('SIGKILL');
    await run.done;
    expect(await filesIn(dir)).toEqual([
      expect.stringMatching(/\.part$/),
      expect.stringMatching(/\.part\.json$/),
    ]);

    const { code, stdout } = await runCli(command);
    expect(code).toBe(0);
    expect(server.heads[1]).toMatch(/^range: bytes=30000-$/im);
    await expectWhole(dir, recordsIn(stdout));
    expect(recordsIn(stdout)[0]?.body).toMatchObject({
      path: `127.0.0.1_${server.port}/page@id=1~.html`,
      bytes: 100_000,
    });
  });
});

describe('fanout fetch --resume-partial, when the request for the rest fails', () => {
  const body = filler(1000);
  const whole = Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 1000\r\n\r\n'),
    body,
  ]);
  const [cut, REST, WHOLE] = ['the connection is closed', 'rest', 'whole'];
  const notFound = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n';
  const redirect = (path: string) => `HTTP/1.1 302 Found\r\nLocation: ${path}\r\nContent-Length: 0\r\n\r\n`;
  const busy = (wait: string) => `HTTP/1.1 503 Busy\r\n${wait}Content-Length: 0\r\n\r\n`;
  const range = 'ETag: "v1"\r\nContent-Range: bytes 400-999/1000\r\nContent-Length: 600';
  const same = 'ETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n';
  const restBody = body.toString('latin1', 400);
  const chunks = `${(600).toString(16)}\r\n${restBody}\r\n0\r\n\r\n`;
  const ranged = `HTTP/1.1 200 OK\r\nContent-Range: bytes 400-999/1000\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
  const rest = `HTTP/1.1 206 Partial Content\r\n${range}\r\n\r\n`;

  /**
   * Saves a page in two runs. The first run gets 400 bytes of it.
   *
   * @returns the record of the second run, and what it requested
   */
  async function resume(onRest: string, { onWhole = whole as string | Buffer, retries = 0 } = {}) {
    const requested: string[] = [];
    const server = await startRawServer({
      onRequest({ socket, head, target }) {
        const isRest = /^range: bytes=400-/im.test(head);
        requested.push(target === '/page' ? (isRest ? REST : WHOLE) : target);
        if (requested.length === 1) socket.end(whole.subarray(0, whole.length - 600));
        else if (target === '/missing') socket.write(notFound);
        else if (target === '/loop') socket.write(redirect('/loop'));
        else if (target === '/cut' || (isRest && onRest === cut)) socket.destroy();
        else if (isRest && onRest.startsWith(rest)) socket.end(onRest);
        else socket.write(isRest ? onRest : onWhole);
      },
    });
    onTestFinished(() => server.close());
    const dir = await tempDir();
    const command = ['fetch', `${server.url}/page`, '--save-dir', dir, '--save-as', 'page', '--json'];
    const options = ['--resume-partial', '--retries', String(retries), '--max-redirects', '3'];
    await runInProcess([...command, '--retries', '0', '--resume-partial']);
    const { stdout } = await runInProcess([...command, ...options]);
    return { dir, records: recordsIn(stdout), requested: requested.slice(1) };
  }

  it.each<[string, string, readonly string[], number]>([
    ['a closed connection', cut, [REST, WHOLE], 2],
    ['304', 'HTTP/1.1 304 Not Modified\r\n\r\n', [REST, WHOLE], 2],
    ['206 and no byte of the rest', rest, [REST, WHOLE], 2],
    ['404', notFound, [REST, WHOLE], 1],
    ['200 and only the rest, of the same version', `HTTP/1.1 200 OK\r\n${same}${chunks}`, [REST, WHOLE], 1],
    [
      '200 and only the rest, with its range',
      `HTTP/1.1 200 OK\r\n${range}\r\n\r\n${restBody}`,
      [REST, WHOLE],
      1,
    ],
    ['200 and only the rest, with nothing but its range', ranged, [REST, WHOLE], 1],
    ['a redirect to a 404', redirect('/missing'), [REST, '/missing', WHOLE], 2],
    // The host has responded to others, so this failure uses up no retry.
    ['a redirect to a closed connection', redirect('/cut'), [REST, '/cut', REST, '/cut', WHOLE], 3],
    ['too many redirects', redirect('/loop'), [REST, '/loop', WHOLE], 2],
    ['a redirect without a target', redirect(''), [REST, WHOLE], 2],
  ])('requests the whole after %s', async (_, onRest, requests, attempts) => {
    const { dir, records, requested } = await resume(onRest);
    expect(records).toMatchObject([{ ok: true, attempts, body: { bytes: 1000 } }]);
    // A kept connection that is closed is tried a second time at once.
    expect(requested.filter((what, at) => what === WHOLE || what !== requested[at - 1])).toEqual(requests);
    await expectWhole(dir, records);
  });

  it('uses its retries for the rest first', async () => {
    const { records, requested } = await resume(rest, { retries: 1 });
    expect(records).toMatchObject([{ ok: true, attempts: 3 }]);
    expect(requested).toEqual([REST, REST, WHOLE]);
  });

  it.each([
    [notFound, 1],
    [redirect('/missing'), 2],
    ['HTTP/1.1 304 Not Modified\r\n\r\n', 2],
  ])('requests the whole only once: %j', async (onRest, attempts) => {
    const { records, requested } = await resume(onRest, { onWhole: notFound });
    expect(records).toMatchObject([{ ok: false, status: 404, attempts }]);
    expect(requested.filter((what) => what === WHOLE)).toHaveLength(1);
  });

  it.each([
    ['the server is busy', busy('')],
    ['the server asks for a short wait', busy('Retry-After: 0\r\n')],
    ['the server asks for a long wait', busy('Retry-After: 86400\r\n')],
    ['a piece of the rest has come', `${rest}${body.subarray(400, 500)}`],
  ])('does not request the whole if %s', async (_, onRest) => {
    const { records, requested } = await resume(onRest);
    expect(records).toMatchObject([{ ok: false, attempts: 1 }]);
    expect(requested).toEqual([REST]);
  });
});
