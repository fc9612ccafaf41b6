import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { TlsOptions } from '@nats-io/transport-node';

/** What Node calls a server of which it was told no name. */
const NO_NAME = 'localhost';

/** What the client takes, and hands on to Node whole. */
type BrokerTls = TlsOptions & { readonly checkServerIdentity: typeof checkServerIdentity };

/**
 * The TLS settings of a connection to these servers, `host:port`. The client names no server that it knows by its address,
 * and Node then wants a certificate for "localhost", from whatever machine; it must be one for the address.
 */
export function brokerTls(servers: readonly string[], ca: string | undefined): BrokerTls {
  const hosts = servers.map((server) => server.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
  return {
    ...(ca === undefined ? {} : { ca }),
    checkServerIdentity: (name: string, certificate: PeerCertificate) => {
      const wanted = name === NO_NAME ? hosts : [name];
      const errors = wanted.map((host) =>
        isForAddress(host, certificate) ? undefined : checkServerIdentity(host, certificate),
      );
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
}

/** By OpenSSL: some versions of Node 22 say no to every certificate for an IPv6 address, which they give a dot at its end. */
function isForAddress(host: string, { raw }: PeerCertificate): boolean {
  return isIP(host) !== 0 && new X509Certificate(raw).checkIP(host) !== undefined;
}
