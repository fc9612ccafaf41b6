import { readFileSync } from 'node:fs';

// What a process may use of its machine: descriptors and cores.

/** How many files and sockets this process may have open, as Linux says it; elsewhere nothing is known. */
export function readFileLimit(path = '/proc/self/limits'): number | undefined {
  try {
    const soft = /^Max open files +(\d+) /m.exec(readFileSync(path, 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Files that a process may have open on any system; a run that needs no more asks no further. */
const ALWAYS_ALLOWED = 256;

type ProcessReport = NodeJS.ProcessReport & { excludeNetwork?: boolean };

/**
 * How many files and sockets this process may have open, if the system tells and it can matter to `wanted` of them.
 * Where there is no /proc Node's diagnostic report knows it, which takes some milliseconds.
 */
export function fileLimit(given: NodeJS.ProcessReport | undefined, wanted: number): number | undefined {
  const known = readFileLimit();
  if (known !== undefined || wanted <= ALWAYS_ALLOWED) return known;
  const report = given as ProcessReport | undefined; // Node's types of version 20 lack `excludeNetwork`
  if (report === undefined) return undefined;
  report.excludeNetwork = true; // it would look up the names of all peers
  return limitIn(report.getReport());
}

/** The soft limit of open files in a diagnostic report; Windows has none. */
export function limitIn(report: object): number | undefined {
  const { userLimits } = report as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : undefined;
}

/** Descriptors for Node, inputs, outputs, the journal and name servers, beside the connections to hosts. */
export const RESERVED_DESCRIPTORS = 64;
/** Idle connections: enough for the hosts of a list that is in random order, and as many as the file limit should allow. */
const MAX_IDLE = 2_048;
const WANTED_IDLE = 256;

interface SocketNeeds {
  /** Wanted workers. */
  readonly workers: number;
  /** Files that each worker may have open beside its connection. */
  readonly filesEach: number;
  /** Files and sockets that the process may have open; `undefined` if unknown. */
  readonly fileLimit: number | undefined;
}

/** How many connections a run may have, or one of its threads. */
export interface SocketBudget {
  /** Workers that fit, at least 1. */
  readonly workers: number;
  /** Connections without a request, over all hosts. */
  readonly maxIdle: number;
  /** Connections with and without a request. */
  readonly maxOpen: number;
  /** Threads that look names up, each with its share of the lookups. */
  readonly threads: number;
  /** The file limit at which everything would fit. */
  readonly wantedLimit: number;
}

/** Divides the descriptors of the process: workers first, the rest for idle connections. */
export function divideSockets({ workers, filesEach, fileLimit }: SocketNeeds): SocketBudget {
  const maxIdle = Math.max(MAX_IDLE, workers);
  const wantedLimit = RESERVED_DESCRIPTORS + workers * (1 + filesEach) + Math.max(WANTED_IDLE, workers);
  const rest = { maxIdle, wantedLimit, threads: 1 };
  if (fileLimit === undefined) return { ...rest, workers, maxOpen: Number.POSITIVE_INFINITY };
  const room = Math.max(1 + filesEach, fileLimit - RESERVED_DESCRIPTORS);
  const fitting = Math.min(workers, Math.floor(room / (1 + filesEach)));
  return { ...rest, workers: fitting, maxOpen: room - fitting * filesEach };
}

/** Descriptors of a thread, for its event loop and its name servers. */
const DESCRIPTORS_PER_THREAD = 8;

/** The share of each of several threads that have about as many connections in use. */
export function shareSockets({ maxIdle, maxOpen, ...rest }: SocketBudget, threads: number): SocketBudget {
  return {
    ...rest,
    threads,
    maxIdle: Math.ceil(maxIdle / threads),
    maxOpen: Math.max(1, Math.floor(maxOpen / threads) - DESCRIPTORS_PER_THREAD),
  };
}

/** A loop that is busy for this share of the time cannot do more. */
const BUSY = 0.9;

/** Less than a whole core, since something always runs. */
const IDLE_CORES = 0.75;

/** Times in a row that there must be a reason for a thread: a short peak is none. */
const SAMPLES = 2;

/** Tells when another thread would help: those there are have been busy for a while, and a core has been idle. */
export class ThreadNeed {
  #samples = 0;

  /** To be called at regular times with the load since the last call. `busyShare` is that of the thread with the least to do. */
  update(busyShare: number, idleCores: number): boolean {
    this.#samples = busyShare >= BUSY && idleCores >= IDLE_CORES ? this.#samples + 1 : 0;
    if (this.#samples < SAMPLES) return false;
    this.#samples = 0;
    return true;
  }
}
