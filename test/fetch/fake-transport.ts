import type { AttemptOutcome, AttemptRequest } from '../../src/http/attempt.ts';
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

  /** @param outcomes one for each hop; an error makes `attempt` reject, as only a bug does */
  constructor(...outcomes: (Partial<AttemptOutcome> | Error)[]) {
    this.#outcomes = outcomes;
  }

  async attempt(request: AttemptRequest): Promise<AttemptOutcome> {
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
    return { ...nothing, ...outcome };
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
