import type { Clock } from '../../core/clock.ts';
import { type Outcome, Pipeline } from '../../core/pipeline.ts';
import { Scheduler } from '../../core/scheduler.ts';
import type { HostRegistry } from '../../hosts/host-registry.ts';
import { SharedRateLimiter } from '../../hosts/rate-limiter.ts';
import type { RequestDefaults } from '../../http/hop.ts';
import { AttemptError } from '../../http/network-errors.ts';
import type { Transport } from '../../http/transport.ts';
import type { OutputError } from '../../model/errors.ts';
import type { Result } from '../../model/result.ts';
import type { RunEvent } from '../../model/run-event.ts';
import type { Fetcher, Step } from '../fetcher.ts';
import { RequestTask } from '../request-task.ts';
import { withCommonHeaders } from '../run.ts';
import {
  createDocumentFetcher,
  createFetcher,
  createHosts,
  createTransport,
  Documents,
  documentDefaults,
  socketBudget,
  stepDocument,
} from '../run-factories.ts';
import { crashedResult } from '../task-result.ts';
import {
  type AbortReason,
  type PackedJob,
  type ThreadReport,
  type ThreadSetup,
  type ThreadStatus,
  type ToThread,
  type TransferredTask,
  threadForHost,
  unpackJob,
  unpackOptions,
} from './messages.ts';

/** Results in flight from a thread to the outputs: as many as are taken within some ms. */
const WINDOW = 1024;

/** How often an idle thread reports its status, for the progress bar and the metrics. */
const STATUS_MS = 100;

interface FetchingThreadParts {
  readonly setup: ThreadSetup;
  readonly clock: Clock;
  readonly random: () => number;
  readonly post: (report: ThreadReport) => void;
}

/**
 * What a worker thread runs: scheduler, workers and agent for its share of the hosts.
 *
 * It accepts every job that it is sent: the coordinator bounds them. A job whose next hop goes to a host of another thread
 * is transferred, without waiting.
 */
export class FetchingThread {
  readonly #parts: FetchingThreadParts;
  readonly #defaults: RequestDefaults;
  readonly #hosts: HostRegistry;
  readonly #scheduler: Scheduler<RequestTask>;
  readonly #transport: Transport;
  readonly #fetcher: Fetcher;
  readonly #documentFetcher: Fetcher;
  readonly #pipeline: Pipeline<RequestTask, Result>;
  readonly #outbox: Outbox;
  #isOpen = true;
  #isStopping = false;
  /** Jobs that arrived after the stop. */
  #late = 0;
  #pausedHosts = 0;

  constructor(parts: FetchingThreadParts) {
    this.#parts = parts;
    const { setup, clock, random, post } = parts;
    const options = unpackOptions(setup.options);
    const log = setup.log && { ...setup.log, write: (event: RunEvent) => this.#outbox.log(event) };
    const warn = (message: string) => this.#outbox.warn(message);
    const network = { ...setup, options, clock, warn, log };
    const sockets = socketBudget({ ...network, warn: () => {} }); // the coordinator has warned for all threads
    const window = options.inlineBody === undefined ? WINDOW : options.concurrency; // bodies may be large
    this.#outbox = new Outbox({ post, status: () => this.#status(), window });
    this.#defaults = withCommonHeaders(setup.defaults, options);
    this.#hosts = createHosts(
      options,
      sockets.workers,
      setup.pace && options.rate && new SharedRateLimiter(setup.pace, options.rate.perMs),
      log,
    );
    this.#scheduler = new Scheduler({
      capacity: Number.MAX_SAFE_INTEGER,
      clock,
      limiter: this.#hosts,
      isKeptOpen: () => this.#isOpen,
    });
    this.#transport = createTransport(network, sockets);
    const fetcherParts = {
      ...{
        options,
        hosts: this.#hosts,
        scheduler: this.#scheduler,
        transport: this.#transport,
        clock,
        random,
        log,
      },
      isStopping: () => this.#pipeline.isStopping,
      onUnwritable: ({ message }: OutputError) => {
        this.#outbox.cannotWrite(message);
        this.#stop();
      },
    };
    this.#fetcher = createFetcher(fetcherParts);
    this.#documentFetcher = createDocumentFetcher(fetcherParts);
    this.#pipeline = new Pipeline<RequestTask, Result>({
      jobs: none(),
      scheduler: this.#scheduler,
      concurrency: sockets.workers,
      keyOf: (task) => task.host,
      work: (task) => this.#work(task),
      isListed: ({ job }) => Documents.isListed(job),
      abandon: (task) => this.#fetcher.abandon(task),
      crashed: crashedResult,
      onEnd: () => {
        this.#transport.close(ENDED);
        return this.#fetcher.bodiesClosed();
      },
    });
  }

  /** Works until it receives `end`. */
  async run(): Promise<void> {
    const reporting = setInterval(() => this.#reportStatus(), STATUS_MS);
    try {
      await this.#pipeline.run((result) => this.#outbox.give(result));
    } finally {
      clearInterval(reporting);
    }
    this.#outbox.flush(true);
  }

  receive(message: ToThread): void {
    switch (message.kind) {
      case 'jobs':
        this.#put(message.jobs);
        break;
      case 'transfer':
        this.#accept(message.job, message.transferred);
        break;
      case 'document':
        this.#acceptDocument(new RequestTask(unpackJob(message.job), documentDefaults(this.#defaults)), 0);
        break;
      case 'taken':
        this.#outbox.taken(message.count);
        break;
      case 'stop':
        this.#stop();
        break;
      case 'abort':
        this.#abort(message.reason);
        break;
      case 'end':
        this.#end();
    }
  }

  #put(jobs: readonly PackedJob[]): void {
    if (this.#isStopping) {
      this.#late += jobs.length;
      this.#outbox.touch();
      return;
    }
    for (const packed of jobs) {
      const task = new RequestTask(unpackJob(packed), this.#defaults);
      this.#scheduler.put(task.host, task); // there is always room
    }
  }

  #accept(job: PackedJob, { at, state }: TransferredTask): void {
    const unpacked = unpackJob(job);
    if (!Documents.isListed(unpacked)) {
      this.#acceptDocument(RequestTask.from(unpacked, documentDefaults(this.#defaults), state), at);
      return;
    }
    const task = RequestTask.from(unpacked, this.#defaults, state);
    this.#pipeline.accept(this.#fetcher.readmit(task, at));
  }

  /** After a stop, no document is waited for. */
  #acceptDocument(task: RequestTask, at: number): void {
    if (!this.#isStopping) this.#pipeline.accept({ again: task, at });
  }

  #work(task: RequestTask): Promise<Outcome<RequestTask, Result>> {
    if (!Documents.isListed(task.job)) {
      const give = (result: Result) => this.#outbox.document(result);
      return stepDocument(this.#documentFetcher, task, give).then((outcome) =>
        'again' in outcome && this.#transfer(outcome) ? TRANSFERRED : outcome,
      );
    }
    return this.#fetcher.step(task).then((step) => {
      // While stopping, the count of dropped jobs is reported even if no result comes.
      if (this.#isStopping) this.#outbox.touch();
      return this.#transfer(step) ? TRANSFERRED : step;
    });
  }

  /** Transfers a task whose next hop goes to a host of another thread; false if it stays, as a task in no attempt does. */
  #transfer(step: Step): boolean {
    if (!('again' in step) || step.again.exhaustedSince !== undefined) return false;
    const { again, at } = step;
    const { index, count } = this.#parts.setup;
    if (threadForHost(again.host, count) === index) return false;
    this.#outbox.transfer({ index: again.job.index, host: again.host, state: again.state, at });
    return true;
  }

  #abort({ kind, code, message }: AbortReason): void {
    this.#transport.abort(new AttemptError(kind, code, message));
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#pipeline.stop();
    this.#outbox.touch();
  }

  #end(): void {
    this.#isOpen = false;
    this.#outbox.open();
    this.#transport.abort(ENDED);
    this.#stop();
    this.#scheduler.close();
  }

  #reportStatus(): void {
    this.#outbox.touch();
    this.#pausedHosts = this.#hosts.countPaused(this.#parts.clock.now());
  }

  #status(): ThreadStatus {
    return {
      inFlight: this.#transport.inFlight,
      exhausted: this.#hosts.exhaustedCount,
      hosts: this.#hosts.size,
      pausedHosts: this.#pausedHosts,
      dropped: this.#pipeline.notFetched + this.#late,
    };
  }
}

const TRANSFERRED: Outcome<RequestTask, Result> = { isTransferred: true };

const ENDED = new AttemptError('aborted', undefined, 'the run has ended');

/** Jobs come by messages, not from a source. */
async function* none(): AsyncGenerator<Iterable<RequestTask>> {
  await new Promise(() => {});
}

/** Results in one message; a message costs as much as some ten results. */
const BATCH = 64;

/** How long results are gathered. */
const GATHER_MS = 2;

interface OutboxOptions {
  readonly post: (report: ThreadReport) => void;
  readonly status: () => ThreadStatus;
  /** Results in flight to the outputs. */
  readonly window: number;
}

/** Batches what a thread reports. Makes it wait while too many of its results are in flight. */
class Outbox {
  readonly #options: OutboxOptions;
  #results: Result[] = [];
  #documents: Result[] = [];
  #transferred: TransferredTask[] = [];
  #warnings: string[] = [];
  #events: RunEvent[] = [];
  #unwritable: string | undefined;
  #inFlight = 0;
  #window: number;
  #resume: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#window = options.window;
  }

  /** Returns a promise if the caller has to wait. */
  give(result: Result): Promise<void> | undefined {
    this.#results.push(result);
    this.#inFlight += 1;
    if (this.#results.length >= BATCH) this.flush();
    else this.touch();
    if (this.#inFlight < this.#window) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  document(result: Result): void {
    this.#documents.push(result);
    this.touch();
  }

  transfer(transferred: TransferredTask): void {
    this.#transferred.push(transferred);
    this.touch();
  }

  warn(message: string): void {
    this.#warnings.push(message);
    this.touch();
  }

  log(event: RunEvent): void {
    this.#events.push(event);
    this.touch();
  }

  cannotWrite(reason: string): void {
    this.#unwritable ??= reason;
    this.touch();
  }

  /** The outputs have taken `count` results. */
  taken(count: number): void {
    this.#inFlight -= count;
    if (this.#inFlight < this.#window) this.#resume?.();
  }

  /** Lifts the limit: nothing waits from now on. */
  open(): void {
    this.#window = Number.POSITIVE_INFINITY;
    this.#resume?.();
  }

  /** Makes sure that a report is sent soon. */
  touch(): void {
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  flush(hasEnded = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { post, status } = this.#options;
    const [results, documents, transferred] = [this.#results, this.#documents, this.#transferred];
    const [warnings, events] = [this.#warnings, this.#events];
    [this.#results, this.#documents, this.#transferred, this.#warnings, this.#events] = [[], [], [], [], []];
    post({
      ...status(),
      results,
      documents,
      transferred,
      warnings,
      events,
      unwritable: this.#unwritable,
      hasEnded,
    });
  }
}
