import { ACCEPT_ENCODING } from './bodies/decoder.ts';
import type { RunOptions } from './config/run-options.ts';
import type { TlsMaterial } from './config/tls-material.ts';
import { Engine } from './engine.ts';
import { Fetcher } from './fetcher.ts';
import { Hosts } from './hosts/hosts.ts';
import { Agent } from './http/agent.ts';
import { AttemptError } from './http/attempt-error.ts';
import { Dialer } from './http/dialer.ts';
import type { RequestDefaults } from './http/hop.ts';
import { openResolver } from './http/open-resolver.ts';
import type { Resolver } from './http/resolver.ts';
import { failedResult } from './http/results.ts';
import { Secure } from './http/secure.ts';
import { Task } from './http/task.ts';
import type { Job } from './model/job.ts';
import type { Result } from './model/result.ts';
import { failsRun } from './model/verdict.ts';
import type { Clock } from './queue/clock.ts';
import { Lanes } from './queue/lanes.ts';

const MAX_IDLE_CONNECTIONS = 256;

export interface RunParts {
  readonly options: RunOptions;
  readonly defaults: RequestDefaults;
  readonly tls: TlsMaterial;
  readonly jobs: AsyncIterable<Iterable<Job>>;
  /** Its `now` counts from the epoch. */
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called once, when the run is stopped before its end: nothing more is read. */
  readonly onStop?: () => void;
  /** Told, in one line for people, what concerns the whole run. */
  readonly warn?: (message: string) => void;
  /** Waited for between the last result and the end of the results, when all counts are final. */
  readonly settle?: () => Promise<void>;
  /** Adds to each result what earlier runs say of its URL, once for each. */
  readonly judge?: (result: Result) => Result;
  /** Holds a job back before it enters the queue. */
  readonly admit?: (job: Job) => Promise<void> | undefined;
}

/** One run over a list: the engine with the HTTP side as its work. What the program and the library have in common. */
export class Run {
  readonly #parts: RunParts;
  readonly #defaults: RequestDefaults;
  readonly #agent: Agent;
  readonly #resolver: Resolver;
  readonly #engine: Engine<Task, Result>;
  #cancelDeadline: (() => void) | undefined;
  #failures = 0;
  #isStopped = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#defaults = withCommonHeaders(parts.defaults, parts.options.decompress);
    const { options, clock, random, admit } = parts;
    this.#resolver = openResolver({
      overrides: options.resolve,
      servers: options.dnsServer,
      family: familyOf(options),
      concurrency: options.concurrency,
      timeoutMs: options.connectTimeout,
      now: clock.now,
      warn: (message) => parts.warn?.(message),
    });
    const dialer = new Dialer({
      resolver: this.#resolver,
      secure: new Secure({ ...parts.tls, insecure: options.insecure, http2: options.http2 }),
      connectTimeoutMs: options.connectTimeout,
    });
    this.#agent = new Agent({ dialer, maxIdle: Math.max(MAX_IDLE_CONNECTIONS, options.concurrency) });
    const hosts = new Hosts({
      perHost: options.perHost ?? options.concurrency,
      perMs: options.hostRate?.perMs ?? Number.POSITIVE_INFINITY,
      totalPerMs: options.rate?.perMs ?? Number.POSITIVE_INFINITY,
      breaker: options.breaker,
      window: options.queue + options.concurrency,
    });
    const policy = policyOf(options);
    const fetcher = new Fetcher({ agent: this.#agent, hosts, policy, now: clock.now, random });
    this.#engine = new Engine<Task, Result>({
      jobs: this.#tasks(),
      lanes: new Lanes({ capacity: options.queue, clock, gate: hosts }),
      concurrency: options.concurrency,
      laneOf: (task) => task.lane,
      work: (task) => fetcher.step(task),
      crashed: (task, error) => failedResult(task, { kind: 'internal', message: describe(error) }),
      admit: admit === undefined ? undefined : (task) => admit(task.job),
      finish: (result) => this.#finish(result),
      settle: async () => parts.settle?.(),
      onEnd: () => this.#close(),
    });
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#agent.inFlight;
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
    const { deadline } = this.#parts.options;
    if (deadline !== undefined) this.#cancelDeadline = this.#endAfter(deadline);
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

  #end(reason: AttemptError): void {
    this.stop();
    this.#agent.abort(reason);
  }

  #endAfter(deadlineMs: number): () => void {
    const reason = new AttemptError(
      'timeout',
      'ERR_DEADLINE',
      `the deadline of the run, ${deadlineMs}ms, has come`,
    );
    return this.#parts.clock.after(deadlineMs, () => this.#end(reason));
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

  #close(): void {
    this.#cancelDeadline?.();
    this.#agent.destroy(new AttemptError('aborted', undefined, 'the run has ended'));
    this.#resolver.close();
  }

  async *#tasks(): AsyncGenerator<Iterable<Task>> {
    for await (const batch of this.#parts.jobs) yield tasksOf(batch, this.#defaults);
  }
}

function* tasksOf(jobs: Iterable<Job>, defaults: RequestDefaults): Generator<Task> {
  for (const job of jobs) yield new Task(job, defaults);
}

function withCommonHeaders(defaults: RequestDefaults, isDecoded: boolean): RequestDefaults {
  const coding = isDecoded ? { 'accept-encoding': ACCEPT_ENCODING } : {};
  return { ...defaults, headers: { accept: '*/*', ...coding, ...defaults.headers } };
}

function familyOf({ ipv4, ipv6 }: RunOptions): 4 | 6 | undefined {
  if (ipv4) return 4;
  return ipv6 ? 6 : undefined;
}

function policyOf(options: RunOptions) {
  return {
    timeoutMs: options.timeout,
    maxBytes: options.maxSize,
    maxRedirects: options.maxRedirects,
    isDecoded: options.decompress,
    accept: options.accept,
    retries: options.retries,
    retryStatuses: options.retryOn.statuses,
    retriesNetworkFailures: options.retryOn.network,
    retriesAllMethods: options.retryAllMethods,
    headFallsBack: options.head,
    maxRetryAfterMs: options.maxRetryAfter,
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
