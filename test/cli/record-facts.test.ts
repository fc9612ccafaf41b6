import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { parse } from 'csv-parse/sync';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fanout, type Result } from '../../src/index.ts';
import { startHttp2 } from '../http/http2-origin.ts';
import { type CertificateWish, selfSignedCertificate, serverCertificate } from '../origin/certificates.ts';
import { listen } from '../origin/listen.ts';
import { startProxy } from '../origin/proxy.ts';
import { runCli } from '../origin/run-cli.ts';
import { tempDir } from '../origin/temp-dir.ts';
import { caPem } from '../origin/tls.ts';
import { aFile } from './an-origin.ts';
import { runInProcess } from './run-in-process.ts';

const caFile = async () => aFile(Buffer.from(await caPem()), 'ca.pem');
const page: RequestListener = (_, response) => response.setHeader('connection', 'close').end('ok');

/** An https server, which closes each connection unless `respond` does otherwise. */
async function aServer({
  wish = {},
  tls = {},
  respond = page,
}: {
  readonly wish?: CertificateWish;
  readonly tls?: ServerOptions;
  readonly respond?: RequestListener;
} = {}) {
  const reused: boolean[] = [];
  const server = createServer({ ...(await serverCertificate(wish)), ...tls }, respond);
  server.on('secureConnection', (socket: TLSSocket) => reused.push(socket.isSessionReused()));
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  return { url: `https://${listening.authority}`, authority: listening.authority, reused };
}

async function records(list: readonly string[], flags: readonly string[]): Promise<Result[]> {
  const args = [
    'fetch',
    ...list,
    '--json',
    '--retries',
    '0',
    '-c',
    '1',
    '--cacert',
    await caFile(),
    ...flags,
  ];
  const { stdout, stderr } = await runInProcess(args);
  expect(stderr).not.toContain('error:');
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const CERTIFICATE = {
  subject: 'CN=fanout test server',
  issuer: 'CN=fanout test CA',
  validFrom: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  validTo: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  daysLeft: 29,
};

describe('--record address,tls', () => {
  it('shows what served a URL, and nothing of it unless it is requested', async () => {
    const { url, authority } = await aServer();
    const [one] = await records([url], ['--record', 'address,tls']);
    expect(one).toMatchObject({
      address: authority,
      tls: { protocol: 'TLSv1.3', cipher: expect.stringMatching(/^TLS_/), alpn: 'http/1.1', ...CERTIFICATE },
    });
    const [plain] = await records([url], []);
    expect([plain?.address, plain?.tls, plain?.title]).toEqual([undefined, undefined, undefined]);
    const [address] = await records([url], ['--record', 'address']);
    expect([address?.address, address?.tls]).toEqual([authority, undefined]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'knows the certificate in a resumed session: %s',
    async (version) => {
      for (const flags of [[], ['-k']]) {
        const { url, reused } = await aServer({ tls: { maxVersion: version } });
        const found = await records([`${url}/1`, `${url}/2`, `${url}/3`], ['--record', 'tls', ...flags]);
        expect(reused).toEqual([false, true, true]);
        for (const { tls } of found) expect(tls).toMatchObject({ protocol: version, ...CERTIFICATE });
      }
    },
  );

  it('knows both on a kept connection', async () => {
    const { url, authority, reused } = await aServer({ respond: (_, response) => response.end('ok') });
    const found = await records([`${url}/1`, `${url}/2`], ['--record', 'address,tls']);
    expect(reused).toEqual([false]);
    for (const { tls, address } of found) expect([tls, address]).toMatchObject([CERTIFICATE, authority]);
  });

  it('knows both with HTTP/2, and after HEAD', async () => {
    const origin = await startHttp2();
    const list = [1, 2, 3].map((n) => `${origin.url}/${n}`);
    for (const flags of [['--http2'], ['--http2', '-I']]) {
      for (const { tls, address } of await records(list, ['--record', 'address,tls', ...flags])) {
        expect([tls, address]).toMatchObject([{ alpn: 'h2', ...CERTIFICATE }, `127.0.0.1:${origin.port}`]);
      }
    }
  });

  it('knows both where the end of TLS is watched', async () => {
    const { url, authority } = await aServer({
      respond: (_, response) => {
        response.useChunkedEncodingByDefault = false;
        response.removeHeader('transfer-encoding');
        response.writeHead(200, { connection: 'close' }).end('until the end');
      },
    });
    const flags = ['--record', 'address,tls', '--contains', 'until'];
    for (const { ok, tls, address } of await records([`${url}/1`, `${url}/2`], flags)) {
      expect([ok, tls, address]).toMatchObject([true, CERTIFICATE, authority]);
    }
  });

  it('shows the address of the proxy, and TLS with the server behind it', async () => {
    const { url } = await aServer();
    const proxy = await startProxy();
    onTestFinished(() => proxy.close());
    const [one] = await records([url], ['--record', 'address,tls', '--proxy', proxy.url]);
    expect(one).toMatchObject({ address: new URL(proxy.url).host, tls: CERTIFICATE });
  });

  it('shows no TLS for an http URL behind an https proxy', async () => {
    const server = await listen(createHttpServer(page));
    onTestFinished(() => server.close());
    const proxy = await startProxy({ tls: await serverCertificate() });
    onTestFinished(() => proxy.close());
    const flags = ['--record', 'address,tls', '--proxy', proxy.url, '--expect-cert-days', '9999'];
    const [one] = await records([`http://${server.authority}/`], flags);
    expect(one).toMatchObject({ ok: true, address: new URL(proxy.url).host });
    expect(one?.tls).toBeUndefined();
  });

  it('shows an expired certificate and a self-signed one with --insecure', async () => {
    const expired = await aServer({ wish: { validFromDays: -10, validToDays: -1.5 } });
    const [first] = await records([expired.url], ['--record', 'tls', '-k']);
    expect(first?.tls).toMatchObject({ ...CERTIFICATE, daysLeft: -2 });
    const selfSigned = await aServer({ tls: await selfSignedCertificate() });
    const [second] = await records([selfSigned.url], ['--record', 'tls', '-k']);
    expect(second?.tls).toMatchObject({ subject: 'CN=fanout self-signed', issuer: 'CN=fanout self-signed' });
  });

  it('has columns in CSV, fields in a template, and comes from threads and the library', async () => {
    const { url, authority } = await aServer({ respond: (_, response) => titled(response) });
    const common = ['fetch', url, '--cacert', await caFile()];
    const csv = await runInProcess([...common, '--format', 'csv', '--record', 'tls,title,address']);
    const [row] = parse(csv.stdout, { columns: true });
    expect(row).toMatchObject({
      address: authority,
      title: 'A & B',
      tlsProtocol: 'TLSv1.3',
      tlsDaysLeft: '29',
    });
    const template = ['--template', '{title}|{address}|{tlsDaysLeft}|{tlsIssuer}'];
    expect((await runInProcess([...common, ...template])).stdout).toBe(
      `A & B|${authority}|29|CN=fanout test CA\n`,
    );
    const threads = await runCli([...common, '--json', '--threads', '2', '--record', 'tls,title,address']);
    expect(JSON.parse(threads.stdout)).toMatchObject({
      title: 'A & B',
      address: authority,
      tls: CERTIFICATE,
    });
    for await (const result of fanout([url], { cacert: await caPem(), record: ['tls', 'title'] })) {
      expect(result).toMatchObject({ title: 'A & B', tls: CERTIFICATE });
    }
  });

  it('is kept by the journal, which is not used for a run that records more', async () => {
    const { url, reused } = await aServer({ respond: (_, response) => titled(response) });
    const journal = ['--journal', `${await tempDir()}/journal`];
    const more = ['--record', 'title,tls', ...journal];
    expect((await records([url], journal))[0]?.title).toBeUndefined();
    expect((await records([url], more))[0]).toMatchObject({ title: 'A & B', tls: CERTIFICATE });
    const requests = reused.length;
    const again = await records([url], ['--record', 'tls,title,input', ...journal]);
    expect([again[0], reused.length]).toMatchObject([{ title: 'A & B', tls: CERTIFICATE }, requests]);
  });
});

function titled(response: Parameters<RequestListener>[1]): void {
  response.setHeader('content-type', 'text/html').end('<!doctype html><title>\n A &amp; B </title>');
}

describe('--expect-cert-days', () => {
  const fault = (days: number) =>
    new RegExp(`^the certificate of 127\\.0\\.0\\.1:\\d+ expires on \\d{4}-\\d\\d-\\d\\d, in ${days} days$`);

  it.each([
    [[], '29', true],
    [[], '30', false],
    [['-I'], '30', false],
    [['-k'], '29', true],
    [['-k'], '30', false],
  ] as const)('with %j and %s days left of 29.99: OK is %s', async (flags, days, ok) => {
    const { url } = await aServer();
    const found = await records([`${url}/1`, `${url}/2`], ['--expect-cert-days', days, ...flags]);
    expect(found.map((result) => result.ok)).toEqual([ok, ok]);
    if (!ok) {
      const expected = { kind: 'expectation', message: expect.stringMatching(fault(29)) };
      for (const { failure } of found) expect(failure).toEqual(expected);
    }
  });

  it('says when a certificate has expired, with --insecure', async () => {
    const { url } = await aServer({ wish: { validFromDays: -10, validToDays: -2 } });
    const [one] = await records([url], ['--expect-cert-days', '1', '-k']);
    expect(one?.failure?.message).toMatch(/^the certificate of \S+ expired on \d{4}-\d\d-\d\d$/);
  });

  it('counts for each hop of a redirect', async () => {
    const soon = await aServer({
      wish: { validToDays: 5.5 },
      respond: ({ url: path }, response) => {
        if (path === '/away') response.setHeader('location', `${later.url}/`).writeHead(302).end();
        else response.end('ok');
      },
    });
    const later = await aServer({
      respond: ({ url: path }, response) => {
        if (path === '/back') response.setHeader('location', `${soon.url}/`).writeHead(302).end();
        else response.end('ok');
      },
    });
    const list = [`${soon.url}/away`, `${later.url}/back`, `${later.url}/`];
    const found = await records(list, ['--expect-cert-days', '14']);
    expect(found.map(({ ok }) => ok)).toEqual([false, false, true]);
    for (const { failure } of found.slice(0, 2))
      expect(failure?.message).toContain(`${soon.authority} expires`);
  });

  it('is met by an http URL, and must be a positive number', async () => {
    const server = await listen(createHttpServer(page));
    onTestFinished(() => server.close());
    expect((await records([`http://${server.authority}/`], ['--expect-cert-days', '9999']))[0]?.ok).toBe(
      true,
    );
    for (const days of ['0', '-1', '1.5', 'x', '']) {
      const { code, stderr } = await runInProcess([
        'fetch',
        'http://127.0.0.1:1/',
        `--expect-cert-days=${days}`,
      ]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('for --expect-cert-days: must be')]);
    }
  });
});
