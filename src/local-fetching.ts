import { Engine } from './engine.ts';
import type { Fetching, FetchingHooks, HostCounts, RunParts } from './fetching.ts';
import { AttemptError } from './http/attempt-error.ts';
import { crashedResult } from './http/results.ts';
import type { Task } from './http/task.ts';
import type { Result } from './model/result.ts';
import { type OpenFetching, openFetching } from './open-fetching.ts';
import { socketsOf } from './open-network.ts';
import { tasksOf } from './tasks-of.ts';

/** Fetches in this thread: the engine with the HTTP side as its work. */
export class LocalFetching implements Fetching {
  readonly #parts: RunParts;
  readonly #open: OpenFetching;
  readonly #engine: Engine<Task, Result>;

  constructor(parts: RunParts, { finish, settle, end, unwritable }: FetchingHooks) {
    this.#parts = parts;
    const { admit, recall, isWanted } = parts;
    const sockets = socketsOf(parts);
    const open = openFetching({ ...parts, sockets, onUnwritable: unwritable });
    this.#open = open;
    this.#engine = new Engine<Task, Result>({
      jobs: tasksOf(parts.jobs, parts.defaults, parts.options),
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
