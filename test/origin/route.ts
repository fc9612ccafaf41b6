import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Gates } from './gates.ts';

/** What one origin remembers between requests. */
export interface OriginState {
  readonly gates: Gates;
  /** Requests seen by each key of `/flaky` and by each `/range?cut`. */
  readonly seen: Map<string, number>;
}

/** One request on its way through a route. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path segments after the name of the route, decoded. */
  readonly args: readonly string[];
  readonly query: URLSearchParams;
  readonly state: OriginState;
}

export type Route = (visit: Visit) => void;

/** Ends the answer with a text body, a known length and the status given. */
export function answer(response: ServerResponse, status: number, body: string | Buffer = ''): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  if (status !== 204 && status !== 304) response.setHeader('content-length', Buffer.byteLength(body));
  response.end(body);
}

/** Reads a whole number within bounds from a path or a query; a test that mistypes one gets a 400 that says so. */
export function whole(text: string | undefined, min: number, max: number): number {
  const value = Number(text);
  if (text === undefined || text === '' || !Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot use "${text}" here: it must be a whole number from ${min} to ${max}`);
  }
  return value;
}
