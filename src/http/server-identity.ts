import type { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls, { type PeerCertificate, TLSSocket } from 'node:tls';

/**
 * Gives what speaks against the peer of a socket being the server that is called `hostname`, as Node says it.
 *
 * Node asks for the certificate as an object first, which costs a third of a handshake. OpenSSL's own check is asked in its
 * place, with rules that are as strict or stricter; what it does not accept is left to Node.
 */
export function identityError(socket: TLSSocket, hostname: string): Error | undefined {
  if (isFor(socket.getPeerX509Certificate(), hostname)) return undefined;
  return tls.checkServerIdentity(hostname, TLSSocket.prototype.getPeerCertificate.call(socket, true));
}

/** Keeps Node from making the object, whatever it wants it for. */
export function withoutCertificateObject(socket: TLSSocket): TLSSocket {
  return Object.assign(socket, { getPeerCertificate });
}

function getPeerCertificate(): PeerCertificate | object {
  return {};
}

function isFor(certificate: X509Certificate | undefined, hostname: string): boolean {
  if (certificate === undefined || hostname.startsWith('.')) return false; // to OpenSSL it means all names below
  if (net.isIP(hostname) !== 0) return certificate.checkIP(hostname) !== undefined;
  const strict = { subject: 'never', partialWildcards: false } as const;
  return certificate.checkHost(hostname.replace(/\.$/, ''), strict) !== undefined;
}
