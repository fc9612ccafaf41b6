import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { UsageError } from '../model/errors.ts';
import { pause, retryUntilBack, throwIfGone } from './broker-connection.ts';
import type { LogEntry, LogRecord } from './chunk.ts';
import { type BrokerRun, isMissing, messageFault, messageHeaders, numberHeader } from './jetstream-setup.ts';

/** Records fetched ahead of the reader. */
const READ_AHEAD = 32;
const POLL_MS = 500;
/** How long one pull request for records stays open; the broker sends a heartbeat at half of it. */
const PULL_MS = 4000;

interface LogParts extends BrokerRun {
  /** Results of this many chunks wait for the collector at most. */
  readonly maxLog: number;
  /** Recreates what is missing of the run on the broker. */
  readonly ensure: () => Promise<void>;
  readonly warn: (text: string) => void;
  /** Reports an error of the broker that is not over after several tries. */
  readonly report: (error: unknown) => void;
}

/** The stream of results. */
export class JetStreamLog {
  readonly #parts: LogParts;
  /** Records that may still be added; 0 while that has to be looked up. */
  #room = 0;
  #lookup: Promise<void> | undefined;

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  /** Resolves when the record is stored. Waits while the log is full, and while the broker is away. */
  async append(record: LogRecord, signal: AbortSignal): Promise<void> {
    const { client, names, ensure, report } = this.#parts;
    const headers = messageHeaders(this.#parts, {
      'Fanout-Chunk': String(record.chunk),
      'Fanout-Count': String(record.count),
      'Fanout-Worker': record.worker,
      ...(record.isUnfinished ? { 'Fanout-Unfinished': '1' } : {}),
      ...(record.kind === 'commit' ? { 'Fanout-Kind': 'commit' } : {}),
    });
    await this.#takeRoom(signal);
    const publish = () => client.publish(names.logSubject, record.body, { headers });
    await retryUntilBack(publish, { signal, repair: ensure, report });
  }

  /**
   * All records from the first that is still stored; from there again whenever the connection or the consumer was lost.
   */
  async *entries(signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    while (!signal.aborted) {
      try {
        yield* this.#entriesOfOneConsumer(signal);
      } catch (error) {
        // The broker is away, or has lost the stream.
        if (error instanceof UsageError) throw error;
        if (isMissing(error)) await this.#parts.ensure().catch(throwIfGone);
      }
      if (!signal.aborted) await pause(POLL_MS / 2, signal);
    }
  }

  /** Deletes the records up to this one. */
  async trim(sequence: number): Promise<void> {
    const { manager, names } = this.#parts;
    await manager.streams.purge(names.log, { seq: sequence + 1 });
  }

  async *#entriesOfOneConsumer(signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    const { connection, client, names } = this.#parts;
    let messages: ConsumerMessages | undefined;
    let isStopped = signal.aborted;
    // May be called before the consumer exists.
    const stop = (): void => {
      isStopped = true;
      messages?.stop();
    };
    signal.addEventListener('abort', stop, { once: true });
    const unwatch = onReconnect(connection, stop);
    try {
      const consumer = await client.consumers.get(names.log, {});
      messages = await consumer.consume({ max_messages: READ_AHEAD, expires: PULL_MS });
      if (isStopped) return;
      let isWaiting = true;
      onMissedHeartbeats(messages, () => {
        if (isWaiting) stop();
      });
      for await (const message of messages) {
        isWaiting = false;
        const entry = this.#toLogEntry(message);
        if (entry !== undefined) yield entry;
        if (signal.aborted) return;
        isWaiting = true;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      unwatch();
      stop();
    }
  }

  /**
   * A message of the log; `undefined` when it does not belong to this run. Throws a `UsageError` when a newer fanout wrote it:
   * without it the results would not be complete.
   */
  #toLogEntry(message: JsMsg): LogEntry | undefined {
    const { headers } = message;
    const chunk = numberHeader(headers, 'Fanout-Chunk');
    const count = numberHeader(headers, 'Fanout-Count');
    const fault = messageFault(headers, this.#parts.names);
    if (fault?.isNewer) {
      throw new UsageError(`cannot read the results of chunk ${chunk}: ${fault.fault}; update this fanout`);
    }
    if (fault !== undefined || chunk === undefined || count === undefined) {
      this.#parts.warn(`ignored a message among the results: ${fault?.fault ?? 'it has no number'}`);
      return undefined;
    }
    const worker = headers?.get('Fanout-Worker') ?? '';
    const kind = headers?.get('Fanout-Kind') === 'commit' ? 'commit' : 'results';
    const isUnfinished = headers?.has('Fanout-Unfinished') === true;
    return { kind, chunk, count, worker, isUnfinished, body: message.data, sequence: message.seq };
  }

  async #takeRoom(signal: AbortSignal): Promise<void> {
    while (this.#room <= 0 && !signal.aborted) {
      this.#lookup ??= this.#lookUpRoom(signal).finally(() => {
        this.#lookup = undefined;
      });
      await this.#lookup;
    }
    this.#room -= 1;
  }

  /** Resolves when there is room in the log. Other workers add to it too, so the number is valid only for `POLL_MS`. */
  async #lookUpRoom(signal: AbortSignal): Promise<void> {
    const { manager, names, maxLog, ensure } = this.#parts;
    while (!signal.aborted) {
      const { state } = await retryUntilBack(() => manager.streams.info(names.log), {
        signal,
        repair: ensure,
      });
      this.#room = maxLog - state.messages;
      if (this.#room > 0) break;
      await pause(POLL_MS, signal);
    }
    setTimeout(() => {
      this.#room = 0;
    }, POLL_MS).unref();
  }
}

/** Calls `act` after each reconnect. The function returned ends that, at the next status of the connection. */
function onReconnect(connection: NatsConnection, act: () => void): () => void {
  let isOver = false;
  const watch = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (isOver) return;
      if (type === 'reconnect') act();
    }
  };
  watch().catch(() => {}); // the connection was closed
  return () => {
    isOver = true;
  };
}

/**
 * Calls `act` when the heartbeats of a pull request stop: the member of a cluster that serves the consumer may be dead,
 * and the client would wait for it without end. Without a pull request there are no heartbeats either.
 */
function onMissedHeartbeats(messages: ConsumerMessages, act: () => void): void {
  const watch = async (): Promise<void> => {
    for await (const { type } of messages.status()) if (type === 'heartbeats_missed') act();
  };
  watch().catch(() => {}); // the consumer was stopped
}
