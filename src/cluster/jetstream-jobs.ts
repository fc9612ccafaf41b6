import type { Consumer, JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { Delivery } from './chunk.ts';
import { countIn } from './jetstream-log.ts';
import type { RunNames } from './jetstream-setup.ts';
import { pause } from './persist.ts';

/** How long one question for a chunk stays open; the client's least is 1 s. */
const OPEN_MS = 1000;
const AFTER_ERROR_MS = 500;

/** A consumer, and the stream that it was found in. */
interface Known {
  readonly consumer: Consumer;
  readonly created: string;
}

export interface JobsParts {
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly names: RunNames;
  readonly ensure: () => Promise<void>;
}

/**
 * Takes chunks one at a time: with a buffer of messages, the time of those that wait would run out
 * (nats.js #1929).
 */
export class JetStreamJobs {
  readonly #parts: JobsParts;
  readonly #consumers = new Map<number, Known>();

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  /** The next chunk of a partition; `undefined` when none came for a second, or the broker is away. */
  async next(partition: number, signal: AbortSignal): Promise<Delivery | undefined> {
    try {
      const { consumer, created } = await this.#consumer(partition);
      const message = await consumer.next({ expires: OPEN_MS });
      return message === null ? undefined : this.#delivery(message, created);
    } catch {
      // It is away, or has forgotten the run; whoever watches the connection tells the user.
      this.#consumers.delete(partition);
      await this.#parts.ensure().catch(() => {});
      await pause(AFTER_ERROR_MS, signal);
      return undefined;
    }
  }

  async #consumer(partition: number): Promise<Known> {
    const { client, names } = this.#parts;
    const known = this.#consumers.get(partition);
    if (known !== undefined) return known;
    const created = await this.#created();
    const consumer = await client.consumers.get(names.jobs, names.consumer(partition));
    const found = { consumer, created };
    this.#consumers.set(partition, found);
    return found;
  }

  /** When the stream was made: another time is another stream of the same name. */
  async #created(): Promise<string> {
    const { manager, names } = this.#parts;
    return (await manager.streams.info(names.jobs)).created;
  }

  /**
   * An acknowledgement names its message by the number in the stream alone. In a stream that was made anew, after a loss
   * or a purge, that is another chunk, which nobody would ever see again.
   */
  async #acknowledge(message: JsMsg, created: string): Promise<void> {
    if ((await this.#created()) === created) await message.ackAck();
    else this.#consumers.clear();
  }

  #delivery(message: JsMsg, created: string): Delivery | undefined {
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
      ack: () => this.#acknowledge(message, created).catch(() => {}),
      giveBack: (afterMs) => message.nak(afterMs),
    };
  }
}
