import type { X509Certificate } from 'node:crypto';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';
import { printable } from '../model/printable.ts';
import type { TlsFacts } from '../model/result.ts';
import { AttemptError } from './network-errors.ts';

export interface TlsConnectorOptions {
  /** Trusted certificates in PEM, roots or not, instead of Node's own. */
  readonly ca?: string | undefined;
  /** The client certificate in PEM, and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Whether the certificates of servers are not verified. */
  readonly insecure?: boolean;
  /** Whether HTTP/2 is offered by ALPN; `alpnProtocol` of the socket is what the server selected. */
  readonly http2?: boolean;
  /** Whether `peerOf` a connection has its certificate. */
  readonly keepsCertificate?: boolean;
}

/** What TLS runs over: a new connection to an address or a Unix domain socket, or a connected socket. */
export type TlsVia =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly socket: net.Socket };

/** How one connection differs from others. */
interface TlsManner {
  /** Whether a connection that ends without close_notify is an error; see `WatchedStream`. */
  readonly watchesEnd?: boolean;
  /** Whether HTTP/2 is not offered. */
  readonly isHttp1Only?: boolean;
}

const HTTP1_ONLY = ['http/1.1'];

/** The code of a TLS connection that ended without close_notify. */
export const TLS_CUT_OFF = 'ERR_TLS_CUT_OFF';

/** Servers whose session is kept, at about 2 kB each. */
const MAX_SESSIONS = 1_000;

/** Longest name of a certificate, in characters. */
const MAX_NAME_LENGTH = 500;

/** Also where options of Node would allow older versions (RFC 8996). */
const MIN_VERSION = 'TLSv1.2';

/** Makes TLS connections with one shared context: a context per connection costs more than the handshake. */
export class TlsConnector {
  readonly #options: TlsConnectorOptions;
  readonly #protocols: string[];
  readonly #sessions = new TlsSessions(MAX_SESSIONS);
  #context: SecureContext | undefined;

  constructor(options: TlsConnectorOptions = {}) {
    this.#options = options;
    this.#protocols = options.http2 === true ? ['h2', 'http/1.1'] : HTTP1_ONLY;
  }

  get offersHttp2(): boolean {
    return this.#options.http2 === true;
  }

  /** Starts the handshake with the server `hostname`. The socket emits `secureConnect` or `error`. */
  connect(via: TlsVia, hostname: string, { watchesEnd, isHttp1Only }: TlsManner = {}): TLSSocket {
    const { insecure } = this.#options;
    const watched = watchesEnd === true ? new WatchedStream(via) : undefined;
    this.#context ??= createContext(this.#options);
    // The key has the name in it, because Node does not verify the name again for a resumed session.
    const server = 'port' in via ? `${hostname}:${via.port}` : undefined;
    const resumed = server === undefined ? undefined : this.#sessions.take(server);
    const socket: TLSSocket = tls.connect({
      ...(watched ? { socket: watched } : via),
      ...(resumed && { session: resumed.session }),
      secureContext: this.#context,
      // SNI has the name without the dot of the root, and is not sent for an address (RFC 6066, 3).
      servername: net.isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : '',
      // Not Node's `hostname` argument: without SNI that is the address connected to, or `localhost`.
      checkServerIdentity: () => checkIdentity(socket, hostname),
      rejectUnauthorized: insecure !== true,
      ALPNProtocols: isHttp1Only === true ? HTTP1_ONLY : this.#protocols,
    });
    socket.on('error', destroyOnError);
    watched?.watch(socket);
    const certificate = resumed?.certificate ?? {};
    if (this.#options.keepsCertificate === true) {
      connections.set(socket, { certificate, tcp: watched?.socket });
      if (insecure === true) socket.once('secureConnect', () => keepCertificate(socket));
    }
    if (server !== undefined) this.#storeSessions(socket, server, certificate, resumed?.session);
    return insecure === true ? socket : withoutCertificateObject(socket);
  }

  #storeSessions(socket: TLSSocket, server: string, certificate: CertificateSlot, resumed?: Buffer): void {
    socket.on('session', (session) => this.#sessions.put(server, { session, certificate }));
    // With TLS 1.2 the resumed session is also the next one: the server sends no new one.
    if (resumed) {
      socket.once('secureConnect', () => this.#sessions.put(server, { session: resumed, certificate }));
    }
  }
}

/**
 * The TCP connection below a TLS connection, which is destroyed with an error if TCP ends before the server has sent
 * close_notify: a body that ends with its connection may then be cut off (RFC 9112, 9.8). Node reports both ends of a TLS
 * socket in the same way, so the bytes pass through this stream. That takes 1.3 times the CPU (100 MB and 600 handshakes on
 * loopback, Node 20), so it is used only where such bodies come.
 */
class WatchedStream extends Duplex {
  readonly #socket: net.Socket;
  #isAtEnd = false;
  #hasCloseNotify = false;

  constructor(via: TlsVia) {
    super();
    this.#socket = 'socket' in via ? via.socket : net.connect(via);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (piece) => {
      if (!this.push(piece)) this.#socket.pause();
    });
    this.#socket.once('end', () => {
      this.#isAtEnd = true;
      this.#judge();
    });
    this.#socket.once('error', (error) => this.destroy(error));
    this.#socket.once('close', () => this.#isAtEnd || this.destroy());
  }

  /** The TCP connection. */
  get socket(): net.Socket {
    return this.#socket;
  }

  /** Call with the TLS socket over this stream, before anything has arrived. */
  watch(socket: TLSSocket): void {
    const { push } = socket;
    socket.push = (piece, encoding) => {
      this.#hasCloseNotify ||= piece === null;
      return push.call(socket, piece, encoding);
    };
    this.once('error', (error) => socket.destroy(error));
    this.once('close', () => socket.destroy());
    socket.once('close', () => this.destroy());
    // The connector waits for it; Node emits it only for a socket of its own.
    if (this.#socket.connecting) this.#socket.once('connect', () => socket.emit('connect'));
  }

  override _read(): void {
    this.#socket.resume();
    this.#judge();
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, onWritten: (error?: Error | null) => void): void {
    this.#socket.write(piece, onWritten);
  }

  override _final(onFinished: () => void): void {
    this.#socket.end(onFinished);
  }

  override _destroy(error: Error | null, onDestroyed: (error: Error | null) => void): void {
    this.#socket.destroy();
    onDestroyed(error);
  }

  /** Decides what the end of the TCP connection means, when TLS has read everything before it. */
  #judge(): void {
    if (!this.#isAtEnd || this.readableLength > 0) return;
    if (this.#hasCloseNotify) this.push(null);
    else this.destroy(new AttemptError('reset', TLS_CUT_OFF, 'the TLS connection was cut off'));
  }
}

function createContext({ ca, cert, key, insecure }: TlsConnectorOptions): SecureContext {
  const own = { cert, key, minVersion: MIN_VERSION } as const;
  // Without verification Node's root certificates need not be loaded.
  if (insecure === true) return tls.createSecureContext({ ca: [], ...own });
  // As in curl, a trusted certificate is trusted anywhere in the chain, also as that of the server itself.
  const trust = ca === undefined ? {} : { ca, allowPartialTrustChain: true };
  return tls.createSecureContext({ ...trust, ...own });
}

/**
 * Destroys a socket with its error. An alert after the handshake, such as one that asks for a client certificate, is an
 * error and then the end of the stream, of which undici would report only the end.
 */
function destroyOnError(this: TLSSocket, error: Error): void {
  this.destroy(error);
}

/**
 * Verifies that the certificate of the peer is for `hostname` (RFC 9525), by OpenSSL's rules, which are as strict as Node's
 * or stricter. Node decides on what OpenSSL refuses, and words the error.
 */
function checkIdentity(socket: TLSSocket, hostname: string): Error | undefined {
  const certificate = keepCertificate(socket);
  if (certificate === undefined) return new Error('the server has shown no certificate');
  return isIssuedFor(certificate, hostname)
    ? undefined
    : tls.checkServerIdentity(hostname, certificate.toLegacyObject());
}

function isIssuedFor(certificate: X509Certificate, hostname: string): boolean {
  if (hostname.startsWith('.')) return false; // OpenSSL takes it for all names below
  if (net.isIP(hostname) !== 0) return certificate.checkIP(hostname) !== undefined;
  const strict = { subject: 'never', partialWildcards: false } as const;
  return certificate.checkHost(hostname.replace(/\.$/, ''), strict) !== undefined;
}

/**
 * Keeps Node from converting the certificate chain into an object for `checkServerIdentity`, which ignores it here. With
 * the conversion a full handshake takes 1.5 times the CPU (12 rounds of 400 on loopback, Node 20). A test checks that Node
 * still calls this method, and only for that.
 */
function withoutCertificateObject(socket: TLSSocket): TLSSocket {
  return Object.assign(socket, { getPeerCertificate });
}

function getPeerCertificate(): object {
  return {};
}

/** The certificate of a server, once the handshake has shown it. */
interface CertificateSlot {
  shown?: X509Certificate | undefined;
  facts?: CertificateFacts;
}

type CertificateFacts = Pick<TlsFacts, 'subject' | 'issuer' | 'validFrom' | 'validTo'>;

/** A session, and the certificate of its first handshake: one that resumes it shows none. */
export interface KeptSession {
  readonly session: Buffer;
  readonly certificate: CertificateSlot;
}

/** What is known of a TLS connection besides its socket. */
interface TlsConnection {
  readonly certificate: CertificateSlot;
  /** The TCP connection below it, if its bytes pass through a stream of ours. */
  readonly tcp: net.Socket | undefined;
}

const connections = new WeakMap<net.Socket, TlsConnection>();

/** Call once for each handshake: in Node 20 a second call returns undefined. */
function keepCertificate(socket: TLSSocket): X509Certificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  const slot = connections.get(socket)?.certificate;
  if (slot !== undefined) slot.shown ??= certificate;
  return certificate;
}

/** The other end of a connection, as plain data. */
export interface Peer {
  /** `192.0.2.1:443`, `[2001:db8::1]:443`: the server, or the proxy in front of it. */
  readonly address?: string | undefined;
  /** Unset if the connection has no TLS. The certificate is known only if the connector keeps it. */
  readonly tls?: TlsFacts | undefined;
}

/** Reads the other end of a connected socket. */
export function peerOf(socket: net.Socket): Peer {
  const connection = connections.get(socket);
  const { remoteAddress, remotePort } = connection?.tcp ?? socket;
  const host = remoteAddress?.includes(':') ? `[${remoteAddress}]` : remoteAddress;
  const address = host === undefined ? undefined : `${host}:${remotePort}`;
  if (!(socket instanceof tls.TLSSocket)) return { address };
  const { alpnProtocol } = socket;
  return {
    address,
    tls: {
      protocol: socket.getProtocol() ?? '',
      cipher: socket.getCipher().standardName,
      ...(alpnProtocol ? { alpn: alpnProtocol } : {}),
      ...(connection && certificateFacts(connection.certificate)),
    },
  };
}

function certificateFacts(slot: CertificateSlot): CertificateFacts | undefined {
  if (slot.facts === undefined && slot.shown !== undefined) {
    const { subject, issuer, validFrom, validTo } = slot.shown;
    slot.facts = {
      subject: nameText(subject),
      issuer: nameText(issuer),
      validFrom: new Date(validFrom).toISOString(),
      validTo: new Date(validTo).toISOString(),
    };
  }
  return slot.facts;
}

/** A distinguished name in one line. Node gives each part a line of its own. */
function nameText(name: string | undefined): string {
  return printable((name ?? '').split('\n').join(', '), MAX_NAME_LENGTH);
}

/**
 * TLS sessions by server, each resumed once, which spares both sides the certificates. When it is full, the server that
 * connected the longest time ago is evicted.
 */
export class TlsSessions {
  readonly #limit: number;
  readonly #sessions = new Map<string, KeptSession>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Removes and returns the last session of a server, so that a session it rejects cannot fail a second attempt. */
  take(server: string): KeptSession | undefined {
    const session = this.#sessions.get(server);
    this.#sessions.delete(server);
    return session;
  }

  put(server: string, session: KeptSession): void {
    this.#sessions.delete(server);
    this.#sessions.set(server, session);
    if (this.#sessions.size <= this.#limit) return;
    for (const oldest of this.#sessions.keys()) {
      this.#sessions.delete(oldest);
      return;
    }
  }
}
