import type { Clock } from '../../core/clock.ts';
import { type Outcome, Pipeline } from '../../core/pipeline.ts';
import { SharedRateLimiter } from '../../hosts/rate-limiter.ts';
import type { RequestDefaults } from '../../http/hop.ts';
import { AttemptError } from '../../http/network-errors.ts';
import type { Result } from '../../model/result.ts';
import type { Step } from '../fetcher.ts';
import { RequestTask } from '../request-task.ts';
import { withCommonHeaders } from '../run.ts';
import { createRunContext, type RunContext, socketsOf } from '../run-context.ts';
import { crashedResult } from '../task-result.ts';
import { threadForHost } from './coordinator.ts';
import {
  type AbortReason,
  type PackedJob,
  type ThreadReport,
  type ThreadSetup,
  type ThreadStatus,
  type ToThread,
  type TransferredTask,
  unpackJob,
  unpackOptions,
} from './messages.ts';

/** Results that go out together; a message costs as much as some ten of them. */
const BATCH = 64;

/** How long they are gathered. */
const GATHER_MS = 2;

interface OutboxOptions {
  readonly post: (report: ThreadReport) => void;
  readonly status: () => ThreadStatus;
  /** Results that are on their way to the outputs at most. */
  readonly window: number;
}

/** What a thread has to say, in few messages. Results that nobody takes hold it back. */
class Outbox {
  readonly #options: OutboxOptions;
  #results: Result[] = [];
  #moved: TransferredTask[] = [];
  #warnings: string[] = [];
  #unwritable: string | undefined;
  #untaken = 0;
  #window: number;
  #room: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#window = options.window;
  }

  /** A promise means: wait, too many results are on their way. */
  give(result: Result): Promise<void> | undefined {
    this.#results.push(result);
    this.#untaken += 1;
    if (this.#results.length >= BATCH) this.flush();
    else this.touch();
    if (this.#untaken < this.#window) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  move(moved: TransferredTask): void {
    this.#moved.push(moved);
    this.touch();
  }

  warn(message: string): void {
    this.#warnings.push(message);
    this.touch();
  }

  cannotWrite(reason: string): void {
    this.#unwritable ??= reason;
    this.touch();
  }

  /** So many results have gone to the outputs. */
  taken(count: number): void {
    this.#untaken -= count;
    if (this.#untaken < this.#window) this.#room?.();
  }

  /** Holds nothing back any more. */
  open(): void {
    this.#window = Number.POSITIVE_INFINITY;
    this.#room?.();
  }

  /** Says in a moment how the thread stands. */
  touch(): void {
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  flush(hasEnded = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { post, status } = this.#options;
    const [results, moved, warnings] = [this.#results, this.#moved, this.#warnings];
    [this.#results, this.#moved, this.#warnings] = [[], [], []];
    post({ ...status(), results, moved, warnings, unwritable: this.#unwritable, hasEnded });
  }
}

/** Results that are on their way from a thread to the outputs at most: enough for what is taken in some ms. */
const WINDOW = 1024;

/** How often the bar and the metrics learn how a thread stands in which nothing happens. */
const STATUS_MS = 100;

interface FetchingThreadParts {
  readonly setup: ThreadSetup;
  readonly clock: Clock;
  readonly random: () => number;
  readonly post: (report: ThreadReport) => void;
}

/**
 * What one thread does: its part of the hosts, with queue, workers and agent of its own. What it holds is bounded by
 * who sends it jobs: it takes them all. A job whose next hop belongs to another thread is handed on, and never waited for.
 */
export class FetchingThread {
  readonly #parts: FetchingThreadParts;
  readonly #defaults: RequestDefaults;
  readonly #open: RunContext;
  readonly #engine: Pipeline<RequestTask, Result>;
  readonly #outbox: Outbox;
  #isHeld = true;
  #isStopping = false;
  /** Jobs that came after the stop. */
  #late = 0;
  #parked = 0;

  constructor(parts: FetchingThreadParts) {
    this.#parts = parts;
    const { setup, clock, random, post } = parts;
    const options = unpackOptions(setup.options);
    const { inlineBody } = options;
    this.#defaults = withCommonHeaders(setup.defaults, options);
    const window = inlineBody === undefined ? WINDOW : options.concurrency; // bodies may be large
    this.#outbox = new Outbox({ post, status: () => this.#status(), window });
    const network = { ...setup, options, clock };
    const sockets = socketsOf(network); // without `warn`: it was said of all threads together
    this.#open = createRunContext({
      ...network,
      sockets,
      random,
      capacity: Number.MAX_SAFE_INTEGER,
      isHeld: () => this.#isHeld,
      pace: setup.pace && options.rate && new SharedRateLimiter(setup.pace, options.rate.perMs),
      warn: (message) => this.#outbox.warn(message),
      onUnwritable: ({ message }) => {
        this.#outbox.cannotWrite(message);
        this.#stop();
      },
    });
    this.#engine = new Pipeline<RequestTask, Result>({
      jobs: nothing(),
      lanes: this.#open.lanes,
      concurrency: sockets.workers,
      laneOf: (task) => task.lane,
      work: (task) => this.#work(task),
      crashed: crashedResult,
      onEnd: () => this.#open.network.close(ENDED),
    });
  }

  /** Works until it is told to end. */
  async run(): Promise<void> {
    const telling = setInterval(() => this.#tell(), STATUS_MS);
    try {
      for await (const result of this.#engine.results()) {
        const given = this.#outbox.give(result);
        if (given !== undefined) await given;
      }
    } finally {
      clearInterval(telling);
    }
    this.#outbox.flush(true);
  }

  receive(message: ToThread): void {
    switch (message.kind) {
      case 'jobs':
        this.#take(message.jobs);
        break;
      case 'adopt':
        this.#adopt(message);
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

  #take(jobs: readonly PackedJob[]): void {
    if (this.#isStopping) {
      this.#late += jobs.length;
      this.#outbox.touch();
      return;
    }
    for (const packed of jobs) {
      const task = new RequestTask(unpackJob(packed), this.#defaults);
      this.#open.lanes.put(task.lane, task); // there is always room
    }
  }

  #adopt({ job, moved }: Extract<ToThread, { kind: 'adopt' }>): void {
    const { at, otherwise, state } = moved;
    const again = RequestTask.from(unpackJob(job), this.#defaults, state);
    this.#engine.adopt({ again, at, ...(otherwise && { otherwise }) });
  }

  #work(task: RequestTask): Promise<Outcome<RequestTask, Result>> {
    return this.#open.step(task).then((step) => {
      // What it drops is told in time, also when no result comes of it.
      if (this.#isStopping) this.#outbox.touch();
      return this.#hand(step) ? HANDED : step;
    });
  }

  /** Hands a task on whose next hop belongs to another thread; false when it stays, as one does that could not be sent. */
  #hand(step: Step): boolean {
    if (!('again' in step) || step.isUntried === true) return false;
    const { again, at, otherwise } = step;
    const { index, count } = this.#parts.setup;
    if (threadForHost(again.lane, count) === index || (this.#isStopping && otherwise !== undefined))
      return false;
    this.#outbox.move({ index: again.job.index, lane: again.lane, state: again.state, at, otherwise });
    return true;
  }

  #abort({ kind, code, message }: AbortReason): void {
    this.#open.network.agent.abort(new AttemptError(kind, code, message));
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#engine.stop();
    this.#outbox.touch();
  }

  #end(): void {
    this.#isHeld = false;
    this.#outbox.open();
    this.#open.network.agent.abort(ENDED);
    this.#stop();
    this.#open.lanes.close();
  }

  #tell(): void {
    this.#outbox.touch();
    this.#parked = this.#open.hosts.countParked(this.#parts.clock.now());
  }

  #status(): ThreadStatus {
    const { hosts, network } = this.#open;
    return {
      inFlight: network.agent.inFlight,
      shortages: hosts.shortages,
      known: hosts.size,
      parked: this.#parked,
      dropped: this.#engine.notFetched + this.#late,
    };
  }
}

const HANDED: Outcome<RequestTask, Result> = { isHanded: true };

const ENDED = new AttemptError('aborted', undefined, 'the run has ended');

/** Jobs come by messages, and not from a source that is read. */
async function* nothing(): AsyncGenerator<Iterable<RequestTask>> {
  await new Promise(() => {});
}
