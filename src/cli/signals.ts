export type SignalName = 'SIGINT' | 'SIGTERM';

/** How long what is under way may go on after the first signal. */
const GRACE_MS = 10_000;

/** How long the last results may take to be written after that: whoever does not read them now never will. */
const FLUSH_MS = 1_000;

/** The part of a process that tells of signals. */
export interface SignalSource {
  on(name: SignalName, listener: (name: SignalName) => void): unknown;
  off(name: SignalName, listener: (name: SignalName) => void): unknown;
}

export interface SignalHandlers {
  /** The first signal: start nothing more. */
  readonly stop: (name: SignalName) => void;
  /** The time is up: end what is under way, and write what there is. */
  readonly abort: (message: string) => void;
  /** A second signal, or results that nobody takes after the time is up: let go of everything at once. */
  readonly quit: () => void;
}

/** Watches for SIGINT and SIGTERM while a run goes on. */
export class Signals {
  readonly #source: SignalSource;
  readonly #handlers: SignalHandlers;
  #first: SignalName | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: SignalSource, handlers: SignalHandlers) {
    this.#source = source;
    this.#handlers = handlers;
    source.on('SIGINT', this.#receive);
    source.on('SIGTERM', this.#receive);
  }

  /** The first signal that came. */
  get received(): SignalName | undefined {
    return this.#first;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#source.off('SIGINT', this.#receive);
    this.#source.off('SIGTERM', this.#receive);
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
      this.#timer = setTimeout(this.#handlers.quit, FLUSH_MS);
    }, GRACE_MS);
    this.#handlers.stop(name);
  };
}
