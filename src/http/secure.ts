import net from 'node:net';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';
import { identityError, withoutCertificateObject } from './server-identity.ts';
import { TlsSessions } from './tls-sessions.ts';

export interface SecureOptions {
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
export type SecureVia = { readonly address: string; readonly port: number } | { readonly socket: net.Socket };

/** Each is some 2 kB. */
const MAX_SESSIONS = 1_000;

/** Makes TLS connections, all with one context: one for each connection costs more than the handshake. */
export class Secure {
  readonly #options: SecureOptions;
  readonly #protocols: string[];
  readonly #sessions = new TlsSessions(MAX_SESSIONS);
  #context: SecureContext | undefined;

  constructor(options: SecureOptions = {}) {
    this.#options = options;
    this.#protocols = options.http2 === true ? ['h2', 'http/1.1'] : ['http/1.1'];
  }

  get offersHttp2(): boolean {
    return this.#options.http2 === true;
  }

  /** Starts the handshake with the server that is called `hostname`; the socket says `secureConnect` or `error`. */
  connect(via: SecureVia, hostname: string): TLSSocket {
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

function contextOf({ ca, cert, key, insecure }: SecureOptions): SecureContext {
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
