import { judgeOptionsOf, policyOf } from './config/fetch-policy.ts';
import type { RunOptions } from './config/run-options.ts';
import { Fetcher, type Step } from './fetcher.ts';
import { Hosts } from './hosts/hosts.ts';
import type { TotalPace } from './hosts/pace.ts';
import { AnswerJudge } from './http/answer-judge.ts';
import type { SocketBudget } from './http/socket-budget.ts';
import type { Task } from './http/task.ts';
import { KeepingFetcher } from './keeping-fetcher.ts';
import type { OutputError } from './model/errors.ts';
import { openBodies } from './open-bodies.ts';
import { type Network, type NetworkParts, openNetwork } from './open-network.ts';
import { Lanes } from './queue/lanes.ts';

export interface OpenFetchingParts extends NetworkParts {
  /** What there is room for; its workers are the number of workers. */
  readonly sockets: SocketBudget;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called when no body can be saved any more. */
  readonly onUnwritable: (error: OutputError) => void;
  /** Jobs that the queue holds; `queue` of the options if left out. */
  readonly capacity?: number;
  /** Keeps the queue from ending. */
  readonly isHeld?: () => boolean;
  /** The pace of the requests to all hosts; of its own if left out. */
  readonly pace?: TotalPace | undefined;
}

/** The queue of a run, what is known of its hosts, and what sends its requests. */
export interface OpenFetching {
  readonly lanes: Lanes<Task>;
  readonly hosts: Hosts;
  readonly network: Network;
  readonly step: (task: Task) => Promise<Step>;
}

/** Puts queue, hosts, network and bodies together as the options say. Throws an `OutputError` when no body can be saved. */
export function openFetching(parts: OpenFetchingParts): OpenFetching {
  const { sockets, clock, random, onUnwritable, isHeld, pace } = parts;
  const options = { ...parts.options, concurrency: sockets.workers };
  const judge = new AnswerJudge(judgeOptionsOf(options));
  const bodies = openBodies(options, judge, onUnwritable);
  const network = openNetwork({ ...parts, options }, sockets);
  const hosts = hostsOf(options, pace);
  const { capacity = options.queue } = parts;
  const lanes = new Lanes<Task>({ capacity, clock, gate: hosts, ...(isHeld && { isHeld }) });
  const fetcher = new Fetcher({
    agent: network.agent,
    hosts,
    policy: policyOf(options),
    judge,
    proxies: network.proxies,
    hasMore: (lane) => lanes.hasMore(lane),
    now: clock.now,
    random,
  });
  const keeping = bodies === undefined ? fetcher : new KeepingFetcher(fetcher, bodies);
  return { lanes, hosts, network, step: (task) => keeping.step(task) };
}

function hostsOf(options: RunOptions, pace: TotalPace | undefined): Hosts {
  return new Hosts({
    perHost: options.perHost ?? options.concurrency,
    concurrency: options.concurrency,
    perMs: options.hostRate?.perMs ?? Number.POSITIVE_INFINITY,
    totalPerMs: options.rate?.perMs ?? Number.POSITIVE_INFINITY,
    pace,
    breaker: options.breaker,
    window: options.queue + options.concurrency,
  });
}
