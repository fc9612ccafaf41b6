import type { QueueEngine } from './queue-engine.ts';
import { COMPLETE_KEY } from './run-end.ts';

/** Looks after a worker for whom no chunk comes: it may be all over, or the broker has lost sight of something. */
export class IdleWatch {
  readonly #engine: QueueEngine;
  readonly #now: () => number;
  #heardAt: number;

  constructor(engine: QueueEngine, now: () => number) {
    this.#engine = engine;
    this.#now = now;
    this.#heardAt = now();
  }

  /** A chunk has come. */
  heard(): void {
    this.#heardAt = this.#now();
  }

  /** Whether the run is complete. A worker that is not busy and has long had nothing makes the broker look for what it lost. */
  async isOver(isBusy: boolean): Promise<boolean> {
    if ((await this.#engine.state(COMPLETE_KEY)) === true) return true;
    if (isBusy || this.#now() - this.#heardAt < 3 * this.#engine.settings.ackWaitMs) return false;
    this.heard();
    await this.#engine.adoptOrphans().catch(() => false);
    return false;
  }
}
