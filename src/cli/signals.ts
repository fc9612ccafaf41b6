/** How long requests in flight may take after the first signal. */
const GRACE_MS = 10_000;

/** How long writing the last results may take after that. A reader that has not read them by then never will. */
const FLUSH_MS = 1_000;

export type SignalName = 'SIGINT' | 'SIGTERM';

/** The part of a process that reports signals. */
export interface SignalSource {
  on(name: SignalName, listener: (name: SignalName) => void): unknown;
  off(name: SignalName, listener: (name: SignalName) => void): unknown;
}

export interface SignalHandlers {
  /** Called at the first signal: start nothing more. */
  readonly stop: (name: SignalName) => void;
  /** Called after the grace time or at a second signal: end the requests in flight, and write what there is. */
  readonly abort: (message: string) => void;
  /** Called at a second signal, or when results are still unwritten after the flush time: release the outputs at once. */
  readonly quit: () => void;
}

/** Watches for SIGINT and SIGTERM until it is closed. */
export class Signals {
  readonly #source: SignalSource;
  readonly #handlers: SignalHandlers;
  #first: SignalName | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: SignalSource, handlers: SignalHandlers) {
    this.#source = source;
    this.#handlers = handlers;
    source.on('SIGINT', this.#onSignal);
    source.on('SIGTERM', this.#onSignal);
  }

  /** The first signal that was received. */
  get received(): SignalName | undefined {
    return this.#first;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#source.off('SIGINT', this.#onSignal);
    this.#source.off('SIGTERM', this.#onSignal);
  }

  readonly #onSignal = (name: SignalName): void => {
    if (this.#first !== undefined) {
      this.#handlers.abort(`ended by a second signal, ${name}`);
      this.#handlers.quit();
      return;
    }
    this.#first = name;
    this.#timer = setTimeout(() => {
      this.#handlers.abort(`not finished ${GRACE_MS / 1000}s after ${name}`);
      this.#timer = setTimeout(this.#handlers.quit, FLUSH_MS);
    }, GRACE_MS);
    this.#handlers.stop(name);
  };
}
