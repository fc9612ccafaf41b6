import { once } from 'node:events';
import { connect } from 'node:net';
import nodeTls, { connect as connectTls, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import {
  type KeptSession,
  TlsConnector,
  type TlsConnectorOptions,
  TlsSessions,
  type TlsVia,
} from '../../src/http/tls.ts';
import { clientCertificate, selfSignedCertificate, serverCertificate } from '../origin/certificates.ts';
import { listen } from '../origin/listen.ts';
import * as tls from '../origin/tls.ts';
import { running, startClient } from './client.ts';
import { startHttp2 } from './http2-origin.ts';

describe('a TLS client', () => {
  const INSECURE = { insecure: true };

  interface Server {
    readonly url: string;
    close(): Promise<void>;
  }

  test.each([tls.startExpired, tls.startNotYetValid, tls.startSelfSigned, tls.startWrongHost])(
    'an insecure client accepts the certificate of %o',
    async (start) => {
      const origin = await running(start());
      const { send } = await startClient({ tls: { ...INSECURE, ca: undefined } });
      expect(await send(`${origin.url}/ok`)).toMatchObject({ failed: undefined, response: { status: 200 } });
    },
  );

  test.each<() => Promise<Server>>([tls.startPlainBehindHttps, tls.startOldTls, tls.startClosedHandshake])(
    'an insecure client still fails with %o',
    async (start) => {
      const origin = await running(start());
      const { send } = await startClient({ tls: INSECURE });
      expect((await send(origin.url)).failed?.failure.kind).toBe('tls');
    },
  );

  test('the certificates of --cacert are trusted, all of them, and no others', async () => {
    const [mine, other] = [await selfSignedCertificate(), await selfSignedCertificate()];
    const url = async (certificate: typeof mine) => (await running(tls.startHttps({ tls: certificate }))).url;
    const urls = [await url(mine), await url(other), (await running(tls.startHttps())).url];
    const { send } = await startClient({ tls: { ca: `${other.cert}\n${mine.cert}` } });
    const codes = [];
    for (const one of urls) codes.push((await send(`${one}/ok`)).failed?.failure.code);
    expect(codes).toEqual([undefined, undefined, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY']);
  });

  test('the certificate of a server in `ca` is trusted without its CA', async () => {
    const certificate = await serverCertificate();
    const origin = await running(tls.startHttps({ tls: certificate }));
    const { send } = await startClient({ tls: { ca: certificate.cert } });
    expect((await send(`${origin.url}/ok`)).failed).toBeUndefined();
  });

  test('the message for a certificate of other hosts lists its names', async () => {
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

  test('a client certificate is sent to a server that requests one', async () => {
    const origin = await running(tls.startMutualTls());
    const { send } = await startClient({ tls: await clientCertificate() });
    expect((await send(`${origin.url}/ok`)).response?.status).toBe(200);
  });

  test.each([
    ['TLSv1.3', /CERTIFICATE_REQUIRED$/],
    ['TLSv1.2', /HANDSHAKE_FAILURE$/],
  ] as const)(
    'the error of a server that requires a client certificate over %s says so',
    async (version, code) => {
      const limits = { minVersion: version, maxVersion: version };
      const only = { ...limits, requestCert: true, rejectUnauthorized: true, ca: await tls.caPem() };
      const origin = await running(tls.startHttps({ tls: only }));
      const { send } = await startClient();
      const { failed } = await send(`${origin.url}/ok`);
      expect(failed?.failure).toMatchObject({ kind: 'tls', code: expect.stringMatching(code) });
      expect(failed?.failure.message).toMatch(
        /certificate required \(give one with --cert\)|handshake failure/,
      );
    },
  );

  test('the error of a server that requires a client certificate over HTTP/2 is a TLS failure', async () => {
    const only = { requestCert: true, rejectUnauthorized: true, ca: await tls.caPem() };
    const origin = await startHttp2({}, only);
    const without = await startClient({ tls: { http2: true } });
    const { failed } = await without.send(origin.url);
    expect(failed).toMatchObject({ failure: { kind: 'tls' }, isRetryable: false });
    const having = await startClient({ tls: { http2: true, ...(await clientCertificate()) } });
    expect((await having.send(origin.url)).response?.status).toBe(200);
  });

  test('no common cipher is a TLS failure', async () => {
    // A cipher for RSA keys, while the key of the certificate is of an elliptic curve.
    const none = { ciphers: 'AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
    const origin = await running(tls.startHttps({ tls: none }));
    const { send } = await startClient();
    expect((await send(origin.url)).failed).toMatchObject({
      failure: { kind: 'tls', code: expect.stringMatching(/ALERT_HANDSHAKE_FAILURE$/) }, // the code depends on the version of OpenSSL
    });
  });

  /** What a handshake with a server for these names says: the name it was serverName for, or the code of the error. */
  async function handshake(
    names: readonly string[],
    hostname: string,
    more: Handshake = {},
  ): Promise<unknown> {
    const server = createServer(await serverCertificate({ names }), (socket) => socket.on('error', () => {}));
    const listening = await listen(server);
    onTestFinished(() => listening.close());
    const serverName = once(server, 'secureConnection').then(([socket]: TLSSocket[]) => socket?.servername);
    const connector = new TlsConnector({ ca: await tls.caPem(), ...more.options });
    const address = { host: '127.0.0.1', port: listening.port };
    const socket = connector.connect(await (more.via?.(listening.port) ?? address), hostname);
    onTestFinished(() => void socket.destroy());
    const failed = once(socket, 'secureConnect').then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    return (await failed) ?? serverName;
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
    ['a name is sent as SNI and verified', ['one.test'], 'one.test', {}, 'one.test'],
    ['every label of a name is verified', ['one.test'], 'two.test', {}, WRONG_HOST],
    ['a name is sent without the dot of the root', ['one.test'], 'one.test.', {}, 'one.test'],
    ['a wildcard matches one label', ['*.one.test'], 'a.one.test', {}, 'a.one.test'],
    ['a wildcard does not match two labels', ['*.one.test'], 'a.b.one.test', {}, WRONG_HOST],
    ['a wildcard does not match zero labels', ['*.one.test'], 'one.test', {}, WRONG_HOST],
    ['a wildcard within a label is left to Node', ['a*.one.test'], 'ab.one.test', {}, 'ab.one.test'],
    ['a name with a leading dot does not match all names', ['a.one.test'], '.one.test', {}, WRONG_HOST],
    ['one matching name of several is enough', ['two.test', 'one.test'], 'one.test', {}, 'one.test'],
    ['a name that looks like an address does not match it', ['127.0.0.1.test'], '127.0.0.1', {}, WRONG_HOST],
    ['an address is verified and not sent as SNI', ['127.0.0.1'], '127.0.0.1', {}, false],
    ['the address of the URL is verified, not the one connected to', ['127.0.0.9'], '127.0.0.9', {}, false],
    ['the address connected to is not verified', ['127.0.0.1'], '127.0.0.9', {}, WRONG_HOST],
    ['a name is verified over a socket', ['one.test'], 'one.test', { via: overSocket }, 'one.test'],
    ['an address is verified over a socket', ['127.0.0.9'], '127.0.0.9', { via: overSocket }, false],
    ['localhost is not verified over a socket', ['localhost'], '127.0.0.1', { via: overSocket }, WRONG_HOST],
    [
      'a name is sent also by an insecure client',
      ['one.test'],
      'two.test',
      { options: INSECURE },
      'two.test',
    ],
  ])('%s', async (_, names, hostname, more, expected) => {
    expect(await handshake(names, hostname, more)).toBe(expected);
  });
});

describe('settings of the process', () => {
  test('do not lower the oldest version of TLS', async () => {
    const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = nodeTls;
    onTestFinished(() => void Object.assign(nodeTls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }));
    Object.assign(nodeTls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' });
    const origin = await running(tls.startOldTls());
    const url = `${origin.url}/ok`;
    const plain = connectTls({ host: '127.0.0.1', port: origin.port, ca: await tls.caPem() });
    await once(plain, 'secureConnect'); // as it would be
    plain.destroy();
    for (const insecure of [false, true]) {
      const { send } = await startClient({ tls: { insecure } });
      expect((await send(url)).failed?.failure.kind).toBe('tls');
    }
  });

  test('do not switch verification off', async () => {
    const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env;
    onTestFinished(() => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    const origin = await running(tls.startSelfSigned());
    const { send } = await startClient();
    expect((await send(`${origin.url}/ok`)).failed).toMatchObject({
      failure: { kind: 'tls' },
      isRetryable: false,
    });
  });

  test('a Host header changes neither the name that is sent as SNI nor the one that is verified', async () => {
    const names: unknown[] = [];
    const origin = await running(
      tls.startHttps(
        { tls: { SNICallback: (name, done) => [names.push(name), done(null)] } },
        { names: ['one.test'] },
      ),
    );
    const { send } = await startClient({ lookUp: async () => ['127.0.0.1'] });
    const sent = await send(`https://one.test:${origin.port}/ok`, { headers: { host: 'two.test' } });
    expect([sent.failed, sent.response?.status, names]).toEqual([undefined, 200, ['one.test']]);
    const other = await send(`https://two.test:${origin.port}/ok`, { headers: { host: 'one.test' } });
    expect(other.failed?.failure.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });
});

const [one, two, three] = ['1', '2', '3'].map((text) => ({
  session: Buffer.from(text),
  certificate: {},
})) as [KeptSession, KeptSession, KeptSession];

describe('TlsSessions', () => {
  it('returns the last session of a server once', () => {
    const sessions = new TlsSessions(10);
    sessions.put('a:1', one);
    sessions.put('a:1', two);
    expect([sessions.take('a:2'), sessions.take('a:1'), sessions.take('a:1')]).toEqual([
      undefined,
      two,
      undefined,
    ]);
  });

  it('evicts the server that connected the longest time ago', () => {
    const sessions = new TlsSessions(2);
    sessions.put('a:1', one);
    sessions.put('b:1', two);
    sessions.put('a:1', one);
    sessions.put('c:1', three);
    expect(['a:1', 'b:1', 'c:1'].map((server) => sessions.take(server))).toEqual([one, undefined, three]);
  });
});

describe('TlsConnector', () => {
  const NAMES = ['one.test', 'two.test'];

  /** Connects to the server by each name in turn, and returns for each whether a session was resumed. */
  async function resumed(hostnames: readonly string[], options: TlsOptions = {}, insecure = false) {
    const certificate = await serverCertificate({ names: NAMES });
    const server = createServer({ ...certificate, ...options }, (socket) => socket.end('x'));
    const { port, close } = await listen(server);
    onTestFinished(close);
    const connector = new TlsConnector({ ca: await tls.caPem(), insecure });
    const seen: unknown[] = [];
    for (const hostname of hostnames) {
      const socket = connector.connect({ host: '127.0.0.1', port }, hostname);
      let outcome: unknown = 'no handshake';
      socket.once('secureConnect', () => {
        outcome = socket.isSessionReused();
      });
      socket.once('error', (error: Error & { code: string }) => {
        outcome = error.code;
      });
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
      seen.push(outcome);
    }
    return seen;
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes a session of %s', async (maxVersion) => {
    expect(await resumed(['one.test', 'one.test', 'one.test'], { maxVersion })).toEqual([false, true, true]);
  });

  it('resumes no session for another name', async () => {
    expect(await resumed(['one.test', 'two.test', 'three.test'])).toEqual([
      false,
      false,
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ]);
  });

  it('keeps no session of a server that failed verification', async () => {
    expect(await resumed(['three.test', 'three.test'])).toEqual([
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ]);
  });

  it('resumes sessions also if certificates are not verified', async () => {
    expect(await resumed(['three.test', 'three.test'], {}, true)).toEqual([false, true]);
  });
});

// If this fails, Node has changed how it verifies a peer: measure again whether src/http/tls.ts needs the replaced method.
describe('getPeerCertificate()', () => {
  async function start(): Promise<{ readonly port: number; readonly ca: string }> {
    const { port, close } = await listen(createServer(await serverCertificate({ names: ['one.test'] })));
    onTestFinished(close);
    return { port, ca: await tls.caPem() };
  }

  it('is called once by Node in a full handshake, which passes the object to checkServerIdentity()', async () => {
    const { port, ca } = await start();
    const certificate = {};
    const calls: unknown[][] = [];
    const socket = connectTls({
      ...{ host: '127.0.0.1', port, ca, servername: 'one.test' },
      checkServerIdentity: (...args) => void calls.push(['checkServerIdentity', ...args]),
    });
    onTestFinished(() => void socket.destroy());
    Object.assign(socket, {
      getPeerCertificate: (...args: unknown[]) => {
        calls.push(['getPeerCertificate', ...args]);
        return certificate;
      },
    });
    await once(socket, 'secureConnect');
    expect(calls).toEqual([
      ['getPeerCertificate', true],
      ['checkServerIdentity', 'one.test', certificate],
    ]);
    expect(calls[1]?.[2]).toBe(certificate);
  });

  it.each([
    [false, true],
    [true, false],
  ])('of a TlsConnector with insecure %s is replaced: %s', async (insecure, isReplaced) => {
    const { port, ca } = await start();
    const socket = new TlsConnector({ ca, insecure }).connect({ host: '127.0.0.1', port }, 'one.test');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    expect(Object.hasOwn(socket, 'getPeerCertificate')).toBe(isReplaced);
  });
});
