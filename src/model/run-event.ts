import { printable } from './printable.ts';

/** What `--verbose` shows of a run. URLs are without user and password. */
export type RunEvent =
  /** A request has its response, or has failed with this reason. */
  | {
      readonly kind: 'request';
      readonly method: string;
      readonly url: string;
      readonly outcome: string;
      readonly durationMs: number;
    }
  /** Another attempt follows after `delayMs`. */
  | { readonly kind: 'retry'; readonly url: string; readonly reason: string; readonly delayMs: number }
  /** The server asked for a pause. */
  | { readonly kind: 'pause'; readonly host: string; readonly pauseMs: number }
  /** The host gets fewer requests at once. */
  | { readonly kind: 'limit'; readonly host: string; readonly limit: number }
  /** The circuit breaker has opened: the host gets no requests for `pauseMs`. */
  | {
      readonly kind: 'breaker';
      readonly host: string;
      readonly pauseMs: number;
      readonly reason: string;
    }
  /** The host is given up. */
  | { readonly kind: 'down'; readonly host: string; readonly reason: string }
  /** This many threads send the requests now. */
  | { readonly kind: 'threads'; readonly count: number }
  /** The host asks for a longer wait than is allowed. */
  | { readonly kind: 'blocked'; readonly host: string; readonly reason: string };

/** Receives the events of a run. */
export interface RunLog {
  readonly write: (event: RunEvent) => void;
  /** Whether to report each request, too. */
  readonly hasRequests: boolean;
}

/** One line, without control characters. */
export function eventText(event: RunEvent): string {
  return printable(describe(event));
}

function describe(event: RunEvent): string {
  switch (event.kind) {
    case 'request':
      return `${event.method} ${event.url}: ${event.outcome} in ${Math.round(event.durationMs)}ms`;
    case 'retry':
      return `retrying ${event.url} in ${seconds(event.delayMs)}: ${event.reason}`;
    case 'pause':
      return `pausing ${event.host} for ${seconds(event.pauseMs)}, as the server asks`;
    case 'limit':
      return `limiting ${event.host} to ${event.limit} ${event.limit === 1 ? 'request' : 'requests'} at once`;
    case 'breaker':
      return `pausing ${event.host} for ${seconds(event.pauseMs)}, since its requests fail: ${event.reason}`;
    case 'threads':
      return `sending requests from ${event.count} ${event.count === 1 ? 'thread' : 'threads'} now: the program was busy, and a core idle`;
    case 'down':
    case 'blocked':
      return `giving up ${event.host}: ${event.reason}`;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`;
}
