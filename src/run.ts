import { judgeOptionsOf, policyOf } from './config/fetch-policy.ts';
import type { RunOptions } from './config/run-options.ts';
import { Engine } from './engine.ts';
import { Fetcher } from './fetcher.ts';
import { Hosts } from './hosts/hosts.ts';
import { AnswerJudge } from './http/answer-judge.ts';
import { AttemptError } from './http/attempt-error.ts';
import type { RequestDefaults } from './http/hop.ts';
import { failedResult } from './http/results.ts';
import type { Task } from './http/task.ts';
import { KeepingFetcher } from './keeping-fetcher.ts';
import type { OutputError } from './model/errors.ts';
import type { Job } from './model/job.ts';
import type { Result } from './model/result.ts';
import { failsRun } from './model/verdict.ts';
import { openBodies } from './open-bodies.ts';
import { type Network, type NetworkParts, openNetwork, socketsOf } from './open-network.ts';
import { Lanes } from './queue/lanes.ts';
import { tasksOf } from './tasks-of.ts';

export interface RunParts extends NetworkParts {
  readonly defaults: RequestDefaults;
  readonly jobs: AsyncIterable<Iterable<Job>>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called once, when the run is stopped before its end: nothing more is read. */
  readonly onStop?: () => void;
  /** Waited for between the last result and the end of the results, when all counts are final. */
  readonly settle?: () => Promise<void>;
  /** The result that an earlier run has given for a job and its request; asked once for each job, in their order. */
  readonly recall?: (job: Job, method: string, body: string | Uint8Array | undefined) => Result | undefined;
  /** Adds to each result what earlier runs say of its URL, once for each. */
  readonly judge?: (result: Result) => Result;
  /** Holds a job back before it enters the queue. */
  readonly admit?: (job: Job) => Promise<void> | undefined;
}

/** One run over a list: the engine with the HTTP side as its work. What the program and the library have in common. */
export class Run {
  readonly #parts: RunParts;
  readonly #network: Network;
  readonly #hosts: Hosts;
  readonly #engine: Engine<Task, Result>;
  #cancelDeadline: (() => void) | undefined;
  #failures = 0;
  #isStopped = false;
  #outputError: OutputError | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { clock, random, admit, recall } = parts;
    const sockets = socketsOf(parts);
    const options = { ...parts.options, concurrency: sockets.workers };
    const judge = new AnswerJudge(judgeOptionsOf(options));
    const bodies = openBodies(options, judge, (error) => this.#onUnwritable(error));
    const network = openNetwork({ ...parts, options }, sockets);
    this.#network = network;
    this.#hosts = hostsOf(options);
    const lanes = new Lanes<Task>({ capacity: options.queue, clock, gate: this.#hosts });
    const fetcher = new Fetcher({
      agent: network.agent,
      hosts: this.#hosts,
      policy: policyOf(options),
      judge,
      proxies: network.proxies,
      hasMore: (lane) => lanes.hasMore(lane),
      now: clock.now,
      random,
    });
    const keeping = bodies === undefined ? fetcher : new KeepingFetcher(fetcher, bodies);
    this.#engine = new Engine<Task, Result>({
      jobs: tasksOf(parts.jobs, parts.defaults, options),
      lanes,
      concurrency: options.concurrency,
      laneOf: (task) => task.lane,
      work: (task) => keeping.step(task),
      crashed: (task, error) => failedResult(task, { kind: 'internal', message: describe(error) }),
      known:
        recall === undefined
          ? undefined
          : ({ job, method }) => recall(job, method, job.body ?? parts.defaults.body),
      admit: admit === undefined ? undefined : (task) => admit(task.job),
      finish: (result) => this.#finish(result),
      settle: () => this.#settle(),
      onEnd: () => this.#close(),
    });
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#network.agent.inFlight;
  }

  /** How many starts had to wait, since the machine was short of descriptors, memory or ports. */
  get shortages(): number {
    return this.#hosts.shortages;
  }

  /** Hosts that are remembered, and those of them that get nothing for now. */
  hosts(): { readonly known: number; readonly parked: number } {
    return { known: this.#hosts.size, parked: this.#hosts.countParked(this.#parts.clock.now()) };
  }

  /** Jobs that were read and have no result, because the run was stopped. */
  get notFetched(): number {
    return this.#engine.notFetched;
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
    return this.#engine.results();
  }

  /** Reads and starts nothing more; what is under way is finished. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#engine.stop();
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
    this.#network.agent.abort(reason);
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

  #close(): void {
    this.#cancelDeadline?.();
    this.#network.close(new AttemptError('aborted', undefined, 'the run has ended'));
  }
}

function hostsOf(options: RunOptions): Hosts {
  return new Hosts({
    perHost: options.perHost ?? options.concurrency,
    concurrency: options.concurrency,
    perMs: options.hostRate?.perMs ?? Number.POSITIVE_INFINITY,
    totalPerMs: options.rate?.perMs ?? Number.POSITIVE_INFINITY,
    breaker: options.breaker,
    window: options.queue + options.concurrency,
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
