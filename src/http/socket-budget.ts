/** What Node, inputs, outputs, the journal and the name servers may need beside the connections to hosts. */
export const RESERVE = 64;
const MAX_IDLE = 256;

export interface SocketNeeds {
  /** Workers that are wanted. */
  readonly workers: number;
  /** Files that each of them may have open beside its connection. */
  readonly filesEach: number;
  /** Files and sockets that the process may have open; `undefined` when nothing is known. */
  readonly fileLimit: number | undefined;
}

/** How many connections there may be. */
export interface SocketBudget {
  /** Workers for which there is room, above 0. */
  readonly workers: number;
  /** Connections that are kept open without a request, over all hosts. */
  readonly maxIdle: number;
  /** Connections, those in use and those kept. */
  readonly maxOpen: number;
  /** The limit that has room for all that is wanted. */
  readonly wantedLimit: number;
}

/** Divides the files that a process may have open. Workers come first, idle connections get what they leave. */
export function socketBudget({ workers, filesEach, fileLimit }: SocketNeeds): SocketBudget {
  const maxIdle = Math.max(MAX_IDLE, workers);
  const wantedLimit = RESERVE + workers * (1 + filesEach) + maxIdle;
  if (fileLimit === undefined) return { workers, maxIdle, maxOpen: Number.POSITIVE_INFINITY, wantedLimit };
  const room = Math.max(1 + filesEach, fileLimit - RESERVE);
  const fitting = Math.min(workers, Math.floor(room / (1 + filesEach)));
  return { workers: fitting, maxIdle, maxOpen: room - fitting * filesEach, wantedLimit };
}
