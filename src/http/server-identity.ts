import type { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls, { type TLSSocket } from 'node:tls';

/**
 * Gives what speaks against the peer of a socket being the server that is called `hostname`, as Node says it.
 *
 * Node asks for the certificate as an object first, which costs a third of a handshake. OpenSSL's own check is asked in its
 * place, with rules that are as strict or stricter; what it does not accept is left to Node.
 */
export function identityError(socket: TLSSocket, hostname: string): Error | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return new Error('the server has shown no certificate');
  return isFor(certificate, hostname)
    ? undefined
    : tls.checkServerIdentity(hostname, certificate.toLegacyObject());
}

/** Keeps Node from making the object, whatever it wants it for. */
export function withoutCertificateObject(socket: TLSSocket): TLSSocket {
  return Object.assign(socket, { getPeerCertificate });
}

function getPeerCertificate(): object {
  return {};
}

function isFor(certificate: X509Certificate, hostname: string): boolean {
  if (hostname.startsWith('.')) return false; // to OpenSSL it means all names below
  if (net.isIP(hostname) !== 0) return certificate.checkIP(hostname) !== undefined;
  const strict = { subject: 'never', partialWildcards: false } as const;
  return certificate.checkHost(hostname.replace(/\.$/, ''), strict) !== undefined;
}
