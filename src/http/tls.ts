import type { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';

/**
 * Gives what speaks against the peer of a socket being the server that is called `hostname`, as Node says it.
 *
 * Node asks for the certificate as an object first, which costs a third of a handshake. OpenSSL's own check is asked in its
 * place, with rules that are as strict or stricter; what it does not accept is left to Node.
 */
function identityError(socket: TLSSocket, hostname: string): Error | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return new Error('the server has shown no certificate');
  return isFor(certificate, hostname)
    ? undefined
    : tls.checkServerIdentity(hostname, certificate.toLegacyObject());
}

/** Keeps Node from making the object, whatever it wants it for. */
function withoutCertificateObject(socket: TLSSocket): TLSSocket {
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

/**
 * TLS sessions of servers, by name and port, each to be resumed once: that spares both sides the certificates. Servers
 * that were connected to last are kept.
 */
export class TlsSessions {
  readonly #limit: number;
  readonly #sessions = new Map<string, Buffer>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The last session of a server. It is forgotten, so that one that the server does not like fails no second attempt. */
  take(server: string): Buffer | undefined {
    const session = this.#sessions.get(server);
    this.#sessions.delete(server);
    return session;
  }

  put(server: string, session: Buffer): void {
    this.#sessions.delete(server);
    this.#sessions.set(server, session);
    if (this.#sessions.size <= this.#limit) return;
    for (const oldest of this.#sessions.keys()) {
      this.#sessions.delete(oldest);
      return;
    }
  }
}

export interface TlsConnectorOptions {
  /** Certificates in PEM that are trusted in place of Node's own, as roots or by themselves. */
  readonly ca?: string | undefined;
  /** A certificate in PEM for servers that ask for one, and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Whether any certificate of a server will do. */
  readonly insecure?: boolean;
  /** Whether HTTP/2 is offered to servers; `alpnProtocol` of the socket then says what was agreed on. */
  readonly http2?: boolean;
}

/** Where a TLS connection goes: to an address, or over a socket that is connected already. */
export type TlsVia = { readonly address: string; readonly port: number } | { readonly socket: net.Socket };

/** Each is some 2 kB. */
const MAX_SESSIONS = 1_000;

/** Makes TLS connections, all with one context: one for each connection costs more than the handshake. */
export class TlsConnector {
  readonly #options: TlsConnectorOptions;
  readonly #protocols: string[];
  readonly #sessions = new TlsSessions(MAX_SESSIONS);
  #context: SecureContext | undefined;

  constructor(options: TlsConnectorOptions = {}) {
    this.#options = options;
    this.#protocols = options.http2 === true ? ['h2', 'http/1.1'] : ['http/1.1'];
  }

  get offersHttp2(): boolean {
    return this.#options.http2 === true;
  }

  /** Starts the handshake with the server that is called `hostname`; the socket says `secureConnect` or `error`. */
  connect(via: TlsVia, hostname: string): TLSSocket {
    const { insecure } = this.#options;
    this.#context ??= contextOf(this.#options);
    // The name belongs to it: Node does not check a resumed session for it again.
    const server = 'socket' in via ? undefined : `${hostname}:${via.port}`;
    const session = server === undefined ? undefined : this.#sessions.take(server);
    const socket: TLSSocket = tls.connect({
      ...('socket' in via ? via : { host: via.address, port: via.port }),
      ...(session && { session }),
      secureContext: this.#context,
      // A name is sent without the dot of the root, and an address not at all (RFC 6066, 3).
      servername: net.isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : '',
      // Node would check for the address that is connected to, or for `localhost`, where there is no name.
      checkServerIdentity: () => identityError(socket, hostname),
      rejectUnauthorized: insecure !== true,
      ALPNProtocols: this.#protocols,
    });
    socket.on('error', end);
    if (server !== undefined) this.#remember(socket, server, session);
    return insecure === true ? socket : withoutCertificateObject(socket);
  }

  #remember(socket: TLSSocket, server: string, resumed: Buffer | undefined): void {
    socket.on('session', (session) => this.#sessions.put(server, session));
    // With TLS 1.2 a session that was resumed is the one to resume next.
    if (resumed) socket.once('secureConnect', () => this.#sessions.put(server, resumed));
  }
}

function contextOf({ ca, cert, key, insecure }: TlsConnectorOptions): SecureContext {
  // Nothing is checked in vain where nothing has to be trusted, and Node's own certificates are not read.
  if (insecure === true) return tls.createSecureContext({ ca: [], cert, key });
  // What is trusted is trusted wherever it stands in the chain, as with curl: also a certificate of a server itself.
  const trust = ca === undefined ? {} : { ca, allowPartialTrustChain: true };
  return tls.createSecureContext({ ...trust, cert, key });
}

/**
 * An alert after the handshake, such as one that asks for a client certificate, is an error and then the end of the
 * stream, of which undici would report the latter.
 */
function end(this: TLSSocket, error: Error): void {
  this.destroy(error);
}
