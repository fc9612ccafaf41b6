import type { ChunkInHand } from './chunk-in-hand.ts';
import type { QueueEngine } from './queue-engine.ts';

export interface LeasesParts {
  readonly engine: QueueEngine;
  readonly now: () => number;
  /** What is under way here. */
  readonly chunks: () => Iterable<ChunkInHand>;
  /** Told of chunks that others may be at by now. */
  readonly lost: (chunks: readonly ChunkInHand[]) => void;
}

/**
 * Asks the broker for more time while chunks are under way, and notices when it came too late: then the chunk is in other
 * hands, and with partitions no two workers may be at one host.
 * - A process that was stopped for longer than the broker waits has lost what it had.
 * - With partitions, so has one whose word did not reach the broker for so long; without, its results are still of use.
 */
export class Leases {
  readonly #parts: LeasesParts;
  #timer: NodeJS.Timeout | undefined;
  #lookedAt: number;
  #wokeAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#lookedAt = parts.now();
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#giveUp();
      this.extend();
    }, this.#parts.engine.settings.ackWaitMs / 3);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks for more time for all that is under way. What the broker has heard counts from when it was said. */
  extend(): void {
    const { engine, chunks } = this.#parts;
    const saidAt = this.#look();
    const extended = [...chunks()];
    if (extended.length === 0) return;
    for (const { delivery } of extended) delivery.extend();
    const hold = (): void => {
      for (const chunk of extended) chunk.heldFrom = Math.max(chunk.heldFrom, saidAt);
    };
    engine.heard().then(hold, () => {}); // it is away, and did not hear it
  }

  /** Whether what was asked for at this time may still be ours. */
  isFresh(askedAt: number): boolean {
    this.#look();
    return askedAt >= this.#wokeAt;
  }

  #giveUp(): void {
    const { engine, chunks, lost } = this.#parts;
    const { partitions, ackWaitMs } = engine.settings;
    const now = this.#look();
    const isShared = partitions > 1;
    const late = [...chunks()].filter(
      ({ heldFrom, isFetched }) =>
        !isFetched && (heldFrom < this.#wokeAt || (isShared && now - heldFrom > ackWaitMs)),
    );
    if (late.length > 0) lost(late);
  }

  /** Notices that the process did not run. */
  #look(): number {
    const now = this.#parts.now();
    if (now - this.#lookedAt > this.#parts.engine.settings.ackWaitMs) this.#wokeAt = now;
    this.#lookedAt = now;
    return now;
  }
}
