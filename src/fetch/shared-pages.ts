import { queueBytes, type RunOptions } from '../config/run-options.ts';
import { firstHop, firstMethod, type Hop, type RequestDefaults } from '../http/hop.ts';
import { type Job, jobBytes } from '../model/job.ts';
import { isNotFetched, type Result } from '../model/result.ts';

/** How many pages are remembered after they were fetched, and how many anchors of them. */
const MAX_KNOWN_PAGES = 1_000;
const MAX_KNOWN_ANCHORS = 200_000;

/** A page that is being fetched, and the jobs for it, which differ only in their fragments. */
interface Page {
  readonly key: string;
  readonly jobs: Job[];
}

/** What the pages of a run are made from. */
interface SharedPagesParts {
  readonly options: RunOptions;
  readonly defaults: RequestDefaults;
  /** The result of an earlier run for a job and its first request. Called once for each job, in order. */
  readonly recall?: ((job: Job, request: Hop) => Result | undefined) | undefined;
  /** Holds a job back before it is fetched, or waits for its page. */
  readonly admit?: ((job: Job) => Promise<void> | undefined) | undefined;
  /** Whether each job must be fetched for itself. */
  readonly isUnshared: boolean;
}

/**
 * Fetches a page once for all jobs that differ only in their fragments: it stands between the jobs of a run and their results.
 *
 * - The first job of a page is fetched without its fragment. Others that come meanwhile wait outside of the scheduler. Each
 *   gets a result of its own.
 * - Results of pages are remembered, up to a limit.
 * - At most as many jobs wait as the queue holds; then reading stops.
 * - Jobs are fetched one by one if their bodies are kept, or if they are no plain GET requests.
 */
export class SharedPages {
  readonly #parts: SharedPagesParts;
  /** The pages that are not finished, by the index of their first job and by key. */
  readonly #byIndex = new Map<number, Page>();
  readonly #byKey = new Map<string, Page>();
  /** The results of finished pages, the last one used at the end. */
  readonly #known = new Map<string, Result>();
  #knownAnchors = 0;
  /** Results of jobs that need no fetching, until the run asks for them. */
  readonly #recalled = new Map<number, Result>();
  #waitingJobs = 0;
  #waitingBytes = 0;
  #onRoom: (() => void) | undefined;
  #isStopped = false;
  /** A job that was read and waits for its admission. */
  #held: Job | undefined;
  #admission: Promise<void> | undefined;

  constructor(parts: SharedPagesParts) {
    this.#parts = parts;
  }

  /** The result of a job of `jobs()` that needs no fetching. To be called once for each. */
  recall({ index }: Job): Result | undefined {
    const result = this.#recalled.get(index);
    this.#recalled.delete(index);
    return result;
  }

  /** Whether a result is that of a page that is not finished. */
  isPage({ index }: Result): boolean {
    return this.#byIndex.has(index);
  }

  /** The results of all jobs of a page, which is finished with this result. */
  resultsOf(result: Result): Iterable<Result> {
    const page = this.#byIndex.get(result.index);
    if (page === undefined) return [];
    this.#byIndex.delete(result.index);
    this.#byKey.delete(page.key);
    this.#remember(page.key, result);
    const [, ...waiting] = page.jobs;
    this.#waitingJobs -= waiting.length;
    for (const job of waiting) this.#waitingBytes -= jobBytes(job);
    if (!this.#isFull) this.#onRoom?.();
    return toResults(result, page.jobs);
  }

  /** The jobs that are not fetched if the run fetches none of `dropped`, which are jobs of `jobs()`. */
  withoutResult(dropped: readonly Job[]): readonly Job[] {
    const jobs = dropped.flatMap((job) => this.#byIndex.get(job.index)?.jobs ?? [job]);
    return this.#held === undefined ? jobs : [...jobs, this.#held];
  }

  /** Ends the wait for room, since nothing more is fetched. */
  stop(): void {
    this.#isStopped = true;
    this.#onRoom?.();
  }

  /** The jobs to fetch: of those for one page only the first. Waits while too many others wait. */
  async *jobs(batches: AsyncIterable<Iterable<Job>>): AsyncGenerator<Iterable<Job>> {
    for await (const batch of batches) {
      const jobs = batch[Symbol.iterator]();
      try {
        for (let isRead = false; !isRead && !this.#isStopped; ) {
          yield this.#untilWait(jobs, () => {
            isRead = true;
          });
          await this.#admission;
          this.#admission = undefined;
          if (this.#isFull && !this.#isStopped) await this.#room();
        }
      } finally {
        jobs.return?.();
      }
    }
  }

  /** The jobs to fetch, until one has to wait for its admission, or for room. */
  *#untilWait(jobs: Iterator<Job>, onEnd: () => void): Generator<Job> {
    while (!this.#isStopped) {
      if (this.#held === undefined) {
        const next = this.#isFull ? undefined : jobs.next();
        if (next?.done === true) onEnd();
        if (next === undefined || next.done === true) return;
        this.#held = next.value;
        this.#admission = this.#parts.admit?.(next.value);
        if (this.#admission !== undefined) return;
      }
      const job = this.#enter(this.#held);
      this.#held = undefined;
      if (job !== undefined) yield job;
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  get #isFull(): boolean {
    const { options } = this.#parts;
    return this.#waitingJobs >= options.queueSize || this.#waitingBytes >= queueBytes(options);
  }

  /** The job to fetch for a job; `undefined` if it waits for its page. */
  #enter(job: Job): Job | undefined {
    const { recall, defaults } = this.#parts;
    const earlier = recall?.(job, firstHop(job, defaults));
    if (earlier !== undefined) {
      this.#recalled.set(job.index, earlier);
      return job;
    }
    if (!this.#mayShare(job)) return job;
    const key = pageKey(job);
    const known = this.#recallPage(key);
    if (known !== undefined) {
      this.#recalled.set(job.index, toResult(known, job));
      return job;
    }
    const page = this.#byKey.get(key);
    if (page !== undefined) {
      page.jobs.push(job);
      this.#waitingJobs += 1;
      this.#waitingBytes += jobBytes(job);
      return undefined;
    }
    const opened: Page = { key, jobs: [job] };
    this.#byKey.set(key, opened);
    this.#byIndex.set(job.index, opened);
    return { ...job, url: withoutFragment(job.url) };
  }

  #mayShare(job: Job): boolean {
    const { options, defaults, isUnshared } = this.#parts;
    const { invalid, isLocal, body } = job;
    if (isUnshared || keepsBodies(options) || invalid !== undefined || isLocal === true) return false;
    return body === undefined && firstMethod(job, defaults) === 'GET';
  }

  #recallPage(key: string): Result | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    this.#known.delete(key);
    this.#known.set(key, known);
    return known;
  }

  #remember(key: string, result: Result): void {
    if (isNotFetched(result)) return;
    this.#known.set(key, result);
    this.#knownAnchors += countAnchors(result);
    for (const [oldest, { anchors }] of this.#known) {
      if (this.#known.size <= MAX_KNOWN_PAGES && this.#knownAnchors <= MAX_KNOWN_ANCHORS) return;
      this.#known.delete(oldest);
      this.#knownAnchors -= countAnchors({ anchors });
    }
  }
}

function* toResults(page: Result, jobs: readonly Job[]): Generator<Result> {
  for (const job of jobs) yield toResult(page, job);
}

/** Whether each job has a body of its own, so that no page can be fetched once for several. */
export function keepsBodies({ saveDir, inlineBody, keepsBuffers }: RunOptions): boolean {
  return saveDir !== undefined || inlineBody !== undefined || keepsBuffers === true;
}

function countAnchors({ anchors }: Pick<Result, 'anchors'>): number {
  return typeof anchors === 'object' ? anchors.names.size : 0;
}

/** Equal for jobs that send the same request and expect the same of its response. */
function pageKey({ url, headers, expect }: Job): string {
  const page = withoutFragment(url);
  if (headers === undefined && expect === undefined) return page;
  const expected = expect && {
    ...expect,
    status: expect.status && `${expect.status}`,
    matches: expect.matches.map(String),
  };
  return `${page}\n${JSON.stringify([headers, expected])}`;
}

function withoutFragment(url: string): string {
  const [page = ''] = url.split('#', 1);
  return page;
}

/** The result of a job whose page was fetched without a fragment. Redirects keep the fragment, unless one leads to another. */
function toResult(page: Result, job: Job): Result {
  const { index, source, line, column, input, id, url } = job;
  const fragment = url.slice(withoutFragment(url).length);
  const toOwn = (address: string) => (address.includes('#') ? address : `${address}${fragment}`);
  const finalUrl = page.finalUrl === undefined ? url : toOwn(page.finalUrl);
  return {
    ...page,
    ...{ index, source, line, column, input, id, url },
    finalUrl: finalUrl === url ? undefined : finalUrl,
    redirects: page.redirects.map((redirect) => ({ ...redirect, url: toOwn(redirect.url) })),
  };
}
