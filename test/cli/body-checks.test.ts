import { describe, expect, it } from 'vitest';
import { running } from '../http/client.ts';
import { startRawServer } from '../origin/raw-server.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

describe('checks of a body that is not there', () => {
  it.each([
    [['-I', '--contains', 'a'], 'cannot use --contains with --head: a HEAD response has no body'],
    [['--max-size', '0', '--contains', 'a'], 'cannot use --contains with --max-size 0: no body is read'],
  ])('%j is wrong usage', async (flags, message) => {
    const { code, stderr } = await runInProcess(['fetch', ...flags, 'http://127.0.0.1:1/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('make a job invalid, which is not fetched', async () => {
    const origin = await anOrigin();
    const url = `${origin.url}/ok`;
    const list = await aFile([
      JSON.stringify({ url, method: 'HEAD', expect: { contains: 'ok' } }),
      JSON.stringify({ url, method: 'HEAD', expect: { status: 200 } }),
    ]);
    const { code, stdout } = await runInProcess(['fetch', list, '-c', '1']);
    expect([code, origin.requests]).toEqual([1, 1]);
    expect(stdout).toMatch(/^FAIL {2}invalid .*cannot check the body of a HEAD response/m);
    expect(stdout).toMatch(/^OK {4}200 /m);
  });
});

describe('checks of a body that was cut at --max-size', () => {
  const cut = (origin: { url: string }, ...flags: string[]) =>
    runInProcess(['fetch', `${origin.url}/bytes/5000`, '--max-size', '1kb', ...flags]);

  it('fail a text that must not be there, since it may be in the rest', async () => {
    const { code, stdout } = await cut(await anOrigin(), '--not-contains', 'needle');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^FAIL {2}size .*larger than --max-size/)]);
  });

  it('pass a text that was found before the cut', async () => {
    const { code, stdout } = await cut(await anOrigin(), '--matches', '^');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^OK {4}200/)]);
  });
});

describe('a body over the default limit of 10 MiB', () => {
  const LARGE = 11_000_000;
  const NEEDLE = 'needle';

  async function large() {
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${LARGE + NEEDLE.length}\r\n\r\n`;
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(LARGE, '.'), Buffer.from(NEEDLE)]);
    return (await running(startRawServer({ onRequest: ({ socket }) => void socket.write(body) }))).url;
  }

  it.each([
    ['dropped', []],
    ['put into the record', ['--inline-body=1kb']],
    ['saved', ['--save-dir']],
    ['saved and put into the record', ['--inline-body=12mb', '--save-dir']],
  ])('is searched to its end with --max-size none when it is %s', async (_, flags) => {
    const keep = flags.includes('--save-dir') ? [await tempDir()] : [];
    const args = ['fetch', await large(), '--json', '--max-size', 'none', ...flags, ...keep];
    const found = await runInProcess([...args, '--contains', NEEDLE]);
    expect(JSON.parse(found.stdout)).toMatchObject({ ok: true, truncated: false });
    const unwanted = await runInProcess([...args, '--not-contains', NEEDLE]);
    expect(JSON.parse(unwanted.stdout)).toMatchObject({ ok: false, failure: { kind: 'expectation' } });
  });

  it.each([[[]], [['--max-size', 'none']]])('is put into the record if it fits: %j', async (flags) => {
    const args = ['fetch', await large(), '--json', '--inline-body=12mb', ...flags];
    const { stdout } = await runInProcess(args);
    const { ok, truncated, body } = JSON.parse(stdout);
    expect([ok, truncated, body.bytes]).toEqual([true, false, LARGE + NEEDLE.length]);
    expect(body.text.endsWith(NEEDLE)).toBe(true);
  });
});

describe('--max-size 0', () => {
  it('ends at the response head', async () => {
    const origin = await anOrigin();
    const list = [`${origin.url}/bytes/5000`, `${origin.url}/half/a`, `${origin.url}/redirect/2`];
    const { code, stdout } = await runInProcess(['fetch', ...list, '--max-size', '0', '--json', '-c', '1']);
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(records).toMatchObject([
      { ok: true, status: 200, bytes: 0, truncated: true },
      { ok: true, status: 200, bytes: 0, truncated: true },
      { ok: true, status: 200, bytes: 0, truncated: true },
    ]);
  });

  it('leaves a response without a body as it is', async () => {
    const origin = await anOrigin();
    const { stdout } = await runInProcess(['fetch', `${origin.url}/ok`, '-I', '--max-size', '0', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, bytes: 0, truncated: false });
  });
});
