import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { JetStreamSender, type SenderParts } from '../../src/broker/jetstream-sender.ts';
import type { EncodedChunk } from '../../src/broker/queue-engine.ts';
import { runNames } from '../../src/broker/run-names.ts';

async function* chunks(count: number): AsyncGenerator<EncodedChunk> {
  for (let id = 0; id < count; id += 1) yield { id, partition: 0, count: 1, body: new Uint8Array(1) };
}

/** A stream that loses a message to a worker each time it is looked at, and knows the most that it has held. */
function aStream() {
  const stream = { messages: 0, last_seq: 0, most: 0 };
  const parts = {
    client: {
      publish: async () => {
        stream.messages += 1;
        stream.last_seq += 1;
        stream.most = Math.max(stream.most, stream.messages);
      },
    } as unknown as JetStreamClient, // the one call that is made
    manager: {
      streams: {
        info: async () => {
          stream.messages = Math.max(0, stream.messages - 1);
          return { state: { ...stream } };
        },
      },
    } as unknown as JetStreamManager, // the one call that is made
    names: runNames('r'),
    ensure: async () => {},
    headersOf: (() => undefined) as unknown as SenderParts['headersOf'], // nobody reads them
  };
  return { stream, parts };
}

it.each([1, 3, 40])('JetStreamSender never has more in the queue than its bound, %d', async (maxQueued) => {
  const { stream, parts } = aStream();
  const { signal } = new AbortController();
  const sent: number[] = [];
  await new JetStreamSender({ ...parts, maxQueued }).inOrder(chunks(100), {
    signal,
    sent: ({ id }) => sent.push(id),
  });
  expect(sent).toEqual(Array.from({ length: 100 }, (_, id) => id));
  expect(stream.most).toBeLessThanOrEqual(maxQueued);
});
