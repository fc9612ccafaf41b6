export type SignalName = 'SIGINT' | 'SIGTERM';

/** How long what is under way may go on after the first signal. */
const GRACE_MS = 10_000;

export interface SignalHandlers {
  /** The first signal: start nothing more. */
  readonly stop: (name: SignalName) => void;
  /** The time is up: end what is under way, and write what there is. */
  readonly abort: (message: string) => void;
  /** A second signal: let go of everything at once. */
  readonly quit: () => void;
}

/** Watches for SIGINT and SIGTERM while a run goes on. */
export class Signals {
  readonly #process: NodeJS.Process;
  readonly #handlers: SignalHandlers;
  #first: SignalName | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(process: NodeJS.Process, handlers: SignalHandlers) {
    this.#process = process;
    this.#handlers = handlers;
    process.on('SIGINT', this.#receive);
    process.on('SIGTERM', this.#receive);
  }

  /** The first signal that came. */
  get received(): SignalName | undefined {
    return this.#first;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#process.off('SIGINT', this.#receive);
    this.#process.off('SIGTERM', this.#receive);
  }

  readonly #receive = (name: SignalName): void => {
    if (this.#first !== undefined) {
      this.#handlers.abort(`ended by a second signal, ${name}`);
      this.#handlers.quit();
      return;
    }
    this.#first = name;
    this.#timer = setTimeout(() => {
      this.#handlers.abort(`not finished ${GRACE_MS / 1000}s after ${name}`);
    }, GRACE_MS);
    this.#handlers.stop(name);
  };
}
