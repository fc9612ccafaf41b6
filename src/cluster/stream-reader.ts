import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { BrokerRun } from './jetstream-setup.ts';

/** Messages fetched ahead of the reader, with and without their bodies. */
const READ_AHEAD = 32;
const HEADERS_AHEAD = 1000;

/** How long one pull request stays open; the broker sends a heartbeat at half of it. */
const PULL_MS = 4000;

interface ReadOptions {
  readonly stream: string;
  /** Read messages of this subject only. */
  readonly subject?: string;
  /** Begin behind this sequence number. */
  readonly after?: number;
  readonly headersOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** Messages until the signal, and until the connection or the consumer may be lost. */
interface LiveReader {
  readonly messages: AsyncIterable<JsMsg>;
  readonly close: () => void;
}

/**
 * Opens an ordered consumer for a reader that waits for new messages. The library would recreate a lost consumer behind the last
 * message that was read, but a stream that has lost data may have others before that. So the reader ends, and its user looks where
 * to go on.
 */
export async function openLiveReader(run: BrokerRun, options: ReadOptions): Promise<LiveReader> {
  const { signal } = options;
  const consumer = await createConsumer(run, options);
  const messages = await consumer.consume(pullOptions(options));
  const stop = () => messages.stop();
  let isWaiting = true;
  const unwatch = onReconnect(run.connection, stop);
  onMissedHeartbeats(messages, () => {
    if (isWaiting) stop();
  });
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  return {
    messages: watched(messages, (isIdle) => {
      isWaiting = isIdle;
    }),
    close() {
      signal?.removeEventListener('abort', stop);
      unwatch();
      stop();
    },
  };
}

/** The messages that a stream has now. Waits while the connection is lost; throws if the stream does not exist. */
export async function* readAll(run: BrokerRun, options: ReadOptions): AsyncGenerator<JsMsg, void, void> {
  const consumer = await createConsumer(run, options);
  if ((await consumer.info(true)).num_pending === 0) return;
  const messages = await consumer.consume({ ...pullOptions(options), abort_on_missing_resource: true });
  try {
    for await (const message of messages) {
      yield message;
      if (message.info.pending === 0) return;
    }
  } finally {
    messages.stop();
  }
}

/** The broker deletes it when it has not been used for five minutes. To delete it here, a reader would need the right to do so. */
function createConsumer({ client }: BrokerRun, { stream, subject, after = 0, headersOnly }: ReadOptions) {
  return client.consumers.get(stream, {
    opt_start_seq: after + 1,
    headers_only: headersOnly === true,
    ...(subject === undefined ? {} : { filter_subjects: subject }),
  });
}

function pullOptions({ headersOnly }: ReadOptions) {
  return { max_messages: headersOnly ? HEADERS_AHEAD : READ_AHEAD, expires: PULL_MS };
}

/** Passes the messages on. Calls `setIdle` with whether it waits for one. */
async function* watched(
  messages: ConsumerMessages,
  setIdle: (isIdle: boolean) => void,
): AsyncGenerator<JsMsg, void, void> {
  for await (const message of messages) {
    setIdle(false);
    yield message;
    setIdle(true);
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
