import { ACCEPT_ENCODING } from '../bodies/decompress.ts';
import { durationText } from '../config/parse/numbers.ts';
import { queueBytes, type RunOptions } from '../config/run-options.ts';
import { Pipeline } from '../core/pipeline.ts';
import { Scheduler } from '../core/scheduler.ts';
import type { HostRegistry } from '../hosts/host-registry.ts';
import { firstHop, firstMethod, type RequestDefaults } from '../http/hop.ts';
import { AttemptError } from '../http/network-errors.ts';
import type { Transport } from '../http/transport.ts';
import { type Job, jobBytes } from '../model/job.ts';
import { failsRun, type Result } from '../model/result.ts';
import type { Summary, SummaryFold } from '../model/summary.ts';
import { collect, type ForEachResult, type Sink } from '../results/sink.ts';
import { checkSaveDirectory, isListed } from './body-rules.ts';
import { rejectInvalidJobs } from './job-checks.ts';
import { jobOf, nextHostOf, RequestTask, type ScheduledJob } from './request-task.ts';
import { judgeAnchors } from './response-validator.ts';
import {
  createDocumentFetcher,
  createFetcher,
  createHosts,
  createRecall,
  createTransport,
  type DocumentRequest,
  Documents,
  documentDefaults,
  type NetworkParts,
  type Recall,
  socketBudget,
  stepDocument,
  type TransportNeeds,
} from './run-factories.ts';
import { SharedPages } from './shared-pages.ts';
import { crashedResult, notFetchedResult, refreshed } from './task-result.ts';

/** What a run is made from. */
export interface RunParts extends NetworkParts {
  readonly defaults: RequestDefaults;
  readonly jobs: AsyncIterable<Iterable<Job>>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Called once if the run is stopped before its end: nothing more is read. */
  readonly onStop?: () => void;
  /** Awaited between the last result and the end of the results, when all counts are final. */
  readonly beforeEnd?: () => Promise<void>;
  /**
   * Whether a job that is not fetched, because the run stops, has a result too. Otherwise it has none, since it will be
   * fetched by someone else.
   */
  readonly reportsUnfetched?: boolean;
  /** Reads the jobs that `jobs` did not give because the run was stopped; fewer if an input cannot be read further. */
  readonly unread?: () => AsyncIterable<Iterable<Job>>;
  /** The result of an earlier run for a job and its first request. Called once for each job, in order. */
  readonly recall?: Recall;
  /** Adds to each result what earlier runs say of its URL. */
  readonly annotate?: (result: Result) => Result;
  /** Whether the result of a job is still wanted; an unwanted job is not fetched any further. */
  readonly isWanted?: (job: Job) => boolean;
  /** Holds a job back before it enters the scheduler. */
  readonly admit?: (job: Job) => Promise<void> | undefined;
  /** Sends the requests from worker threads instead of this one. */
  readonly transport?: TransportFactory;
}

/** Makes what sends the requests of a run. */
export type TransportFactory = (parts: NetworkParts, needs: TransportNeeds) => Transport;

/** Turns jobs into results. */
interface Backend {
  /** Requests in flight. */
  readonly inFlight: number;
  /** Jobs that were read and get no result, since the run stopped. */
  readonly dropped: readonly Job[];
  /** Requests that had to wait because the machine ran out of descriptors, memory or ports. */
  readonly exhausted: number;
  /** The limits and the state of the hosts. */
  readonly registry: HostRegistry;
  hosts(): HostCounts;
  /** Fetches a document that the list comes from, within the limits of its host. Its result goes to the caller only. */
  fetchDocument(request: DocumentRequest): Promise<Result>;
  /** Runs everything. Either this or `results` is called, once. */
  readonly run: ForEachResult;
  /** The same as a loop. Leaving early stops everything. */
  results(): AsyncGenerator<Result, void, void>;
  /** Drops waiting jobs that are unwanted now. */
  dropUnwanted(): void;
  /** Stops reading and starting; what is in flight is finished. */
  stop(): void;
  /** Fails what is in flight with this reason. */
  abort(reason: AttemptError): void;
}

export interface HostCounts {
  /** Hosts that are remembered. */
  readonly known: number;
  /** Those of them that get no request at the moment. */
  readonly paused: number;
}

/** Callbacks from a backend to its run. */
interface BackendEvents {
  /** Called with each result; returns the result to use. */
  readonly finish: (result: Result) => Result;
  /** Gives the results that follow when all work has ended. */
  readonly lastResults: () => AsyncIterable<Result>;
  readonly onEnd: () => void;
  /** The run cannot continue. */
  readonly onFatal: (error: Error) => void;
}

type BackendFactory = (parts: RunParts, events: BackendEvents) => Backend;

/** Composes the run: input → scheduler → workers → transport → results. Throws an `OutputError` if bodies cannot be saved. */
function createBackend(parts: RunParts, events: BackendEvents): Backend {
  const { options, defaults, clock, random, log, recall, isWanted, admit } = parts;
  const sockets = socketBudget(parts);
  checkSaveDirectory(options);

  const taskDefaults = withCommonHeaders(defaults, options);
  const toTask = (job: ScheduledJob) =>
    job instanceof RequestTask ? job : new RequestTask(job, taskDefaults);
  const hosts = createHosts(options, sockets.workers, log);
  const scheduler = new Scheduler<ScheduledJob>({
    capacity: options.queueSize,
    maxBytes: queueBytes(options),
    workers: sockets.workers,
    sizeOf: (scheduled) => jobBytes(jobOf(scheduled)),
    clock,
    limiter: hosts,
  });
  const { transport: create = createTransport } = parts;
  const transport = create(parts, { sockets, onFatal: events.onFatal });
  const fetcherParts = {
    ...{ options, hosts, scheduler, transport, clock, random, log, cookies: parts.cookies },
    isStopping: () => pipeline.isStopping,
  };
  const fetcher = createFetcher(fetcherParts);
  const documents = new Documents(clock.now);
  const documentFetcher = createDocumentFetcher(fetcherParts);
  const ofDocuments = documentDefaults(taskDefaults);
  const pipeline = new Pipeline<ScheduledJob, Result>({
    jobs: rejectInvalidJobs(parts.jobs, options),
    scheduler,
    concurrency: sockets.workers,
    keyOf: nextHostOf,
    open: toTask,
    work: (job, settle) => {
      const task = toTask(job);
      if (isListed(task.job)) fetcher.step(task, settle);
      else stepDocument(documentFetcher, task, (result) => documents.give(result), settle);
    },
    isListed: (job) => isListed(jobOf(job)),
    abandon: (job) => (job instanceof RequestTask ? fetcher.abandon(job) : undefined),
    crashed: (job, error) => crashedResult(toTask(job), error),
    recall: recall && ((job) => recall(jobOf(job), firstHop(jobOf(job), defaults))),
    isWanted: isWanted && ((job) => isWanted(jobOf(job))),
    admit: admit && ((job) => admit(jobOf(job))),
    finish: events.finish,
    lastResults: events.lastResults,
    onEnd: async () => {
      documents.stop();
      events.onEnd();
      const closed = transport.close(new AttemptError('aborted', undefined, 'the run has ended'));
      await fetcher.bodiesClosed();
      await closed;
    },
  });

  return {
    get inFlight() {
      return transport.inFlight;
    },
    get dropped() {
      return pipeline.dropped.map(jobOf);
    },
    get exhausted() {
      return hosts.exhaustedCount;
    },
    registry: hosts,
    hosts: () => ({ known: hosts.size, paused: hosts.countPaused(clock.now()) }),
    fetchDocument: (request) =>
      documents.fetch(request, (job) => pipeline.accept({ again: new RequestTask(job, ofDocuments), at: 0 })),
    run: (use) => pipeline.run(use),
    results: () => pipeline.results(),
    dropUnwanted: () => pipeline.dropUnwanted(),
    stop: () => {
      documents.stop();
      pipeline.stop();
    },
    abort: (reason) => transport.abort(reason),
  };
}

/** A backend that fetches a page once for all URLs that differ in their fragments, and judges the fragment of each. */
function sharePages(create: BackendFactory): BackendFactory {
  return (parts, events) => {
    const { recall, admit, ...others } = parts;
    const { options, defaults, isWanted } = others;
    // Whether a job is wanted is decided for each.
    const isUnshared = isWanted !== undefined;
    const pages = new SharedPages({ options, defaults, recall, admit, isUnshared });
    const finish = (result: Result) => events.finish(judgeAnchors(result, options));
    /** Whether what follows are jobs that were not fetched. */
    let isEnding = false;
    const inner = create(
      { ...others, jobs: pages.jobs(parts.jobs), recall: (job) => pages.recall(job) },
      {
        ...events,
        finish: (result) => (pages.isPage(result) ? result : finish(result)),
        lastResults: () => {
          isEnding = true;
          return events.lastResults();
        },
      },
    );
    const isPage = (result: Result) => !isEnding && pages.isPage(result);
    const useEach = async (page: Result, use: (result: Result) => Promise<void> | undefined) => {
      for (const result of pages.resultsOf(page)) await use(finish(result));
    };
    return {
      get inFlight() {
        return inner.inFlight;
      },
      get dropped() {
        return pages.withoutResult(inner.dropped);
      },
      get exhausted() {
        return inner.exhausted;
      },
      registry: inner.registry,
      hosts: () => inner.hosts(),
      fetchDocument: (request) => inner.fetchDocument(request),
      run: (use) => inner.run((result) => (isPage(result) ? useEach(result, use) : use(result))),
      async *results() {
        for await (const result of inner.results()) {
          if (!isPage(result)) yield result;
          else for (const one of pages.resultsOf(result)) yield finish(one);
        }
      },
      dropUnwanted: () => inner.dropUnwanted(),
      stop: () => {
        pages.stop();
        inner.stop();
      },
      abort: (reason) => inner.abort(reason),
    };
  };
}

/** One run over a list of URLs, shared by the program and the library: its backend, and what ends it. */
export class Run {
  readonly #parts: RunParts;
  readonly #backend: Backend;
  readonly #failureLimit: FailureLimit;
  #cancelDeadline: (() => void) | undefined;
  #isStopped = false;
  #fatal: Error | undefined;

  /** Throws an `OutputError` if bodies cannot be saved. */
  constructor(given: RunParts) {
    const recall = createRecall(given);
    const parts = { ...given, ...(recall && { recall }) };
    this.#parts = parts;
    this.#failureLimit = new FailureLimit(parts.options.maxFailures ?? Number.POSITIVE_INFINITY);
    const create = parts.options.checkFragments ? sharePages(createBackend) : createBackend;
    this.#backend = create(parts, {
      finish: (result) => this.#finish(result),
      lastResults: () => this.#lastResults(),
      onEnd: () => this.#cancelDeadline?.(),
      onFatal: (error) => {
        this.#fatal ??= error;
        this.stop();
      },
    });
  }

  get inFlight(): number {
    return this.#backend.inFlight;
  }

  get exhausted(): number {
    return this.#backend.exhausted;
  }

  /** Counts the hosts one by one. */
  hosts(): HostCounts {
    return this.#backend.hosts();
  }

  /** The state of the hosts, for other processes that fetch from them. */
  get hostStates(): Pick<HostRegistry, 'states' | 'restore' | 'shareRate'> {
    return this.#backend.registry;
  }

  /** Whether the run was stopped before the end of its list. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Fetches a document that the list comes from, as the URLs of the list are. */
  fetchDocument(request: DocumentRequest): Promise<Result> {
    return this.#backend.fetchDocument(request);
  }

  /** The results as they come; to be iterated once. Leaving early aborts the run. */
  results(): AsyncGenerator<Result, void, void> {
    this.#startDeadline();
    return this.#backend.results();
  }

  /** Runs to the end: folds the results and hands each to every sink, see `collect`. */
  collect(sinks: readonly Sink[], fold: SummaryFold): Promise<Summary> {
    this.#startDeadline();
    return collect((use) => this.#backend.run(use), sinks, fold, this.#parts.clock.now);
  }

  /** Drops waiting jobs that are unwanted now. */
  dropUnwanted(): void {
    this.#backend.dropUnwanted();
  }

  /** Stops reading and starting; what is in flight is finished. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#backend.stop();
    this.#parts.onStop?.();
  }

  /** Stops, and fails what is in flight with kind `aborted`. */
  abort(message: string): void {
    this.#end(new AttemptError('aborted', undefined, message));
  }

  /** Stops, and fails what is in flight with kind `aborted`: the deadline of the run has passed. */
  expire(deadlineMs: number): void {
    this.#end(
      new AttemptError(
        'aborted',
        'ERR_DEADLINE',
        `cut off by the deadline of the run, ${durationText(deadlineMs)}`,
      ),
    );
  }

  #startDeadline(): void {
    const { clock, options } = this.#parts;
    const { deadline } = options;
    if (deadline !== undefined) this.#cancelDeadline = clock.after(deadline, () => this.expire(deadline));
  }

  #end(reason: AttemptError): void {
    this.stop();
    this.#backend.abort(reason);
  }

  #finish(result: Result): Result {
    const annotated = this.#parts.annotate?.(result) ?? result;
    if (this.#failureLimit.isReachedBy(annotated)) this.stop();
    return annotated;
  }

  /** The results of the jobs that were not fetched, in their order. */
  async *#lastResults(): AsyncGenerator<Result, void, void> {
    const { reportsUnfetched = false, unread, beforeEnd } = this.#parts;
    if (reportsUnfetched && this.#isStopped) {
      const dropped = [...this.#backend.dropped].sort((a, b) => a.index - b.index);
      for (const job of dropped) yield this.#notFetched(job);
      if (unread !== undefined) {
        for await (const batch of unread()) for (const job of batch) yield this.#recall(job);
      }
    }
    await beforeEnd?.();
    if (this.#fatal !== undefined) throw this.#fatal;
  }

  /** The result of a job that was not read before the stop: that of an earlier run, or none. */
  #recall(job: Job): Result {
    const { recall, defaults } = this.#parts;
    const earlier = recall?.(job, firstHop(job, defaults));
    return earlier === undefined ? this.#notFetched(job) : this.#finish(earlier);
  }

  #notFetched(job: Job): Result {
    const { clock, defaults } = this.#parts;
    const result = notFetchedResult(job, firstMethod(job, defaults), clock.now());
    return job.kept === undefined ? result : refreshed(result, job.kept);
  }
}

/** Decides which failure of the run is one too many. */
export class FailureLimit {
  readonly #max: number;
  #failures = 0;

  /** @param max failures after which the run stops; Infinity never stops it */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a result; true if the run stops because of it. */
  isReachedBy(result: Result): boolean {
    if (!failsRun(result)) return false;
    this.#failures += 1;
    return this.#failures === this.#max;
  }
}

/** The defaults with the headers that every request has. */
function withCommonHeaders(defaults: RequestDefaults, { decompress }: RunOptions): RequestDefaults {
  const coding = decompress ? { 'accept-encoding': ACCEPT_ENCODING } : {};
  return { ...defaults, headers: { accept: '*/*', ...coding, ...defaults.headers } };
}
