import net from 'node:net';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';

export interface SecureOptions {
  /** PEM certificates trusted beside Node's own. */
  readonly extraCa?: string | undefined;
}

/** Where a TLS connection goes: to an address, or over a socket that is connected already. */
export type SecureVia = { readonly address: string; readonly port: number } | { readonly socket: net.Socket };

/** Makes TLS connections, all with one context: one for each connection costs more than the handshake. */
export class Secure {
  readonly #options: SecureOptions;
  #context: SecureContext | undefined;

  constructor(options: SecureOptions = {}) {
    this.#options = options;
  }

  /** Starts the handshake with the server that is called `hostname`; the socket says `secureConnect` or `error`. */
  connect(via: SecureVia, hostname: string): TLSSocket {
    this.#context ??= tls.createSecureContext(trust(this.#options.extraCa));
    return tls.connect({
      ...('socket' in via ? via : { host: via.address, port: via.port }),
      secureContext: this.#context,
      servername: net.isIP(hostname) === 0 ? hostname : '',
      ALPNProtocols: ['http/1.1'],
    });
  }
}

function trust(extraCa: string | undefined): tls.SecureContextOptions {
  return extraCa === undefined ? {} : { ca: [...tls.rootCertificates, extraCa] };
}
