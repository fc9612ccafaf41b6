import { ACCEPT_ENCODING } from '../bodies/decompress.ts';
import { NameConflicts } from '../bodies/name-conflicts.ts';
import type { RunOptions } from '../config/run-options.ts';
import { Pipeline } from '../core/pipeline.ts';
import type { RequestDefaults } from '../http/hop.ts';
import { AttemptError } from '../http/network-errors.ts';
import { KeySet } from '../input/hash-set.ts';
import type { OutputError } from '../model/errors.ts';
import type { Job } from '../model/job.ts';
import { failsRun, type Result } from '../model/result.ts';
import { RequestTask } from './request-task.ts';
import { createRunContext, type NetworkParts, type RunContext, socketsOf } from './run-context.ts';
import { crashedResult } from './task-result.ts';

/** The tasks of a run, batch by batch, each made when it is asked for. */
async function* createTasks(
  jobs: AsyncIterable<Iterable<Job>>,
  defaults: RequestDefaults,
  options: RunOptions,
): AsyncGenerator<Iterable<RequestTask>> {
  const common = withCommonHeaders(defaults, options);
  for await (const batch of rejectNameConflicts(jobs, options)) yield tasksIn(batch, common);
}

/** The jobs of a run; one that asks for the file of another URL is invalid. */
export async function* rejectNameConflicts(
  jobs: AsyncIterable<Iterable<Job>>,
  { method, saveDir }: RunOptions,
): AsyncGenerator<Iterable<Job>> {
  const claims = saveDir === undefined ? undefined : new NameConflicts(() => new KeySet(), method);
  for await (const batch of jobs) yield claims?.check(batch) ?? batch;
}

function* tasksIn(jobs: Iterable<Job>, defaults: RequestDefaults): Generator<RequestTask> {
  for (const job of jobs) yield new RequestTask(job, defaults);
}

/** What is sent for a job that does not say otherwise, with the headers that every request has. */
export function withCommonHeaders(defaults: RequestDefaults, { decompress }: RunOptions): RequestDefaults {
  const coding = decompress ? { 'accept-encoding': ACCEPT_ENCODING } : {};
  return { ...defaults, headers: { accept: '*/*', ...coding, ...defaults.headers } };
}

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
  /** Whether somebody still waits for the result of a job; one for which nobody does is fetched no further. In one thread alone. */
  readonly isWanted?: (job: Job) => boolean;
  /** Holds a job back before it enters the queue. */
  readonly admit?: (job: Job) => Promise<void> | undefined;
  /** What fetches the jobs; this thread by itself if left out. */
  readonly fetching?: BackendFactory;
}

/** Makes what fetches the jobs of a run. Throws an `OutputError` when no body can be saved. */
export type BackendFactory = (parts: RunParts, hooks: BackendEvents) => FetchBackend;

/** What fetches the jobs of a run, and gives their results. */
export interface FetchBackend {
  readonly inFlight: number;
  readonly shortages: number;
  readonly notFetched: number;
  hosts(): HostCounts;
  /** Runs it all; to be iterated once. Leaving early ends it. */
  results(): AsyncGenerator<Result, void, void>;
  /** Drops what waits and is wanted no more, where `isWanted` is asked. */
  weed?(): void;
  /** Reads and starts nothing more. */
  stop(): void;
  /** Ends what is under way. */
  abort(reason: AttemptError): void;
}

/** What a run has to say to that. */
export interface BackendEvents {
  /** Given each result as soon as it is there; what it returns is the result. */
  readonly finish: (result: Result) => Result;
  /** Waited for between the last result and the end of the results. */
  readonly settle: () => Promise<void>;
  /** Called when all is over. */
  readonly end: () => void;
  /** Called when no body can be saved any more. */
  readonly unwritable: (error: OutputError) => void;
}

/** Hosts that are remembered, and those of them that get nothing for now. */
export interface HostCounts {
  readonly known: number;
  readonly parked: number;
}

/** Fetches in this thread: the engine with the HTTP side as its work. */
class SingleThreadBackend implements FetchBackend {
  readonly #parts: RunParts;
  readonly #open: RunContext;
  readonly #engine: Pipeline<RequestTask, Result>;

  constructor(parts: RunParts, { finish, settle, end, unwritable }: BackendEvents) {
    this.#parts = parts;
    const { admit, recall, isWanted } = parts;
    const sockets = socketsOf(parts);
    const open = createRunContext({ ...parts, sockets, onUnwritable: unwritable });
    this.#open = open;
    this.#engine = new Pipeline<RequestTask, Result>({
      jobs: createTasks(parts.jobs, parts.defaults, parts.options),
      lanes: open.lanes,
      concurrency: sockets.workers,
      laneOf: (task) => task.lane,
      work: open.step,
      crashed: crashedResult,
      known:
        recall === undefined
          ? undefined
          : ({ job, method }) => recall(job, method, job.body ?? parts.defaults.body),
      isWanted: isWanted === undefined ? undefined : (task) => isWanted(task.job),
      admit: admit === undefined ? undefined : (task) => admit(task.job),
      finish,
      settle,
      onEnd: () => {
        end();
        open.network.close(new AttemptError('aborted', undefined, 'the run has ended'));
      },
    });
  }

  get inFlight(): number {
    return this.#open.network.agent.inFlight;
  }

  get shortages(): number {
    return this.#open.hosts.shortages;
  }

  get notFetched(): number {
    return this.#engine.notFetched;
  }

  hosts(): HostCounts {
    const { hosts } = this.#open;
    return { known: hosts.size, parked: hosts.countParked(this.#parts.clock.now()) };
  }

  results(): AsyncGenerator<Result, void, void> {
    return this.#engine.results();
  }

  weed(): void {
    this.#engine.weed();
  }

  stop(): void {
    this.#engine.stop();
  }

  abort(reason: AttemptError): void {
    this.#open.network.agent.abort(reason);
  }
}

/** One run over a list: what fetches it, and what ends it. What the program and the library have in common. */
export class Run {
  readonly #parts: RunParts;
  readonly #fetching: FetchBackend;
  #cancelDeadline: (() => void) | undefined;
  #failures = 0;
  #isStopped = false;
  #outputError: OutputError | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const make = parts.fetching ?? ((...args) => new SingleThreadBackend(...args));
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
