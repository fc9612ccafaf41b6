import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemReason, UsageError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import {
  type BrokerSource,
  type CollectSource,
  collectFamilies,
  connectionFamilies,
  type Family,
  type FeedCounts,
  feedFamilies,
  loadPromClient,
  type OpenMetricsRegistry,
  type PromClient,
  queueFamilies,
  register,
  WorkCounts,
  type WorkSource,
  workFamilies,
} from './metric-families.ts';

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

export interface MetricsParts {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly version: string;
  /** Of Node. */
  readonly nodeVersion: string;
  /** `feed`, `work`, `collect`, or `fetch` of one that is all three. */
  readonly role: string;
  /** The name of the run. */
  readonly run: string;
}

/** What a process tells of itself, at `GET /metrics`. */
export class Metrics {
  readonly #prom: PromClient;
  readonly #registry: OpenMetricsRegistry;
  readonly #server: MetricsServer;

  private constructor(prom: PromClient, registry: OpenMetricsRegistry, server: MetricsServer) {
    this.#prom = prom;
    this.#registry = registry;
    this.#server = server;
  }

  /** Listens, with what every process can tell. Throws a `UsageError` when the address or the package cannot be used. */
  static async open({ host, port, ...about }: MetricsParts): Promise<Metrics> {
    const prom = await loadPromClient();
    const contentType = prom.Registry.OPENMETRICS_CONTENT_TYPE;
    const registry: OpenMetricsRegistry = new prom.Registry();
    registry.setContentType(contentType);
    const render = () => registry.metrics();
    const server = await MetricsServer.listen({ host, port, render, contentType });
    prom.collectDefaultMetrics({ register: registry });
    const metrics = new Metrics(prom, registry, server);
    metrics.#add([buildInfo(about)]);
    return metrics;
  }

  get url(): string {
    return this.#server.url;
  }

  /** Shows the connection to the broker, and what waits there if `hasQueue`: of many workers none needs to ask. */
  watchBroker(broker: BrokerSource, { hasQueue }: { readonly hasQueue: boolean }): void {
    this.#add(connectionFamilies(broker));
    if (hasQueue) this.#add(queueFamilies(broker));
  }

  watchFeed(counts: FeedCounts): void {
    this.#add(feedFamilies(counts));
  }

  watchWork(work: WorkSource): void {
    this.#add(workFamilies(work));
  }

  watchCollect(collect: CollectSource): void {
    this.#add(collectFamilies(collect));
  }

  /** Gives what is to be told of each result of this process. */
  countResults(): (result: Result) => void {
    const durations = new this.#prom.Histogram({
      name: 'fanout_work_request_duration_seconds',
      help: 'Length of the last attempt of each URL, all of its redirect hops together.',
      buckets: [...BUCKETS_SECONDS],
      registers: [this.#registry],
    });
    const counts = new WorkCounts((seconds) => durations.observe(seconds));
    this.#add(counts.families());
    return (result) => counts.take(result);
  }

  close(): void {
    this.#server.close();
    this.#registry.clear();
  }

  #add(families: readonly Family[]): void {
    for (const family of families) register(this.#prom, this.#registry, family);
  }
}

/** From an answer of the same machine to the longest attempt that is usual. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

function buildInfo({ version, nodeVersion, role, run }: Omit<MetricsParts, 'host' | 'port'>): Family {
  const labels = { version, node_version: nodeVersion, role, run };
  return {
    type: 'gauge',
    name: 'fanout_build_info',
    help: 'Always 1: which fanout this is, and its part in which run.',
    labels: Object.keys(labels),
    read: () => [{ labels, value: 1 }],
  };
}
