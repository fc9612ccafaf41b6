import type { Consumer, JsMsg } from '@nats-io/jetstream';
import { systemClock } from '../core/clock.ts';
import { OutputError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { pause, REPORTED_FAILURES, retryUntilBack, throwIfGone } from './broker-connection.ts';
import type { DeadMessage, Delivery, EncodedChunk } from './chunk.ts';
import {
  addConsumer,
  apiErrorCode,
  type BrokerRun,
  isMissing,
  messageFault,
  messageHeaders,
  numberHeader,
  type RunSettings,
} from './jetstream-setup.ts';

/** Chunks published at once, at most. */
const MAX_WINDOW = 32;
const FULL_PAUSE_MS = 50;
const STREAM_FULL = 10077; // an error code of the JetStream API

/** How long one pull request for a chunk stays open; 1 s is the least that the client takes. */
const PULL_MS = 1000;
const ERROR_PAUSE_MS = 500;

/** When a chunk of a newer version is delivered again. */
const NEWER_PAUSE_MS = 10_000;

interface QueueParts extends BrokerRun {
  readonly settings: RunSettings;
  /** Recreates what is missing of the run on the broker. */
  readonly ensure: () => Promise<void>;
  /** Keeps a message that cannot be read. */
  readonly bury: (message: DeadMessage) => Promise<void>;
  /** Whether the run is paused. */
  readonly isPaused: () => Promise<boolean>;
  readonly warn: (text: string) => void;
  /** Reports an error of the broker that is not over after several tries. */
  readonly report: (error: unknown) => void;
}

export interface PublishOptions {
  readonly signal: AbortSignal;
  /** Called and awaited before chunks are sent, when no chunk after them has been taken. */
  readonly beforeSending?: (() => Promise<void>) | undefined;
  /** Called for each chunk that the broker has stored. */
  readonly sent?: ((chunk: EncodedChunk) => void) | undefined;
}

/** A consumer, and the time at which its stream was created. */
interface OpenConsumer {
  readonly consumer: Consumer;
  readonly created: string;
}

/**
 * The work queue of chunks.
 * - Publishing waits while the queue is full. The limit is kept here: a server that is killed while it refuses
 *   messages at a limit of its own may come back above it, and then drops unfinished chunks.
 * - Chunks are pulled one at a time: the ack wait of messages in a buffer would run out (nats.js #1929).
 */
export class JetStreamQueue {
  readonly #parts: QueueParts;
  readonly #consumers = new Map<number, OpenConsumer>();
  /** Windows of chunks in a row that could not be sent. */
  #failures = 0;
  #pullFailures = 0;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  /**
   * Publishes the chunks that follow the last one of the stream. Chunk `i` becomes message `i + 1`, so the stream
   * itself records which were sent: one that is published twice is refused, and after a refused one the next ones are
   * refused too. Throws an `OutputError` when the stream has lost its content.
   */
  async publish(chunks: AsyncIterable<EncodedChunk>, options: PublishOptions): Promise<void> {
    const { signal, sent, beforeSending } = options;
    let confirmed = 0;
    for await (const window of windows(chunks, this.#maxWindow)) {
      if (signal.aborted) return;
      await beforeSending?.();
      const first = window[0]?.id ?? 0;
      const end = first + window.length;
      for (let next = first; next < end && !signal.aborted; ) {
        confirmed = Math.max(confirmed, next);
        await this.#waitForRoom(end - next, signal);
        if (signal.aborted) return;
        const isSent = await this.#send(window.slice(next - first), true);
        const reached = isSent ? end : (await this.#streamState(signal))?.last_seq;
        if (reached === undefined) return;
        if (reached < confirmed) throw lostChunks(reached, confirmed);
        for (const chunk of window.slice(next - first, reached - first)) sent?.(chunk);
        next = reached;
        if (!isSent) await pause(FULL_PAUSE_MS, signal);
      }
      if (signal.aborted) return;
    }
  }

  /** Publishes chunks again, at any place in the stream. A chunk that is published twice does no harm. */
  async republish(chunks: AsyncIterable<EncodedChunk>, options: PublishOptions): Promise<void> {
    const { signal, sent, beforeSending } = options;
    for await (const window of windows(chunks, this.#maxWindow)) {
      await beforeSending?.();
      await this.#waitForRoom(window.length, signal);
      while (!signal.aborted && !(await this.#send(window, false))) await pause(FULL_PAUSE_MS, signal);
      if (signal.aborted) return;
      for (const chunk of window) sent?.(chunk);
    }
  }

  /** The next chunk of a partition; `undefined` when there was none for a second, the run is paused, or the broker is away. */
  async next(partition: number, signal: AbortSignal): Promise<Delivery | undefined> {
    if (await this.#parts.isPaused()) {
      await pause(PULL_MS, signal);
      return undefined;
    }
    try {
      const { consumer, created } = await this.#consumer(partition);
      const message = await consumer.next({ expires: PULL_MS });
      this.#pullFailures = 0;
      return message === null ? undefined : await this.#toDelivery(message, partition, created);
    } catch (error) {
      throwIfGone(error);
      // The broker is away, which `connectBroker` reports, or has lost the run.
      this.#pullFailures += 1;
      if (this.#pullFailures >= REPORTED_FAILURES) this.#parts.report(error);
      this.#consumers.delete(partition);
      await this.#parts.ensure().catch(throwIfGone);
      await pause(ERROR_PAUSE_MS, signal);
      return undefined;
    }
  }

  /** The number of chunks of each partition that has any, those in flight included; none when the broker is away. */
  async chunks(signal: AbortSignal): Promise<ReadonlyMap<number, number>> {
    const { manager, names, ensure } = this.#parts;
    try {
      const { state } = await manager.streams.info(names.jobs, { subjects_filter: names.jobSubject('*') });
      const found = Object.entries(state.subjects ?? {});
      return new Map(
        found.map(([subject, count]) => [Number(subject.slice(subject.lastIndexOf('.') + 1)), count]),
      );
    } catch (error) {
      throwIfGone(error);
      await ensure().catch(throwIfGone);
      await pause(ERROR_PAUSE_MS, signal);
      return new Map();
    }
  }

  /** At most half of the limit: the queue is never above it, and not empty while it is refilled. */
  get #maxWindow(): number {
    return Math.min(MAX_WINDOW, Math.ceil(this.#parts.settings.maxQueued / 2));
  }

  /** Whether all were stored. */
  async #send(window: readonly EncodedChunk[], isOrdered: boolean): Promise<boolean> {
    const { client, names, ensure } = this.#parts;
    const published = window.map(({ id, partition, body }) =>
      client.publish(names.jobSubject(partition), body, {
        headers: messageHeaders(this.#parts, { 'Fanout-Chunk': String(id) }),
        ...(isOrdered ? { expect: { lastSequence: id } } : {}),
      }),
    );
    const failed = (await Promise.allSettled(published)).find(({ status }) => status === 'rejected');
    if (failed?.status !== 'rejected') {
      this.#failures = 0;
      return true;
    }
    this.#failures += 1;
    if (this.#failures >= REPORTED_FAILURES) this.#parts.report(failed.reason);
    // Without a stream, and while the broker starts, there are no responders.
    if (apiErrorCode(failed.reason) !== STREAM_FULL) await ensure().catch(throwIfGone);
    return false;
  }

  async #waitForRoom(count: number, signal: AbortSignal): Promise<void> {
    const { maxQueued } = this.#parts.settings;
    while (!signal.aborted) {
      const state = await this.#streamState(signal);
      if (state === undefined || state.messages + count <= maxQueued) return;
      await this.#parts.isPaused(); // which says why the queue stays full
      await pause(FULL_PAUSE_MS, signal);
    }
  }

  /** The state of the stream; `undefined` after an abort. */
  #streamState(signal: AbortSignal) {
    const { manager, names, ensure } = this.#parts;
    return retryUntilBack(async () => (await manager.streams.info(names.jobs)).state, {
      signal,
      repair: async (error) => {
        if (isMissing(error)) await ensure();
      },
      report: this.#parts.report,
    }).catch((error: unknown) => {
      throwIfGone(error);
      return undefined;
    });
  }

  async #consumer(partition: number): Promise<OpenConsumer> {
    const { client, names, settings } = this.#parts;
    const open = this.#consumers.get(partition);
    if (open !== undefined) return open;
    const created = await this.#streamCreated();
    await addConsumer(this.#parts, settings, partition);
    const consumer = await client.consumers.get(names.jobs, names.consumer(partition));
    const opened = { consumer, created };
    this.#consumers.set(partition, opened);
    return opened;
  }

  /** When the stream was created: another time means another stream of the same name. */
  async #streamCreated(): Promise<string> {
    const { manager, names } = this.#parts;
    return (await manager.streams.info(names.jobs)).created;
  }

  async #toDelivery(message: JsMsg, partition: number, created: string): Promise<Delivery | undefined> {
    const { headers } = message;
    const id = numberHeader(headers, 'Fanout-Chunk');
    const fault = messageFault(headers, this.#parts.names);
    const name = id === undefined ? 'a message' : `chunk ${id}`;
    if (fault?.isNewer) {
      this.#parts.warn(
        `cannot read ${name} of the queue: ${fault.fault}; it is left to newer workers: update this one`,
      );
      message.nak(NEWER_PAUSE_MS);
      return undefined;
    }
    const bury = async (reason: string) => {
      this.#parts.warn(
        `cannot read ${name} of the queue: ${reason}; it is kept as a dead letter, and "fanout cluster feed --reconcile" sends its URLs again`,
      );
      const key = id === undefined || fault !== undefined ? `message-${message.seq}` : `chunk-${id}`;
      await this.#parts.bury({ key, reason: `${name}: ${reason}`, body: message.data });
      await this.#ack(message, created).catch(() => {});
    };
    if (fault !== undefined || id === undefined) {
      await bury(fault?.fault ?? 'it has no number');
      return undefined;
    }
    return {
      id,
      partition,
      deliveries: message.info.deliveryCount,
      body: message.data,
      extend: () => message.working(),
      // After a lost ack the chunk is redelivered, and its second commit is refused.
      ack: () => this.#ack(message, created).catch(() => {}),
      giveBack: (afterMs) => message.nak(afterMs),
      bury,
    };
  }

  /**
   * An ack identifies its message only by its number in the stream. In a stream that was recreated after a loss or a
   * purge, that is another chunk, which would then never be fetched.
   */
  async #ack(message: JsMsg, created: string): Promise<void> {
    if ((await this.#streamCreated()) === created) await message.ackAck();
    else this.#consumers.clear();
  }
}

/** The key of the pause in the state of a run. */
export const PAUSE_KEY = 'pause';

/** How long what is known of the pause is used. */
const PAUSE_POLL_MS = 1000;

/** Characters of the reason of an operator, at most. */
const MAX_REASON_LENGTH = 200;

/** A pause of a run: its workers finish the chunks that they have, and lease no more. */
export interface RunPause {
  /** An ISO date. */
  readonly since: string;
  /** What the operator gave as the reason. */
  readonly reason?: string | undefined;
}

/** The pause of a run as read from the broker; `undefined` if it is not paused. */
export function pauseFrom(value: unknown): RunPause | undefined {
  const { since, reason }: Record<string, unknown> = { ...Object(value) };
  if (typeof since !== 'string' || Number.isNaN(Date.parse(since))) return undefined;
  return { since, ...withReason(reason) };
}

/** The reason of an operator as a field, if there is one. */
export function withReason(reason: unknown): { readonly reason?: string } {
  return typeof reason === 'string' && reason !== '' ? { reason: printable(reason, MAX_REASON_LENGTH) } : {};
}

/** The reason of an operator, as the end of a sentence. */
export function reasonText(reason: string | undefined): string {
  return reason === undefined ? '' : `: ${reason}`;
}

interface PauseWatchParts {
  /** Reads the pause from the broker. */
  readonly read: () => Promise<unknown>;
  readonly warn: (text: string) => void;
  readonly note: (text: string) => void;
}

/** Knows whether a run is paused, and says when that changes. Asks the broker at most once a second, for all lanes of a worker. */
export class PauseWatch {
  readonly #parts: PauseWatchParts;
  readonly #now: () => number;
  #isPaused = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(parts: PauseWatchParts, now: () => number = systemClock.now) {
    this.#parts = parts;
    this.#now = now;
  }

  /** Never rejects: while the broker is away, nothing changes. */
  async isPaused(): Promise<boolean> {
    if (this.#now() - this.#askedAt >= PAUSE_POLL_MS) {
      this.#askedAt = this.#now();
      this.#asking = this.#ask().catch(() => {});
    }
    await this.#asking;
    return this.#isPaused;
  }

  async #ask(): Promise<void> {
    const { read, warn, note } = this.#parts;
    const pause = pauseFrom(await read());
    const wasPaused = this.#isPaused;
    this.#isPaused = pause !== undefined;
    if (pause !== undefined && !wasPaused) {
      warn(
        `the run was paused by an operator${reasonText(pause.reason)}; workers finish the chunks they have, and "fanout cluster resume" continues it`,
      );
    } else if (pause === undefined && wasPaused) note('the run was resumed');
  }
}

function lostChunks(held: number, sent: number): OutputError {
  return new OutputError(
    `the broker has lost chunks: it has ${held} of ${sent}; ` +
      'run "fanout cluster feed --reconcile" with the same inputs, and if "fanout cluster collect" is running, before it ends',
  );
}

/**
 * Groups of chunks to publish at once, of 1, 2, 4 … `max`: work begins with the first chunk of a list that arrives
 * slowly.
 */
async function* windows(
  chunks: AsyncIterable<EncodedChunk>,
  max: number,
): AsyncGenerator<readonly EncodedChunk[]> {
  let window: EncodedChunk[] = [];
  let size = 1;
  for await (const chunk of chunks) {
    window.push(chunk);
    if (window.length < size) continue;
    yield window;
    window = [];
    size = Math.min(2 * size, max);
  }
  if (window.length > 0) yield window;
}
