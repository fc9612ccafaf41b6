import { describe, expect, it, onTestFinished } from 'vitest';
import { frames, startHttp2Frames } from '../http/http2-frames.ts';
import { type Http2Route, respondOk, startHttp2 } from '../http/http2-origin.ts';
import { clientCertificate, testCa } from '../origin/certificates.ts';
import * as tls from '../origin/tls.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

async function running<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  onTestFinished(() => server.close());
  return server;
}

const pemFile = (text: string, name: string) => aFile(Buffer.from(text), name);
const caFile = async () => pemFile((await testCa()).cert, 'ca.pem');

describe('https', () => {
  it('of an unknown CA fails without a retry, and works with --cacert', async () => {
    const origin = await running(tls.startHttps());
    const without = await runInProcess(['fetch', `${origin.url}/ok`, '--json']);
    expect(without.code).toBe(1);
    expect(JSON.parse(without.stdout)).toMatchObject({ attempts: 1, failure: { kind: 'tls' } });
    expect(origin.requests).toBe(0);
    const having = await runInProcess(['fetch', `${origin.url}/ok`, '--cacert', await caFile()]);
    expect([having.code, having.stdout]).toEqual([0, expect.stringMatching(/^OK {4}200 /)]);
  });

  it.each([['-k'], ['--insecure']])('with %s takes any certificate', async (flag) => {
    const origin = await running(tls.startSelfSigned());
    const { code, stdout } = await runInProcess(['fetch', `${origin.url}/ok`, flag]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^OK {4}200 /)]);
  });

  it.each([
    ['two files', ({ cert, key }: { cert: string; key: string }) => [cert, key]],
    ['one file', ({ cert, key }: { cert: string; key: string }) => [cert + key]],
  ])('shows the client certificate in %s', async (_, split) => {
    const origin = await running(tls.startMutualTls());
    const [cert = '', key] = split(await clientCertificate());
    const flags = ['--cacert', await caFile(), '--cert', await pemFile(cert, 'cert.pem')];
    if (key !== undefined) flags.push('--key', await pemFile(key, 'key.pem'));
    expect(await runInProcess(['fetch', `${origin.url}/ok`, ...flags])).toMatchObject({ code: 0 });
    expect(origin.requests).toBe(1);
  });

  it('speaks HTTP/2 with --http2', async () => {
    const origin = await startHttp2();
    const flags = ['--cacert', await caFile(), '--http2', '--per-host', '1', '--json'];
    const list = Array.from({ length: 20 }, (_, index) => `${origin.url}/${index}`);
    const { code, stdout } = await runInProcess(['fetch', '-', ...flags], { stdin: list.join('\n') });
    const urls = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).url);
    expect([code, urls.sort()]).toEqual([0, list.sort()]);
    expect([origin.requests.count, origin.accepted.count]).toEqual([20, 1]);
  });

  it('sends as many requests at once over one HTTP/2 connection as the server allows', async () => {
    let inFlight = 0;
    const most: number[] = [];
    const route: Http2Route = (stream) => {
      inFlight += 1;
      most.push(inFlight);
      setImmediate(() => {
        inFlight -= 1;
        respondOk(stream);
      });
    };
    const origin = await startHttp2({ '/': route }, { settings: { maxConcurrentStreams: 4 } });
    const flags = ['--cacert', await caFile(), '--http2', '-c', '50'];
    const list = Array.from({ length: 200 }, (_, index) => `${origin.url}/?${index}`);
    expect(await runInProcess(['fetch', '-', ...flags], { stdin: list.join('\n') })).toMatchObject({
      code: 0,
    });
    expect([origin.requests.count, origin.accepted.count]).toEqual([200, 1]);
    expect(Math.max(...most)).toBeLessThanOrEqual(4);
  });
});

it('one response that breaks the rules of HTTP/2 fails no other request on its connection', async () => {
  const { any, ok, lastData } = frames;
  const server = await startHttp2Frames((id, _socket, bytes) => {
    if (bytes > 300) return [any(1, 0x4, id, Buffer.alloc(7, 0xff))];
    return server.accepted.count === 1 ? [] : [ok(id), lastData(id, 10)];
  });
  const list = Array.from({ length: 30 }, (_, index) => `${server.url}/${index}`);
  const bad = `${server.url}/${'x'.repeat(500)}`;
  const flags = ['--cacert', await caFile(), '--http2', '--json'];
  const stdin = [...list.slice(0, 5), bad, ...list.slice(5)].join('\n');
  const { code, stdout } = await runInProcess(['fetch', '-', ...flags], { stdin });
  const failed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ ok: isOk }) => !isOk);
  expect(failed.map(({ url, failure }) => [url, failure.kind])).toEqual([[bad, 'protocol']]);
  expect(code).toBe(1);
});

describe('the files of --cacert, --cert and --key', () => {
  it.each(['--cacert', '--cert', '--key'])(
    'cause an error when the file of %s cannot be read',
    async (flag) => {
      const args = ['fetch', 'https://127.0.0.1:1/', flag, 'no-such.pem'];
      const { code, stderr, stdout } = await runInProcess(args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(
        new RegExp(`^error: cannot read no-such\\.pem for ${flag}: no such file or directory$`, 'm'),
      );
    },
  );

  it('cause an error when they are not PEM, before anything is fetched', async () => {
    const origin = await running(tls.startHttps());
    const { code, stderr } = await runInProcess([
      'fetch',
      origin.url,
      '-k',
      '--cacert',
      await pemFile('x', 'x.pem'),
    ]);
    expect([code, origin.connections]).toEqual([2, 0]);
    expect(stderr).toMatch(/x\.pem for --cacert: must contain a PEM certificate/);
  });
});

it('--print-config shows the options of TLS', async () => {
  const flags = ['-k', '--http2', '--cacert', 'a.pem', '--cert', 'b.pem', '--key', 'c.pem'];
  const { stdout } = await runInProcess(['fetch', 'https://a.test/', ...flags, '--print-config']);
  expect(JSON.parse(stdout)).toMatchObject({
    insecure: true,
    http2: true,
    cacert: 'a.pem',
    cert: 'b.pem',
    key: 'c.pem',
  });
});
