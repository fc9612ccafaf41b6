import { once } from 'node:events';
import { connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { TlsConnector, type TlsConnectorOptions, type TlsVia } from '../../src/http/tls.ts';
import { clientCertificate, selfSignedCertificate, serverCertificate } from '../origin/certificates.ts';
import { listen } from '../origin/listen.ts';
import * as tls from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { startHttp2 } from './http2-origin.ts';

const INSECURE = { insecure: true };

interface Server {
  readonly url: string;
  close(): Promise<void>;
}

test.each([tls.startExpired, tls.startNotYetValid, tls.startSelfSigned, tls.startWrongHost])(
  'an insecure client takes the certificate of %o',
  async (start) => {
    const origin = await running(start());
    const { send } = await startClient({ tls: { ...INSECURE, ca: undefined } });
    expect(await send(`${origin.url}/ok`)).toMatchObject({ failed: undefined, response: { status: 200 } });
  },
);

test.each<() => Promise<Server>>([tls.startPlainBehindHttps, tls.startOldTls, tls.startClosedHandshake])(
  'an insecure client fails with %o all the same',
  async (start) => {
    const origin = await running(start());
    const { send } = await startClient({ tls: INSECURE });
    expect((await send(origin.url)).failed?.failure.kind).toBe('tls');
  },
);

test('certificates that are named are trusted, all of them, and no others', async () => {
  const [mine, other] = [await selfSignedCertificate(), await selfSignedCertificate()];
  const url = async (certificate: typeof mine) => (await running(tls.startHttps({ tls: certificate }))).url;
  const urls = [await url(mine), await url(other), (await running(tls.startHttps())).url];
  const { send } = await startClient({ tls: { ca: `${other.cert}\n${mine.cert}` } });
  const codes = [];
  for (const one of urls) codes.push((await send(`${one}/ok`)).failed?.failure.code);
  expect(codes).toEqual([undefined, undefined, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY']);
});

test('a certificate of a server that is named is trusted without its CA', async () => {
  const certificate = await serverCertificate();
  const origin = await running(tls.startHttps({ tls: certificate }));
  const { send } = await startClient({ tls: { ca: certificate.cert } });
  expect((await send(`${origin.url}/ok`)).failed).toBeUndefined();
});

test('the names that a certificate is for are told when it is for others', async () => {
  const origin = await running(tls.startWrongHost());
  const { send } = await startClient();
  expect((await send(origin.url)).failed?.failure.message).toBe(
    "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: ",
  );
  const byName = await startClient({ lookUp: async () => ['127.0.0.1'] });
  expect((await byName.send(origin.url.replace('127.0.0.1', 'one.test'))).failed?.failure.message).toMatch(
    /Host: one\.test\. is not in the cert's altnames: DNS:elsewhere\.test$/,
  );
});

test('a client certificate is shown to a server that asks for one', async () => {
  const origin = await running(tls.startMutualTls());
  const { send } = await startClient({ tls: await clientCertificate() });
  expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
});

test.each([
  ['TLSv1.3', /CERTIFICATE_REQUIRED$/],
  ['TLSv1.2', /HANDSHAKE_FAILURE$/],
] as const)('a server that wants a client certificate over %s says so', async (version, code) => {
  const limits = { minVersion: version, maxVersion: version };
  const only = { ...limits, requestCert: true, rejectUnauthorized: true, ca: await tls.caPem() };
  const origin = await running(tls.startHttps({ tls: only }));
  const { send } = await startClient();
  const { failed } = await send(`${origin.url}/ok`);
  expect(failed?.failure).toMatchObject({ kind: 'tls', code: expect.stringMatching(code) });
  expect(failed?.failure.message).toMatch(/certificate required \(give one with --cert\)|handshake failure/);
});

test('a server that wants a client certificate for HTTP/2 says so', async () => {
  const only = { requestCert: true, rejectUnauthorized: true, ca: await tls.caPem() };
  const origin = await startHttp2({}, only);
  const without = await startClient({ tls: { http2: true } });
  const { failed } = await without.send(origin.url);
  expect(failed).toMatchObject({ failure: { kind: 'tls' }, isRetryable: false });
  const having = await startClient({ tls: { http2: true, ...(await clientCertificate()) } });
  expect((await having.send(origin.url)).response?.status).toBe(200);
});

test('a server with no cipher in common is a failure of TLS', async () => {
  // A cipher for RSA keys, while the key of the certificate is of an elliptic curve.
  const none = { ciphers: 'AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
  const origin = await running(tls.startHttps({ tls: none }));
  const { send } = await startClient();
  expect((await send(origin.url)).failed).toMatchObject({
    failure: { kind: 'tls', code: expect.stringMatching(/ALERT_HANDSHAKE_FAILURE$/) }, // each OpenSSL has its own
  });
});

/** What a handshake with a server for these names says: the name it was asked for, or the code of the error. */
async function handshake(names: readonly string[], hostname: string, more: Handshake = {}): Promise<unknown> {
  const server = createServer(await serverCertificate({ names }), (socket) => socket.on('error', () => {}));
  const listening = await listen(server);
  onTestFinished(() => listening.close());
  const asked = once(server, 'secureConnection').then(([socket]: TLSSocket[]) => socket?.servername);
  const secure = new TlsConnector({ ca: await tls.caPem(), ...more.options });
  const address = { address: '127.0.0.1', port: listening.port };
  const socket = secure.connect(await (more.via?.(listening.port) ?? address), hostname);
  onTestFinished(() => void socket.destroy());
  const failed = once(socket, 'secureConnect').then(
    () => undefined,
    (error: { code: string }) => error.code,
  );
  return (await failed) ?? asked;
}

interface Handshake {
  readonly options?: TlsConnectorOptions;
  readonly via?: (port: number) => Promise<TlsVia>;
}

const overSocket = async (port: number): Promise<TlsVia> => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return { socket };
};

const WRONG_HOST = 'ERR_TLS_CERT_ALTNAME_INVALID';

test.each<[string, readonly string[], string, Handshake, unknown]>([
  ['a name is asked for and checked', ['one.test'], 'one.test', {}, 'one.test'],
  ['a name is checked against every label', ['one.test'], 'two.test', {}, WRONG_HOST],
  ['a name is asked for without the dot of the root', ['one.test'], 'one.test.', {}, 'one.test'],
  ['a wildcard stands for one label', ['*.one.test'], 'a.one.test', {}, 'a.one.test'],
  ['a wildcard stands for no two labels', ['*.one.test'], 'a.b.one.test', {}, WRONG_HOST],
  ['a wildcard stands for no fewer labels', ['*.one.test'], 'one.test', {}, WRONG_HOST],
  ['a wildcard within a label is left to Node', ['a*.one.test'], 'ab.one.test', {}, 'ab.one.test'],
  ['a name with a dot before it is not all names', ['a.one.test'], '.one.test', {}, WRONG_HOST],
  ['one name of many is enough', ['two.test', 'one.test'], 'one.test', {}, 'one.test'],
  ['a name is no address', ['127.0.0.1.test'], '127.0.0.1', {}, WRONG_HOST],
  ['an address is checked and not asked for', ['127.0.0.1'], '127.0.0.1', {}, false],
  ['the address of the URL counts, not the one that is connected to', ['127.0.0.9'], '127.0.0.9', {}, false],
  ['the address that is connected to does not count', ['127.0.0.1'], '127.0.0.9', {}, WRONG_HOST],
  ['a name counts over a socket, too', ['one.test'], 'one.test', { via: overSocket }, 'one.test'],
  ['an address counts over a socket, too', ['127.0.0.9'], '127.0.0.9', { via: overSocket }, false],
  ['localhost does not count over a socket', ['localhost'], '127.0.0.1', { via: overSocket }, WRONG_HOST],
  ['a name is asked for also where any will do', ['one.test'], 'two.test', { options: INSECURE }, 'two.test'],
])('%s', async (_, names, hostname, more, expected) => {
  expect(await handshake(names, hostname, more)).toBe(expected);
});
