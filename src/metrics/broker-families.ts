import type { Family } from './family.ts';
import { within } from './patience.ts';

/** What a broker can be asked of a run; the parts of its engine that are needed here. */
export interface BrokerSource {
  readonly isConnected: boolean;
  stats(): Promise<BrokerStats>;
  deadCount(): Promise<number>;
}

export interface BrokerStats {
  readonly queued: number;
  readonly underWay: number;
  readonly logged: number;
}

/** Whoever asks for metrics does not wait longer than this for a broker that is away. */
const ASK_MS = 1000;

/** Whether there is a broker: for every role. */
export function connectionFamilies(broker: Pick<BrokerSource, 'isConnected'>): readonly Family[] {
  return [
    {
      type: 'gauge',
      name: 'fanout_broker_connected',
      help: '1 while this process is connected to the broker, 0 while it waits for it.',
      read: () => (broker.isConnected ? 1 : 0),
    },
  ];
}

/** How much waits in the broker: for whoever feeds or collects, since workers are many. */
export function queueFamilies(broker: BrokerSource): readonly Family[] {
  const ask = <T>(question: () => Promise<T>) =>
    broker.isConnected ? within(ASK_MS, question()) : Promise.resolve(undefined);
  return [
    {
      type: 'gauge',
      name: 'fanout_queue_chunks',
      help: 'Chunks of the run in the broker: those that wait for a worker, are under way, or wait for the collector.',
      labels: ['state'],
      async read() {
        const stats = await ask(() => broker.stats());
        if (stats === undefined) return undefined;
        const { queued, underWay, logged } = stats;
        return [
          { labels: { state: 'waiting' }, value: queued },
          { labels: { state: 'under_way' }, value: underWay },
          { labels: { state: 'uncollected' }, value: logged },
        ];
      },
    },
    {
      type: 'gauge',
      name: 'fanout_dead_urls',
      help: 'URLs of the run that no worker survived.',
      read: () => ask(() => broker.deadCount()),
    },
  ];
}
