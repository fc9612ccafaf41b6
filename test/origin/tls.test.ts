import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { clientCertificate, serverCertificate, testCa } from './certificates.ts';
import { get } from './get.ts';
import { talk } from './talk.ts';
import * as tls from './tls.ts';

async function start<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  onTestFinished(() => server.close());
  return server;
}

/** How node reports that no TLS could be agreed on; which of the two depends on the moment and on its version. */
const NO_TLS = /^(EPROTO|ERR_SSL_)/;

/** One request that trusts the test CA alone. */
async function trusting(url: string) {
  return get(`${url}/ok`, { ca: await tls.caPem() });
}

test('startHttps() is trusted by who trusts the CA', async () => {
  const origin = await start(tls.startHttps());
  expect(origin.url).toMatch(/^https:/);
  expect((await trusting(origin.url)).text).toBe('ok\n');
});

test('startHttps() has a certificate for ::1, too', async () => {
  const origin = await start(tls.startHttps({ host: '::1' }));
  // Node 22.23 compares "::1." with the names, which no certificate has: the names are looked at here instead.
  let names: string | undefined;
  const checkServerIdentity = (_: string, { subjectaltname }: PeerCertificate) => {
    names = subjectaltname;
    return undefined;
  };
  await get(`${origin.url}/ok`, { ca: await tls.caPem(), checkServerIdentity });
  expect(names).toContain('IP Address:0:0:0:0:0:0:0:1');
});

test('startHttps() is good for localhost, too', async () => {
  const origin = await start(tls.startHttps());
  expect((await trusting(`https://localhost:${origin.port}`)).text).toBe('ok\n');
});

test('startHttps() is not trusted without the CA, unless nothing is checked', async () => {
  const origin = await start(tls.startHttps());
  await expect(get(`${origin.url}/ok`)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  expect((await get(`${origin.url}/ok`, { rejectUnauthorized: false })).status).toBe(200);
});

test.each([
  ['startExpired', /^CERT_HAS_EXPIRED$/],
  ['startNotYetValid', /^CERT_NOT_YET_VALID$/],
  ['startWrongHost', /^ERR_TLS_CERT_ALTNAME_INVALID$/],
  ['startSelfSigned', /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
  ['startOldTls', NO_TLS],
] as const)('%s fails with %s', async (name, code) => {
  const { startExpired, startNotYetValid, startWrongHost, startSelfSigned, startOldTls } = tls;
  const starters = { startExpired, startNotYetValid, startWrongHost, startSelfSigned, startOldTls };
  const origin = await start(starters[name]());
  await expect(trusting(origin.url)).rejects.toMatchObject({ code: expect.stringMatching(code) });
});

test('startOldTls() works for a client that still speaks TLS 1.1', async () => {
  const origin = await start(tls.startOldTls());
  const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0', ca: await tls.caPem() } as const;
  expect((await get(`${origin.url}/ok`, old)).status).toBe(200);
});

test('startMutualTls() lets in a client with a certificate and nobody else', async () => {
  const origin = await start(tls.startMutualTls());
  const ca = await tls.caPem();
  expect((await get(`${origin.url}/ok`, { ca, ...(await clientCertificate()) })).status).toBe(200);
  await expect(get(`${origin.url}/ok`, { ca })).rejects.toMatchObject({
    code: expect.stringMatching(/ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED|ECONNRESET/),
  });
});

test('startPlainBehindHttps() speaks no TLS', async () => {
  const server = await start(tls.startPlainBehindHttps());
  await expect(trusting(server.url)).rejects.toMatchObject({
    code: expect.stringMatching(NO_TLS),
  });
  expect((await get(`${server.plainUrl}/ok`)).status).toBe(200);
});

test('startTlsBehindHttp() speaks no plain HTTP', async () => {
  const server = await start(tls.startTlsBehindHttp());
  expect(server.url).toMatch(/^http:/);
  await expect(get(`${server.url}/ok`)).rejects.toThrow();
  expect((await trusting(server.tlsUrl)).status).toBe(200);
});

test('startStalledHandshake() takes the ClientHello and says nothing', async () => {
  const server = await start(tls.startStalledHandshake());
  const answer = trusting(server.url);
  answer.catch(() => {});
  await server.accepted.reached(1);
  await server.close();
  await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(server.url).toMatch(/^https:/);
});

test.each([
  ['startResetHandshake', { text: '', end: 'reset' }],
  ['startClosedHandshake', { text: '', end: 'fin' }],
] as const)('%s ends the connection at the first bytes', async (name, heard) => {
  const { startResetHandshake, startClosedHandshake } = tls;
  const server = await start({ startResetHandshake, startClosedHandshake }[name]());
  expect(await talk(server, { send: Buffer.from([0x16, 3, 1]) })).toEqual(heard);
  await expect(trusting(server.url)).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('startGarbageHandshake() answers with what is no TLS', async () => {
  const server = await start(tls.startGarbageHandshake());
  await expect(trusting(server.url)).rejects.toMatchObject({
    code: expect.stringMatching(NO_TLS),
  });
});

test('a server certificate names what was wished for and is signed by the CA', async () => {
  const made = new X509Certificate((await serverCertificate({ names: ['a.test', '127.0.0.9'] })).cert);
  expect(made.subjectAltName).toBe('DNS:a.test, IP Address:127.0.0.9');
  const ca = new X509Certificate((await testCa()).cert);
  expect([made.verify(ca.publicKey), ca.ca, made.ca]).toEqual([true, true, false]);
});

test('the CA is made once', async () => {
  expect(await testCa()).toBe(await testCa());
});
