import { type CertificateWish, selfSignedCertificate, serverCertificate, testCa } from './certificates.ts';
import type { ListenOptions } from './listen.ts';
import { type Origin, type OriginOptions, startOrigin } from './origin.ts';
import { type RawServer, startRawServer } from './raw-server.ts';

/** The certificate of the test CA in PEM, for `--cacert` and `ca:`. */
export async function caPem(): Promise<string> {
  return (await testCa()).cert;
}

/** An https origin with a good certificate for `localhost`, `127.0.0.1` and `::1`, or for the names given. */
export async function startHttps(
  options: OriginOptions = {},
  certificate: CertificateWish = {},
): Promise<Origin> {
  return startOrigin({ ...options, tls: { ...(await serverCertificate(certificate)), ...options.tls } });
}

/** An https origin whose certificate ran out yesterday. */
export function startExpired(options: OriginOptions = {}): Promise<Origin> {
  return startHttps(options, { validFromDays: -10, validToDays: -1 });
}

/** An https origin whose certificate holds from tomorrow on. */
export function startNotYetValid(options: OriginOptions = {}): Promise<Origin> {
  return startHttps(options, { validFromDays: 1, validToDays: 10 });
}

/** An https origin whose certificate is for another host. */
export function startWrongHost(options: OriginOptions = {}): Promise<Origin> {
  return startHttps(options, { names: ['elsewhere.test'] });
}

/** An https origin with a certificate that the test CA has not signed. */
export async function startSelfSigned(options: OriginOptions = {}): Promise<Origin> {
  return startOrigin({ ...options, tls: await selfSignedCertificate() });
}

/** An https origin that speaks TLS 1.0 and 1.1 alone. */
export function startOldTls(options: OriginOptions = {}): Promise<Origin> {
  // OpenSSL 3 offers the old versions at security level 0 only
  const tls = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  return startHttps({ ...options, tls });
}

/** An https origin that asks for a client certificate of the test CA and lets nobody in without. */
export async function startMutualTls(options: OriginOptions = {}): Promise<Origin> {
  return startHttps({ ...options, tls: { ca: await caPem(), requestCert: true, rejectUnauthorized: true } });
}

/** A plain-HTTP origin with an `https:` URL. `plainUrl` is the right one. */
export async function startPlainBehindHttps(
  options: OriginOptions = {},
): Promise<{ url: string; plainUrl: string; origin: Origin; close: () => Promise<void> }> {
  const origin = await startOrigin(options);
  return {
    url: origin.url.replace('http:', 'https:'),
    plainUrl: origin.url,
    origin,
    close: () => origin.close(),
  };
}

/** An https origin with an `http:` URL. `tlsUrl` is the right one. */
export async function startTlsBehindHttp(
  options: OriginOptions = {},
): Promise<{ url: string; tlsUrl: string; origin: Origin; close: () => Promise<void> }> {
  const origin = await startHttps(options);
  return {
    url: origin.url.replace('https:', 'http:'),
    tlsUrl: origin.url,
    origin,
    close: () => origin.close(),
  };
}

/** Accepts connections and never answers the ClientHello. */
export function startStalledHandshake(options: ListenOptions = {}): Promise<RawServer> {
  return startHttpsLooking({}, options);
}

/** Resets the connection when the ClientHello comes. */
export function startResetHandshake(options: ListenOptions = {}): Promise<RawServer> {
  return startHttpsLooking({ onData: (socket) => socket.resetAndDestroy() }, options);
}

/** Closes the connection in good order when the ClientHello comes. */
export function startClosedHandshake(options: ListenOptions = {}): Promise<RawServer> {
  return startHttpsLooking({ onData: (socket) => socket.end() }, options);
}

/** Answers the ClientHello with bytes that are no TLS. */
export function startGarbageHandshake(options: ListenOptions = {}): Promise<RawServer> {
  return startHttpsLooking({ onData: (socket) => void socket.write('SSH-2.0-OpenSSH_9.6\r\n') }, options);
}

async function startHttpsLooking(...args: Parameters<typeof startRawServer>): Promise<RawServer> {
  const server = await startRawServer(...args);
  return { ...server, url: server.url.replace('http:', 'https:') };
}
