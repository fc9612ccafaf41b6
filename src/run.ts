import type { Fetching, HostCounts, RunParts } from './fetching.ts';
import { AttemptError } from './http/attempt-error.ts';
import { LocalFetching } from './local-fetching.ts';
import type { OutputError } from './model/errors.ts';
import type { Result } from './model/result.ts';
import { failsRun } from './model/verdict.ts';

/** One run over a list: what fetches it, and what ends it. What the program and the library have in common. */
export class Run {
  readonly #parts: RunParts;
  readonly #fetching: Fetching;
  #cancelDeadline: (() => void) | undefined;
  #failures = 0;
  #isStopped = false;
  #outputError: OutputError | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const make = parts.fetching ?? ((...args) => new LocalFetching(...args));
    this.#fetching = make(parts, {
      finish: (result) => this.#finish(result),
      settle: () => this.#settle(),
      end: () => this.#cancelDeadline?.(),
      unwritable: (error) => this.#onUnwritable(error),
    });
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#fetching.inFlight;
  }

  /** How many starts had to wait, since the machine was short of descriptors, memory or ports. */
  get shortages(): number {
    return this.#fetching.shortages;
  }

  /** Hosts that are remembered, and those of them that get nothing for now. */
  hosts(): HostCounts {
    return this.#fetching.hosts();
  }

  /** Jobs that were read and have no result, because the run was stopped or nobody wanted them any more. */
  get notFetched(): number {
    return this.#fetching.notFetched;
  }

  /** Whether the run was ended before its list was. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The results as they come; to be iterated once. Leaving early aborts the run. */
  results(): AsyncGenerator<Result, void, void> {
    const { clock, options } = this.#parts;
    const { deadline } = options;
    if (deadline !== undefined) this.#cancelDeadline = clock.after(deadline, () => this.expire(deadline));
    return this.#fetching.results();
  }

  /** Drops what waits and is wanted no more. */
  weed(): void {
    this.#fetching.weed?.();
  }

  /** Reads and starts nothing more; what is under way is finished. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#fetching.stop();
    this.#parts.onStop?.();
  }

  /** Stops, and ends what is under way: it fails with kind `aborted`. */
  abort(message: string): void {
    this.#end(new AttemptError('aborted', undefined, message));
  }

  /** Stops, and ends what is under way: the time for the run, so many ms, is up. */
  expire(deadlineMs: number): void {
    this.#end(
      new AttemptError('timeout', 'ERR_DEADLINE', `the deadline of the run, ${deadlineMs}ms, has come`),
    );
  }

  #end(reason: AttemptError): void {
    this.stop();
    this.#fetching.abort(reason);
  }

  /** The result as it stands after the judgement of the caller; stops the run when that is one failure too many. */
  #finish(result: Result): Result {
    const judged = this.#parts.judge?.(result) ?? result;
    if (!failsRun(judged)) return judged;
    const { failFast, maxFailures } = this.#parts.options;
    this.#failures += 1;
    if (failFast || this.#failures === maxFailures) this.stop();
    return judged;
  }

  /** No body can be saved any more: what is under way is finished, and then the results end in this error. */
  #onUnwritable(error: OutputError): void {
    this.#outputError ??= error;
    this.stop();
  }

  async #settle(): Promise<void> {
    await this.#parts.settle?.();
    if (this.#outputError !== undefined) throw this.#outputError;
  }
}
