import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
const MAX_DELAY_MS = 20;

/** A request without a response. */
interface Held {
  readonly number: number;
  readonly respond: () => void;
}

/**
 * Several hosts of the loopback. The last part of a path is the number of a URL, and the first one its status. URLs without a
 * response yet get one only up to a limit, so that a run cannot end before everything was done to it.
 */
export class ChaosOrigin {
  readonly #servers: readonly Server[] = HOSTS.map(() =>
    createServer((request, response) => this.#take(request, response)),
  );
  readonly #random: () => number;
  /** Addresses and ports. */
  readonly #hosts: string[] = [];
  readonly #served = new Set<number>();
  readonly #held = new Set<Held>();
  #waits: { readonly count: number; readonly resolve: () => void }[] = [];
  #limit = 0;
  #requests = 0;

  private constructor(random: () => number) {
    this.#random = random;
  }

  static async start(random: () => number): Promise<ChaosOrigin> {
    const origin = new ChaosOrigin(random);
    for (const [index, server] of origin.#servers.entries()) {
      server.listen(0, HOSTS[index]);
      await once(server, 'listening');
      const { address, port } = server.address() as AddressInfo; // it listens on an address
      origin.#hosts.push(`${address}:${port}`);
    }
    return origin;
  }

  /** Requests so far. */
  get requests(): number {
    return this.#requests;
  }

  /** URLs that have a response. */
  get served(): number {
    return this.#served.size;
  }

  url(status: number, number: number): string {
    return `http://${this.#hosts[number % HOSTS.length]}/${status}/${number}`;
  }

  /** From now on, this many URLs get a response. */
  allow(urls: number): void {
    this.#limit = urls;
    for (const held of this.#held) {
      if (!this.#isAllowed(held.number)) continue;
      this.#held.delete(held);
      held.respond();
    }
  }

  /** Resolves when this many URLs have a response. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.served >= count) resolve();
      else this.#waits.push({ count, resolve });
    });
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
  }

  #isAllowed(number: number): boolean {
    if (this.#served.has(number)) return true;
    if (this.#served.size >= this.#limit) return false;
    this.#served.add(number);
    return true;
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.#requests += 1;
    request.resume();
    const [status, number] = (request.url ?? '').slice(1).split('/').map(Number);
    const respond = () => {
      const ms = this.#random() * MAX_DELAY_MS;
      setTimeout(() => response.writeHead(status ?? 400, { 'content-type': 'text/plain' }).end('ok\n'), ms);
      this.#waits = this.#waits.filter(({ count, resolve }) => {
        if (this.served >= count) resolve();
        return this.served < count;
      });
    };
    const held = { number: number ?? 0, respond };
    if (this.#isAllowed(held.number)) respond();
    else {
      this.#held.add(held);
      response.once('close', () => this.#held.delete(held));
    }
  }
}
