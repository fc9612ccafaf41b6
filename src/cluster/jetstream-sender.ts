import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { MsgHdrs } from '@nats-io/transport-node';
import { OutputError } from '../model/errors.ts';
import type { EncodedChunk, Sending } from './chunk.ts';
import { codeOf, isMissing, type RunNames } from './jetstream-setup.ts';
import { pause, persist } from './persist.ts';

const WINDOW = 32;
const FULL_MS = 50;
const STREAM_FULL = 10077;

export interface SenderParts {
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly names: RunNames;
  readonly maxQueued: number;
  readonly ensure: () => Promise<void>;
  readonly headersOf: (chunk: EncodedChunk) => MsgHdrs;
}

/**
 * Sends chunks, a window at a time, and waits while the queue is full. The bound is kept here: a server that is killed
 * while it refuses at a bound of its own may come back over it, and then drops what nobody has finished.
 */
export class JetStreamSender {
  readonly #parts: SenderParts;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /**
   * Chunk `i` becomes message `i + 1` of the stream, so the stream itself is the memory of what was sent: a chunk that is sent
   * again is refused, and one that is refused fails those behind it. Throws an `OutputError` when the stream has
   * forgotten what it held.
   */
  async inOrder(chunks: AsyncIterable<EncodedChunk>, { signal, sent }: Sending): Promise<void> {
    let confirmed = 0;
    for await (const window of windows(chunks, this.#mostAtOnce)) {
      const first = window[0]?.id ?? 0;
      const end = first + window.length;
      for (let next = first; next < end && !signal.aborted; ) {
        confirmed = Math.max(confirmed, next);
        await this.#roomFor(end - next, signal);
        if (signal.aborted) return;
        const isSent = await this.#send(window.slice(next - first), true);
        const reached = isSent ? end : (await this.#state(signal))?.last_seq;
        if (reached === undefined) return;
        if (reached < confirmed) throw forgotten(reached, confirmed);
        for (const chunk of window.slice(next - first, reached - first)) sent?.(chunk);
        next = reached;
        if (!isSent) await pause(FULL_MS, signal);
      }
      if (signal.aborted) return;
    }
  }

  /** Sends chunks at any place in the stream. One that is sent twice does no harm. */
  async anywhere(chunks: AsyncIterable<EncodedChunk>, { signal, sent }: Sending): Promise<void> {
    for await (const window of windows(chunks, this.#mostAtOnce)) {
      await this.#roomFor(window.length, signal);
      while (!signal.aborted && !(await this.#send(window, false))) await pause(FULL_MS, signal);
      if (signal.aborted) return;
      for (const chunk of window) sent?.(chunk);
    }
  }

  /** Half of the bound at the most: the queue is never fuller than that, and has something left while it is filled up. */
  get #mostAtOnce(): number {
    return Math.min(WINDOW, Math.ceil(this.#parts.maxQueued / 2));
  }

  async #send(window: readonly EncodedChunk[], isOrdered: boolean): Promise<boolean> {
    const { client, names, headersOf, ensure } = this.#parts;
    const sent = await Promise.all(
      window.map((chunk) =>
        client
          .publish(names.jobSubject(chunk.partition), chunk.body, {
            headers: headersOf(chunk),
            ...(isOrdered ? { expect: { lastSequence: chunk.id } } : {}),
          })
          .then(
            () => undefined,
            (error: unknown) => ({ error }),
          ),
      ),
    );
    const failed = sent.find((one) => one !== undefined);
    if (failed === undefined) return true;
    // Nobody listens where there is no stream, or where the broker is only just starting.
    if (codeOf(failed.error) !== STREAM_FULL) await ensure().catch(() => {});
    return false;
  }

  async #roomFor(count: number, signal: AbortSignal): Promise<void> {
    const { maxQueued } = this.#parts;
    while (!signal.aborted) {
      const state = await this.#state(signal);
      if (state === undefined || state.messages + count <= maxQueued) return;
      await pause(FULL_MS, signal);
    }
  }

  /** How the stream stands; `undefined` when the signal came before the broker could say. */
  #state(signal: AbortSignal) {
    const { manager, names, ensure } = this.#parts;
    return persist(async () => (await manager.streams.info(names.jobs)).state, {
      signal,
      mend: async (error) => {
        if (isMissing(error)) await ensure();
      },
    }).catch(() => undefined);
  }
}

function forgotten(held: number, sent: number): OutputError {
  return new OutputError(
    `Cannot go on sending: the broker has forgotten chunks, it knows ${held} of ${sent}; ` +
      'while fanout collect runs, type "fanout feed --reconcile" with the same inputs to send what has no result',
  );
}

/** The first window is one chunk, so that work begins with the first chunk of a list that comes slowly. */
async function* windows(
  chunks: AsyncIterable<EncodedChunk>,
  most: number,
): AsyncGenerator<readonly EncodedChunk[]> {
  let window: EncodedChunk[] = [];
  let size = 1;
  for await (const chunk of chunks) {
    window.push(chunk);
    if (window.length < size) continue;
    yield window;
    window = [];
    size = Math.min(2 * size, most);
  }
  if (window.length > 0) yield window;
}
