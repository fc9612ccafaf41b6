import { isHarmlessHeader } from '../config/secrets.ts';
import type { Job } from '../model/job.ts';
import { requestOf } from './job-wire.ts';

/** So many headers that are left out are named. */
const NAMED = 5;

/**
 * What the jobs under way say of their requests beside URL, method and id, so that the list of `--failed` asks for the same.
 * Headers that may be secret are left out, and their names kept. Nothing is held of a job that is a URL alone.
 */
export class OwnRequests {
  readonly #jobs = new Map<number, Job>();
  readonly #leftOut = new Set<string>();

  /** The same batches; each job is remembered as it is read. */
  async *watch(batches: AsyncIterable<Iterable<Job>>): AsyncGenerator<Iterable<Job>> {
    for await (const batch of batches) yield this.#remembered(batch);
  }

  /** Headers, body, `save` and `expect` of a job as an input has them; `undefined` when there are none. */
  find(index: number): object | undefined {
    const job = this.#jobs.get(index);
    if (job === undefined) return undefined;
    const harmless = Object.entries(job.headers ?? {}).filter(([name]) => this.#isShown(name));
    const { headers: _, ...more } = job;
    const shown = harmless.length === 0 ? more : { ...more, headers: Object.fromEntries(harmless) };
    return hasMore(shown) ? requestOf(shown) : undefined;
  }

  /** Lets go of a job that has its result. */
  drop(index: number): void {
    this.#jobs.delete(index);
  }

  /** The names of headers that were left out: all, or some and how many more. */
  get leftOut(): string {
    const names = [...this.#leftOut].sort();
    const rest = names.length - NAMED;
    return rest > 0 ? `${names.slice(0, NAMED).join(', ')} and ${rest} more` : names.join(', ');
  }

  *#remembered(batch: Iterable<Job>): Generator<Job> {
    for (const job of batch) {
      if (hasMore(job)) this.#jobs.set(job.index, job);
      yield job;
    }
  }

  #isShown(name: string): boolean {
    if (isHarmlessHeader(name)) return true;
    // A list in which each job has a header of its own must not fill the memory.
    if (this.#leftOut.size < 100) this.#leftOut.add(name);
    return false;
  }
}

function hasMore({ headers, body, save, expect }: Job): boolean {
  return headers !== undefined || body !== undefined || save !== undefined || expect !== undefined;
}
