import type { Result } from '../model/result.ts';
import type { Moved, Report, ThreadStatus } from './messages.ts';

/** Results that go out together; a message costs as much as some ten of them. */
const BATCH = 64;

/** How long they are gathered. */
const GATHER_MS = 2;

export interface OutboxOptions {
  readonly post: (report: Report) => void;
  readonly status: () => ThreadStatus;
  /** Results that are on their way to the outputs at most. */
  readonly window: number;
}

/** What a thread has to say, in few messages. Results that nobody takes hold it back. */
export class Outbox {
  readonly #options: OutboxOptions;
  #results: Result[] = [];
  #moved: Moved[] = [];
  #warnings: string[] = [];
  #unwritable: string | undefined;
  #untaken = 0;
  #window: number;
  #room: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#window = options.window;
  }

  /** A promise means: wait, too many results are on their way. */
  give(result: Result): Promise<void> | undefined {
    this.#results.push(result);
    this.#untaken += 1;
    if (this.#results.length >= BATCH) this.flush();
    else this.touch();
    if (this.#untaken < this.#window) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  move(moved: Moved): void {
    this.#moved.push(moved);
    this.touch();
  }

  warn(message: string): void {
    this.#warnings.push(message);
    this.touch();
  }

  cannotWrite(reason: string): void {
    this.#unwritable ??= reason;
    this.touch();
  }

  /** So many results have gone to the outputs. */
  taken(count: number): void {
    this.#untaken -= count;
    if (this.#untaken < this.#window) this.#room?.();
  }

  /** Holds nothing back any more. */
  open(): void {
    this.#window = Number.POSITIVE_INFINITY;
    this.#room?.();
  }

  /** Says in a moment how the thread stands. */
  touch(): void {
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  flush(hasEnded = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { post, status } = this.#options;
    const [results, moved, warnings] = [this.#results, this.#moved, this.#warnings];
    [this.#results, this.#moved, this.#warnings] = [[], [], []];
    post({ ...status(), results, moved, warnings, unwritable: this.#unwritable, hasEnded });
  }
}
