import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { errorCode, systemReason, UsageError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import type { JetStreamEngine } from './jetstream-engine.ts';
import {
  type CollectSource,
  collectFamilies,
  connectionFamilies,
  type Family,
  type FeedCounts,
  feedFamilies,
  queueFamilies,
  ResultCounts,
  type Sample,
  type WorkSource,
  workFamilies,
} from './metric-families.ts';

/** Upper bounds of the durations of attempts, up to the longest that is usual. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

/** The longest time for a client to send its request, and to take the response. */
const CLIENT_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 32;

type PromClient = typeof import('prom-client');
type OpenMetricsRegistry = Registry<'application/openmetrics-text; version=1.0.0; charset=utf-8'>;

export interface MetricsOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly version: string;
  /** The version of Node. */
  readonly nodeVersion: string;
  /** `feed`, `work`, `collect`, or `fetch` for a process that does all three. */
  readonly role: string;
  /** The name of the run. */
  readonly run: string;
}

/** The metrics of one process, served at `GET /metrics` in the OpenMetrics format. */
export class Metrics {
  readonly #prom: PromClient;
  readonly #registry: OpenMetricsRegistry;
  readonly #server: MetricsServer;
  readonly #readiness: Readiness;

  private constructor(
    prom: PromClient,
    registry: OpenMetricsRegistry,
    server: MetricsServer,
    readiness: Readiness,
  ) {
    this.#prom = prom;
    this.#registry = registry;
    this.#server = server;
    this.#readiness = readiness;
  }

  /** Starts the server, with the metrics of the process. Throws a `UsageError` when the address or prom-client cannot be used. */
  static async open({ host, port, ...about }: MetricsOptions): Promise<Metrics> {
    const prom = await loadPromClient();
    const contentType = prom.Registry.OPENMETRICS_CONTENT_TYPE;
    const registry: OpenMetricsRegistry = new prom.Registry();
    registry.setContentType(contentType);
    const render = () => registry.metrics();
    const readiness = new Readiness();
    const unready = () => readiness.fault;
    const server = await MetricsServer.listen({ host, port, render, contentType, unready });
    prom.collectDefaultMetrics({ register: registry });
    const metrics = new Metrics(prom, registry, server, readiness);
    metrics.#add([buildInfo(about)]);
    return metrics;
  }

  get url(): string {
    return this.#server.url;
  }

  /** From now on, `/readyz` says that this process takes no more work. */
  drain(): void {
    this.#readiness.isDraining = true;
  }

  /** Adds the connection to the broker, and what waits there if `hasQueue`. */
  watchBroker(engine: JetStreamEngine, { hasQueue }: { readonly hasQueue: boolean }): void {
    this.#readiness.engine = engine;
    this.#add(connectionFamilies(engine));
    if (hasQueue) this.#add(queueFamilies(engine));
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

  /** Returns a function to call with each result of this process. */
  countResults(): (result: Result) => void {
    const durations = new this.#prom.Histogram({
      name: 'fanout_work_request_duration_seconds',
      help: 'Length of the last attempt of each URL, all of its redirect hops together.',
      buckets: [...BUCKETS_SECONDS],
      registers: [this.#registry],
    });
    const counts = new ResultCounts((seconds) => durations.observe(seconds));
    this.#add(counts.families());
    return (result) => counts.add(result);
  }

  close(): void {
    this.#server.close();
    this.#registry.clear();
  }

  #add(families: readonly Family[]): void {
    for (const family of families) addFamily(this.#prom, this.#registry, family);
  }
}

/** Whether a process can do its work, for `/readyz`. */
class Readiness {
  /** Unset until the process has its run. */
  engine: Pick<JetStreamEngine, 'isConnected'> | undefined;
  isDraining = false;

  /** Why it cannot; `undefined` if it can. */
  get fault(): string | undefined {
    if (this.isDraining) return 'draining';
    if (this.engine === undefined) return 'starting';
    return this.engine.isConnected ? undefined : 'not connected to the broker';
  }
}

/** Loads prom-client, an optional dependency. Throws a `UsageError` with the command to install it when it is missing. */
async function loadPromClient(): Promise<PromClient> {
  try {
    return (await import('prom-client')).default;
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test(errorCode(error) ?? '')) throw error;
    throw new UsageError('the package for --metrics is not installed: run "npm install prom-client@15"', {
      cause: error,
    });
  }
}

function addFamily(prom: PromClient, registry: OpenMetricsRegistry, family: Family): void {
  const { type, name, help, labels: labelNames = [], read } = family;
  const Metric = type === 'counter' ? prom.Counter : prom.Gauge;
  const metric = new Metric({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    async collect() {
      const samples = samplesOf(await read());
      metric.reset();
      // Without labels, `reset` leaves a sample of 0.
      if (labelNames.length === 0) metric.remove();
      for (const { labels, value } of samples) metric.inc(labels, value);
    },
  });
}

function samplesOf(reading: Awaited<ReturnType<Family['read']>>): readonly Sample[] {
  if (reading === undefined) return [];
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
}

function buildInfo({ version, nodeVersion, role, run }: Omit<MetricsOptions, 'host' | 'port'>): Family {
  const labels = { version, node_version: nodeVersion, role, run };
  return {
    type: 'gauge',
    name: 'fanout_build_info',
    help: 'Always 1: which fanout this is, and its part in which run.',
    labels: Object.keys(labels),
    read: () => [{ labels, value: 1 }],
  };
}

export interface MetricsServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Returns the page. */
  readonly render: () => Promise<string>;
  readonly contentType: string;
  /** Why `/readyz` responds with 503; `undefined` for 200. */
  readonly unready: () => string | undefined;
}

/** An HTTP server for GET and HEAD of `/metrics`, `/healthz` and `/readyz`. Does not keep the process alive, however slow its clients are. */
export class MetricsServer {
  readonly #server: Server;
  readonly #options: MetricsServerOptions;
  #rendering: Promise<string> | undefined;

  private constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#server = createServer({ headersTimeout: CLIENT_TIMEOUT_MS, requestTimeout: CLIENT_TIMEOUT_MS });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.timeout = CLIENT_TIMEOUT_MS;
    this.#server.on('connection', (socket) => socket.unref());
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#respond(request, response).catch(() => response.destroy());
    });
  }

  /** Resolves when the server listens. Throws a `UsageError` when it cannot. */
  static async listen(options: MetricsServerOptions): Promise<MetricsServer> {
    const metrics = new MetricsServer(options);
    const server = metrics.#server;
    const { host, port } = options;
    try {
      server.listen({ host, port });
      await once(server, 'listening');
    } catch (error) {
      const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      throw new UsageError(`cannot serve metrics at ${place}: ${systemReason(error)}`, { cause: error });
    }
    server.unref();
    return metrics;
  }

  get url(): string {
    // The server listens on a port, not on a pipe.
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}/metrics`;
  }

  /** Closes the server and all of its connections. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #respond({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = method === 'GET' || method === 'HEAD' ? url?.split('?')[0] : undefined;
    if (path === '/healthz' || path === '/readyz') {
      const fault = path === '/readyz' ? this.#options.unready() : undefined;
      const text = `${fault ?? 'ok'}\n`;
      const headers = { 'Content-Type': 'text/plain', 'Content-Length': text.length };
      response.writeHead(fault === undefined ? 200 : 503, headers).end(method === 'HEAD' ? undefined : text);
      return;
    }
    if (path !== '/metrics') {
      const text = 'Only GET /metrics, /healthz and /readyz are here.\n';
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end(text);
      return;
    }
    // Simultaneous requests share one page.
    this.#rendering ??= this.#options.render().finally(() => {
      this.#rendering = undefined;
    });
    const page = Buffer.from(await this.#rendering);
    response.writeHead(200, { 'Content-Type': this.#options.contentType, 'Content-Length': page.length });
    response.end(method === 'HEAD' ? undefined : page);
  }
}
