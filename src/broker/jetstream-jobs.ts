import type { Consumer, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import { countIn } from './jetstream-log.ts';
import { pause } from './persist.ts';
import type { Delivery } from './queue-engine.ts';
import type { RunNames } from './run-names.ts';

/** How long one question for a chunk stays open; the client's least is 1 s. */
const OPEN_MS = 1000;
const AFTER_ERROR_MS = 500;

export interface JobsParts {
  readonly client: JetStreamClient;
  readonly names: RunNames;
  readonly ensure: () => Promise<void>;
}

/**
 * Takes chunks one at a time: with a buffer of messages, the time of those that wait would run out
 * (nats.js #1929).
 */
export class JetStreamJobs {
  readonly #parts: JobsParts;
  readonly #consumers = new Map<number, Consumer>();

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  /** The next chunk of a partition; `undefined` when none came for a second, or the broker is away. */
  async next(partition: number, signal: AbortSignal): Promise<Delivery | undefined> {
    try {
      const consumer = await this.#consumer(partition);
      const message = await consumer.next({ expires: OPEN_MS });
      return message === null ? undefined : this.#delivery(message);
    } catch {
      // It is away, or has forgotten the run; whoever watches the connection tells the user.
      this.#consumers.delete(partition);
      await this.#parts.ensure().catch(() => {});
      await pause(AFTER_ERROR_MS, signal);
      return undefined;
    }
  }

  async #consumer(partition: number): Promise<Consumer> {
    const { client, names } = this.#parts;
    const known = this.#consumers.get(partition);
    if (known !== undefined) return known;
    const consumer = await client.consumers.get(names.jobs, names.consumer(partition));
    this.#consumers.set(partition, consumer);
    return consumer;
  }

  #delivery(message: JsMsg): Delivery | undefined {
    const id = countIn(message.headers, 'Fanout-Chunk');
    if (id === undefined) {
      message.term('it is no chunk of fanout');
      return undefined;
    }
    return {
      id,
      attempts: message.info.deliveryCount,
      body: message.data,
      extend: () => message.working(),
      // If it is lost, the chunk is handed out once more, and what comes of it is dropped.
      ack: () => message.ackAck().then(ignore, ignore),
      giveBack: () => message.nak(),
    };
  }
}

function ignore(): void {}
