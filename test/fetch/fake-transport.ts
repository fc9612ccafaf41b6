import type { Fetcher, Step } from '../../src/fetch/fetcher.ts';
import type { RequestTask } from '../../src/fetch/request-task.ts';
import type { AttemptOutcome, AttemptRequest, OnOutcome } from '../../src/http/attempt.ts';
import type { Hop } from '../../src/http/hop.ts';
import type { Transport } from '../../src/http/transport.ts';

/** A transport in the hands of the test: it gives the outcomes that it was given, in order, and sends nothing. */
export class FakeTransport implements Transport {
  readonly requests: AttemptRequest[] = [];
  readonly #outcomes: (Partial<AttemptOutcome> | Error)[];
  readonly inFlight = 0;
  isCrowded = false;
  idleClosed = 0;
  /** URLs of the hops whose connection was closed. */
  readonly closed: string[] = [];

  /** @param outcomes one for each hop; an error makes `attempt` throw, as only a bug does */
  constructor(...outcomes: (Partial<AttemptOutcome> | Error)[]) {
    this.#outcomes = outcomes;
  }

  attempt(request: AttemptRequest, onOutcome: OnOutcome): void {
    this.requests.push(request);
    const outcome = this.#outcomes.shift();
    if (outcome === undefined) throw new Error('The test gave no outcome for this hop');
    if (outcome instanceof Error) throw outcome;
    const nothing = {
      response: undefined,
      failed: undefined,
      isStale: false,
      ttfbMs: undefined,
      durationMs: 5,
    };
    onOutcome({ ...nothing, ...outcome });
  }

  closeIdle(): void {
    this.idleClosed += 1;
  }

  closeOneIdle({ url }: Hop): void {
    this.closed.push(url);
  }

  abort(): void {}

  close(): undefined {}
}

/** Sends the next hop of a task, and resolves to what follows; rejects with a bug. */
export function stepOf(
  fetcher: Fetcher,
  task: RequestTask,
): Promise<Exclude<Step, { readonly error: unknown }>> {
  return new Promise((resolve, reject) => {
    fetcher.step(task, (step) => ('error' in step ? reject(step.error) : resolve(step)));
  });
}
