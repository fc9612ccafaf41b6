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
