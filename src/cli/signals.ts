/** How long requests in flight may take after the first signal, if unset. */
const GRACE_MS = 10_000;

/** How long the end may take after they were aborted. A reader that has not read the last results by then never will. */
const FLUSH_MS = 1_000;

/** How often, and after how long, a run that was ended while it opened its files looks for one more. */
const UNDO_TURNS = 20;
const UNDO_TURN_MS = 25;

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
  /** Called at a third signal, or when results are still unwritten after the flush time: release the outputs at once. */
  readonly quit: () => void;
}

/** The steps that leave all files as they were, for a run that does not start. */
export class Undo {
  readonly #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Takes the steps, the last one first. Does nothing the next time. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

/**
 * Handles signals before a run starts: closes and removes what was opened so far, and then lets the signal end the process.
 * Opening may take long, for example if it is a pipe without a reader. Close this when the run has its own handlers.
 */
export class UndoOnSignal {
  readonly #process: SignalSource & Pick<NodeJS.Process, 'kill' | 'pid'>;
  readonly #undo: Undo;

  constructor(process: SignalSource & Pick<NodeJS.Process, 'kill' | 'pid'>, undo: Undo) {
    this.#process = process;
    this.#undo = undo;
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  close(): void {
    this.#process.off('SIGINT', this.#onSignal);
    this.#process.off('SIGTERM', this.#onSignal);
  }

  readonly #onSignal = (name: SignalName): void => {
    this.close(); // another signal ends the process at once
    const end = () => this.#process.kill(this.#process.pid, name);
    this.#undoAll().then(end, end);
  };

  async #undoAll(): Promise<void> {
    // Opening goes on meanwhile: a file may have been created, and its step not added yet. What never opens is not waited for.
    for (let turn = 0; turn < UNDO_TURNS; turn += 1) {
      await this.#undo.run();
      await new Promise((resolve) => setTimeout(resolve, UNDO_TURN_MS));
    }
    await this.#undo.run();
  }
}

/** Watches for SIGINT and SIGTERM until it is closed. */
export class Signals {
  readonly #source: SignalSource;
  readonly #handlers: SignalHandlers;
  readonly #graceMs: number;
  #first: SignalName | undefined;
  #isAborted = false;
  #timer: NodeJS.Timeout | undefined;

  /** `graceMs` is how long requests in flight may take after the first signal. */
  constructor(source: SignalSource, handlers: SignalHandlers, graceMs = GRACE_MS) {
    this.#source = source;
    this.#handlers = handlers;
    this.#graceMs = graceMs;
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
    clearTimeout(this.#timer);
    if (this.#isAborted) {
      this.#handlers.quit();
    } else if (this.#first !== undefined) {
      this.#abort(`ended by a second signal, ${name}`);
    } else {
      this.#first = name;
      this.#timer = setTimeout(
        () => this.#abort(`not finished ${this.#graceMs / 1000}s after ${name}`),
        this.#graceMs,
      );
      this.#handlers.stop(name);
    }
  };

  #abort(message: string): void {
    this.#isAborted = true;
    this.#timer = setTimeout(this.#handlers.quit, FLUSH_MS);
    this.#handlers.abort(message);
  }
}

/** What `fanout fetch` says at the first signal. `inFlight` is `undefined` if the number of requests is not known yet. */
export function interruptedText(name: SignalName, inFlight: number | undefined): string {
  const [what, again] =
    name === 'SIGINT' ? ['interrupted', 'press Ctrl-C again'] : ['terminated', 'send the signal again'];
  if (inFlight === 0) return what;
  const requests =
    inFlight === undefined ? 'the requests in flight' : inFlight === 1 ? '1 request' : `${inFlight} requests`;
  return `${what}: finishing ${requests} (${GRACE_MS / 1000}s at most); ${again} to quit now`;
}
