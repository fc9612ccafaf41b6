import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UsageError } from '../model/errors.ts';
import { systemReason } from '../model/output-error.ts';

export interface MetricsServerParts {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Gives the page. */
  readonly render: () => Promise<string>;
  readonly contentType: string;
}

/** Whoever asks has so long to ask, and so long to take the answer. */
const PATIENCE_MS = 10_000;
const MAX_CONNECTIONS = 32;

/** Answers `GET /metrics` and `HEAD /metrics`, and nothing else. Keeps no process alive, however slowly it is asked. */
export class MetricsServer {
  readonly #server: Server;
  readonly #parts: MetricsServerParts;
  #rendering: Promise<string> | undefined;

  private constructor(parts: MetricsServerParts) {
    this.#parts = parts;
    this.#server = createServer({ headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.timeout = PATIENCE_MS;
    this.#server.on('connection', (socket) => socket.unref());
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** Resolves when it listens. Throws a `UsageError` when it cannot. */
  static async listen(parts: MetricsServerParts): Promise<MetricsServer> {
    const metrics = new MetricsServer(parts);
    const server = metrics.#server;
    const { host, port } = parts;
    try {
      server.listen({ host, port });
      await once(server, 'listening');
    } catch (error) {
      const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      throw new UsageError(`Cannot serve metrics at ${place}: ${systemReason(error)}`, { cause: error });
    }
    server.unref();
    return metrics;
  }

  get url(): string {
    // It listens on a port, and not on a pipe.
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}/metrics`;
  }

  /** Ends it and all that are connected to it. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    const isRead = method === 'GET' || method === 'HEAD';
    if (!isRead || url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Only GET /metrics is here.\n');
      return;
    }
    // Many who ask at once are given one answer.
    this.#rendering ??= this.#parts.render().finally(() => {
      this.#rendering = undefined;
    });
    const page = Buffer.from(await this.#rendering);
    response.writeHead(200, { 'Content-Type': this.#parts.contentType, 'Content-Length': page.length });
    response.end(method === 'HEAD' ? undefined : page);
  }
}
