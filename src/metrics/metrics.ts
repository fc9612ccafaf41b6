import type { Result } from '../model/result.ts';
import { type BrokerSource, connectionFamilies, queueFamilies } from './broker-families.ts';
import { type CollectSource, collectFamilies } from './collect-families.ts';
import { type Family, type OpenMetricsRegistry, register } from './family.ts';
import { type FeedCounts, feedFamilies } from './feed-families.ts';
import { loadPromClient, type PromClient } from './load-prom-client.ts';
import { MetricsServer } from './metrics-server.ts';
import { WorkCounts, type WorkSource, workFamilies } from './work-families.ts';

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
