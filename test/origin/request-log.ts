import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Tally } from './tally.ts';

export interface LoggedRequest {
  readonly method: string;
  /** The request target as it was sent, with its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** What an origin has received: counts, requests in flight, and the last `limit` requests. */
export class RequestLog {
  readonly entries: LoggedRequest[] = [];
  readonly #limit: number;
  readonly #hits = new Map<string, number>();
  readonly #received = new Tally();
  #inFlight = 0;
  #maxInFlight = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get total(): number {
    return this.#received.count;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get maxInFlight(): number {
    return this.#maxInFlight;
  }

  received(count: number): Promise<void> {
    return this.#received.reached(count);
  }

  hits(path: string): number {
    if (this.#limit === 0) throw new Error(`Cannot count "${path}": this origin was started with logLimit 0`);
    return this.#hits.get(path) ?? 0;
  }

  /** Notes one request; it is in flight until its answer is whole or its connection is gone. */
  take(request: IncomingMessage, response: ServerResponse): void {
    this.#maxInFlight = Math.max(this.#maxInFlight, ++this.#inFlight);
    response.once('close', () => this.#inFlight--);
    if (this.#limit > 0) this.#keep(request);
    this.#received.add();
  }

  #keep(request: IncomingMessage): void {
    const path = request.url ?? '/';
    const [bare = path] = path.split('?', 1);
    this.#hits.set(bare, (this.#hits.get(bare) ?? 0) + 1);
    if (path !== bare) this.#hits.set(path, (this.#hits.get(path) ?? 0) + 1);
    this.entries.push({ method: request.method ?? '', path, headers: request.headers });
    if (this.entries.length > this.#limit) this.entries.shift();
  }
}
