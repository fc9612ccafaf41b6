import type { ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import type { LogEntry, LogRecord } from './chunk.ts';
import { isMissing, type RunNames } from './jetstream-setup.ts';
import { pause, persist } from './persist.ts';

/** Records that are held here before they are taken. */
const AHEAD = 32;
const POLL_MS = 500;
/** How long one question for records stays open; the broker gives a sign of life at half of it. */
const OPEN_MS = 4000;

export interface LogParts {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly names: RunNames;
  readonly maxLog: number;
  readonly ensure: () => Promise<void>;
  readonly makeHeaders: (fields: Readonly<Record<string, string>>) => MsgHdrs;
}

/** The queue of results. */
export class JetStreamLog {
  readonly #parts: LogParts;
  /** So many more records may be added; 0 when that is not known. */
  #room = 0;
  #looking: Promise<void> | undefined;

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  /** Resolves when the record is stored; waits while the log is full, and while the broker is away. */
  async append(record: LogRecord, signal: AbortSignal): Promise<void> {
    const { client, names, makeHeaders, ensure } = this.#parts;
    const headers = makeHeaders({
      'Fanout-Chunk': String(record.chunk),
      'Fanout-Count': String(record.count),
      'Fanout-Worker': record.worker,
      ...(record.isUnfinished ? { 'Fanout-Unfinished': '1' } : {}),
      ...(record.kind === 'commit' ? { 'Fanout-Kind': 'commit' } : {}),
    });
    await this.#roomForOne(signal);
    await persist(() => client.publish(names.logSubject, record.body, { headers }), { signal, mend: ensure });
  }

  /** All records, from the first that is held; from there again whenever the connection or the broker's reader was lost. */
  async *entries(signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    while (!signal.aborted) {
      try {
        yield* this.#pass(signal);
      } catch (error) {
        // The broker is away, or has forgotten the stream.
        if (isMissing(error)) await this.#parts.ensure().catch(() => {});
      }
      if (!signal.aborted) await pause(POLL_MS / 2, signal);
    }
  }

  async trim(sequence: number): Promise<void> {
    const { manager, names } = this.#parts;
    await manager.streams.purge(names.log, { seq: sequence + 1 });
  }

  async *#pass(signal: AbortSignal): AsyncGenerator<LogEntry, void, void> {
    const { connection, client, names } = this.#parts;
    let messages: ConsumerMessages | undefined;
    let isStopped = signal.aborted;
    // It may be called while the consumer is being made.
    const stop = (): void => {
      isStopped = true;
      messages?.stop();
    };
    signal.addEventListener('abort', stop, { once: true });
    const unwatch = onReconnect(connection, stop);
    try {
      const consumer = await client.consumers.get(names.log, {});
      messages = await consumer.consume({ max_messages: AHEAD, expires: OPEN_MS });
      if (isStopped) return;
      let isWaiting = true;
      onSilence(messages, () => {
        if (isWaiting) stop();
      });
      for await (const message of messages) {
        isWaiting = false;
        const entry = entryOf(message);
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

  async #roomForOne(signal: AbortSignal): Promise<void> {
    while (this.#room <= 0 && !signal.aborted) {
      this.#looking ??= this.#look(signal).finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
    }
    this.#room -= 1;
  }

  /** Resolves when there is room in the log. Since others add to it, too, that holds for a moment. */
  async #look(signal: AbortSignal): Promise<void> {
    const { manager, names, maxLog, ensure } = this.#parts;
    while (!signal.aborted) {
      const { state } = await persist(() => manager.streams.info(names.log), { signal, mend: ensure });
      this.#room = maxLog - state.messages;
      if (this.#room > 0) break;
      await pause(POLL_MS, signal);
    }
    setTimeout(() => {
      this.#room = 0;
    }, POLL_MS).unref();
  }
}

/** Calls `act` whenever the connection is back; what is returned ends that, at the next status of the connection. */
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
 * Calls `act` when the broker gives no sign of life any more for a question: of a cluster, the member may be dead that
 * reads for us, and the client waits for ever for it. While nobody asks there are no signs either.
 */
function onSilence(messages: ConsumerMessages, act: () => void): void {
  const watch = async (): Promise<void> => {
    for await (const { type } of messages.status()) if (type === 'heartbeats_missed') act();
  };
  watch().catch(() => {});
}

/** A message of the log, or `undefined` when it is none of ours. */
function entryOf(message: JsMsg): LogEntry | undefined {
  const chunk = countIn(message.headers, 'Fanout-Chunk');
  const count = countIn(message.headers, 'Fanout-Count');
  if (chunk === undefined || count === undefined) return undefined;
  const worker = message.headers?.get('Fanout-Worker') ?? '';
  const kind = message.headers?.get('Fanout-Kind') === 'commit' ? 'commit' : 'results';
  const isUnfinished = message.headers?.has('Fanout-Unfinished') === true;
  return { kind, chunk, count, worker, isUnfinished, body: message.data, sequence: message.seq };
}

/** A whole number in a header, or `undefined`. */
export function countIn(headers: MsgHdrs | undefined, name: string): number | undefined {
  const text = headers?.get(name) ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
