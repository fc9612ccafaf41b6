import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fanout } from '../../src/index.ts';
import { running } from '../http/client.ts';
import { serverCertificate } from '../origin/certificates.ts';
import { startProxy } from '../origin/proxy.ts';
import { runCli } from '../origin/run-cli.ts';
import { startSocks } from '../origin/socks.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { caPem, startHttps } from '../origin/tls.ts';
import { aFile, anOrigin } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

interface Line {
  readonly url: string;
  readonly status?: number;
  readonly failure?: { readonly kind: string; readonly message: string };
}

const lines = (stdout: string): Line[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

async function fetchJson(args: readonly string[], env: Record<string, string> = {}) {
  const result = await runInProcess(['fetch', '--json', '--ordered', '--retries', '0', ...args], { env });
  return { ...result, records: lines(result.stdout) };
}

describe('--connect-to', () => {
  it('connects to the second host and port, and asks for the first', async () => {
    const [one, other] = [await anOrigin(), await anOrigin()];
    const { code, records } = await fetchJson([
      ...['--connect-to', `a.test:80:127.0.0.1:${one.port}`, '--connect-to', `::127.0.0.1:${other.port}`],
      ...['http://a.test/ok', 'http://a.test:81/ok', 'http://b.test/ok'],
    ]);
    expect([code, records.map(({ url, status }) => [url, status])]).toEqual([
      0,
      [
        ['http://a.test/ok', 200],
        ['http://a.test:81/ok', 200],
        ['http://b.test/ok', 200],
      ],
    ]);
    expect(one.log.map(({ headers }) => headers.host)).toEqual(['a.test']);
    expect(other.log.map(({ headers }) => headers.host).sort()).toEqual(['a.test:81', 'b.test']);
  });

  it.each([
    ['the first that matches counts', ['a.test:80:127.0.0.1:PORT', '::127.0.0.1:1'], 'http://a.test/ok'],
    ['an empty host is any', [':80:127.0.0.1:PORT'], 'http://a.test/ok'],
    ['an empty port is any', ['a.test::127.0.0.1:PORT'], 'http://a.test:5/ok'],
    ['an empty second host is that of the URL', ['127.0.0.1:5::PORT'], 'http://127.0.0.1:5/ok'],
    ['an empty second port is that of the URL', ['a.test::127.0.0.1:'], 'http://a.test:PORT/ok'],
    ['an IPv6 address is in brackets', ['[2001:db8::1]:80:127.0.0.1:PORT'], 'http://[2001:DB8::1]/ok'],
    ['a host has no case and no final dot', ['A.TEST.:80:127.0.0.1:PORT'], 'http://a.test./ok'],
    ['a rule for the empty parts alone changes nothing', [':::'], 'http://127.0.0.1:PORT/ok'],
    ['another port is not meant', ['127.0.0.1:1:127.0.0.1:2'], 'http://127.0.0.1:PORT/ok'],
  ])('%s', async (_, rules, url) => {
    const origin = await anOrigin();
    const here = (text: string) => text.replace('PORT', String(origin.port));
    const { code } = await fetchJson([...rules.flatMap((rule) => ['--connect-to', here(rule)]), here(url)]);
    expect([code, origin.requests]).toEqual([0, 1]);
  });

  it('looks the second host up, with --resolve for it', async () => {
    const origin = await anOrigin();
    const rules = ['--connect-to', 'a.test:80:b.test:81', '--resolve', 'b.test:81:127.0.0.1'];
    const missed = await fetchJson([...rules, '--resolve', `a.test:80:127.0.0.1`, 'http://a.test/']);
    expect(missed.records[0]?.failure?.message).toContain('127.0.0.1:81');
    const { code } = await fetchJson([
      ...['--connect-to', `a.test:80:b.test:${origin.port}`, '--resolve', `b.test:${origin.port}:127.0.0.1`],
      'http://a.test/ok',
    ]);
    expect([code, origin.requests]).toEqual([0, 1]);
  });

  it('expects the certificate of the URL', async () => {
    const secure = await running(startHttps());
    const ca = ['--cacert', await aFile([await caPem()], 'ca.pem')];
    const rule = ['--connect-to', `::127.0.0.1:${secure.port}`];
    const { records } = await fetchJson([...ca, ...rule, 'https://localhost/ok', 'https://a.test/ok']);
    expect(records.map(({ status, failure }) => status ?? failure?.kind)).toEqual([200, 'tls']);
  });

  it('is checked by --deny-private at its second host', async () => {
    const { code, records } = await fetchJson([
      ...['--deny-private', '--connect-to', 'a.test:80:127.0.0.1:80', 'http://a.test/'],
    ]);
    expect([code, records[0]?.failure?.kind]).toEqual([1, 'denied']);
  });

  it('makes an HTTP proxy open a tunnel, and says the host to a SOCKS proxy', async () => {
    const origin = await anOrigin();
    const rule = ['--connect-to', `a.test:80:127.0.0.1:${origin.port}`];
    const proxy = await running(startProxy());
    const through = await fetchJson([...rule, '--proxy', proxy.url, 'http://a.test/ok']);
    expect([through.code, proxy.log.map(({ method, path }) => [method, path])]).toEqual([
      0,
      [['CONNECT', `127.0.0.1:${origin.port}`]],
    ]);
    const socks = await running(startSocks());
    const args = [...rule, '--proxy', `socks5h://${socks.authority}`, 'http://a.test/ok'];
    expect([(await fetchJson(args)).code, socks.log]).toEqual([0, [`5 ipv4 127.0.0.1:${origin.port}`]]);
  });

  it('is an option of the environment, the file, the library and threads', async () => {
    const origin = await anOrigin();
    const rule = `a.test:80:127.0.0.1:${origin.port}`;
    const byVariable = await fetchJson(['http://a.test/ok'], { FANOUT_CONNECT_TO: `x:1:y:2\n${rule}` });
    const file = await aFile([JSON.stringify({ connectTo: [rule] })], 'c.json');
    const byFile = await fetchJson(['--config', file, 'http://a.test/ok']);
    const threads = ['fetch', '--threads', '2', '--connect-to', rule, 'http://a.test/ok'];
    expect([byVariable.code, byFile.code, (await runCli(threads)).code]).toEqual([0, 0, 0]);
    for await (const { ok } of fanout(['http://a.test/ok'], { connectTo: rule })) expect(ok).toBe(true);
    expect(origin.requests).toBe(4);
    const shown = await runInProcess(['fetch', '--connect-to', rule, '--print-config']);
    expect(JSON.parse(shown.stdout).connectTo).toEqual([rule]);
  });

  it('is refused if it is no rule', async () => {
    const { code, stderr } = await fetchJson(['--connect-to', 'a.test:80:127.0.0.1', 'http://a.test/']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        'error: invalid value "a.test:80:127.0.0.1" for --connect-to: must look like HOST1:PORT1:HOST2:PORT2',
      ),
    ]);
  });
});

/** An origin at a Unix domain socket; resolves to its path and the hosts that were asked for. */
async function aSocket(isSecure = false) {
  const path = join(await tempDir(), 'origin.sock');
  const hosts: (string | undefined)[] = [];
  const server = isSecure
    ? createHttpsServer(await serverCertificate({ names: ['a.test'] }))
    : createServer();
  server.on('request', (request, response) => {
    hosts.push(request.headers.host);
    if (request.url !== '/away') response.end('ok');
    else response.writeHead(302, { location: 'http://b.test/ok' }).end();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { path, hosts, server };
}

describe('--unix-socket', () => {
  it.each([[[]], [['--threads', '2']]])(
    'is where every connection goes, whatever host and redirect, with %j',
    async (more) => {
      const { path, hosts } = await aSocket();
      const args = ['fetch', '--json', '--unix-socket', path, ...more];
      const list = ['http://a.test/1', 'http://a.test:81/2', 'http://c.test/away', 'http://[::1]/'];
      const run = more.length === 0 ? runInProcess : runCli;
      const { code } = await run([...args, ...list], { env: { ALL_PROXY: 'http://127.0.0.1:1' } });
      expect([code, [...hosts].sort()]).toEqual([0, ['[::1]', 'a.test', 'a.test:81', 'b.test', 'c.test']]);
    },
  );

  it('does TLS for https, with the certificate of the URL', async () => {
    const { path, hosts } = await aSocket(true);
    const args = ['--unix-socket', path, '--cacert', await aFile([await caPem()], 'ca.pem')];
    for (const more of [[], ['--http2']]) {
      const { records } = await fetchJson([...args, ...more, 'https://a.test/', 'https://b.test/']);
      expect(records.map(({ status, failure }) => status ?? failure?.kind)).toEqual([200, 'tls']);
    }
    expect(hosts).toEqual(['a.test', 'a.test']);
  });

  it('limits the requests of each host of a URL', async () => {
    const { path, server } = await aSocket();
    const inFlight = { a: 0, most: 0 };
    server.removeAllListeners('request');
    server.on('request', (_, response) => {
      inFlight.a += 1;
      inFlight.most = Math.max(inFlight.most, inFlight.a);
      setImmediate(() => {
        inFlight.a -= 1;
        response.end('ok');
      });
    });
    const list = Array.from({ length: 20 }, (_, index) => `http://a.test/${index}`);
    const { code } = await fetchJson(['--unix-socket', path, '--per-host', '2', ...list]);
    expect(code).toBe(0);
    expect(inFlight.most).toBeLessThanOrEqual(2);
  });

  it('must be a socket when the run starts', async () => {
    const file = await aFile(['x'], 'file');
    for (const [path, reason] of [
      [file, 'not a socket'],
      [`${file}.missing`, 'no such file or directory'],
    ]) {
      const { code, stdout, stderr } = await fetchJson(['--unix-socket', `${path}`, 'http://a.test/']);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(`error: cannot connect to "${path}" for --unix-socket: ${reason}`);
    }
  });

  it.each([
    [['--proxy', 'http://p.test'], 'cannot use --proxy with --unix-socket'],
    [['--deny-private'], 'cannot use --deny-private with --unix-socket'],
    [['--connect-to', '::a.test:'], 'cannot use --connect-to with --unix-socket'],
    [['--resolve', '*:80:127.0.0.1'], 'cannot use --resolve with --unix-socket'],
    [['-4'], 'cannot use --ipv4 with --unix-socket'],
    [['--unix-socket', 'x'.repeat(108)], 'for --unix-socket: must be at most 107 bytes'],
  ])('is refused with %j', async (more, message) => {
    const socket = more.includes('--unix-socket') ? [] : ['--unix-socket', 's'];
    const { code, stderr } = await fetchJson([...socket, ...more, 'http://a.test/']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it('that nobody listens at fails the URL, as in the library', async () => {
    const { path, server } = await aSocket();
    const missing = join(await tempDir(), 'gone.sock');
    server.close();
    for (const unixSocket of [path, missing]) {
      for await (const { failure } of fanout(['http://a.test/'], { unixSocket, retries: 0 })) {
        expect(failure).toMatchObject({ kind: 'connect', message: expect.stringContaining(unixSocket) });
      }
    }
    const { path: here, hosts } = await aSocket();
    for await (const { ok } of fanout(['http://a.test/'], { unixSocket: here })) expect(ok).toBe(true);
    expect(hosts).toEqual(['a.test']);
  });
});
