import { bodyKey } from '../bodies/file-name.ts';
import { fragmentOf } from '../bodies/html-page.ts';
import { toExpectation } from '../config/expectations.ts';
import type { RunOptions } from '../config/run-options.ts';
import { firstMethod } from '../http/hop.ts';
import { KeySet } from '../input/hash-set.ts';
import { requiresBody } from '../model/expectation.ts';
import type { Job } from '../model/job.ts';
import { excerpt } from '../model/printable.ts';

const HEAD_BODY = 'cannot check the body of a HEAD response: remove the body checks, or use GET';

/** The jobs of a run. One that asks for the file of another URL, or for the text of a response without a body, becomes invalid. */
export async function* rejectInvalidJobs(
  jobs: AsyncIterable<Iterable<Job>>,
  options: RunOptions,
): AsyncGenerator<Iterable<Job>> {
  const { method, saveDir } = options;
  const conflicts = saveDir === undefined ? undefined : new NameConflicts(() => new KeySet(), method);
  const isSearched = requiresBody(toExpectation(options));
  const hasFragment = ({ url }: Job) => options.checkFragments && fragmentOf(url) !== '';
  for await (const batch of jobs) {
    const checked = rejectHeadChecks(batch, method, (job) => isSearched || hasFragment(job));
    yield conflicts?.check(checked) ?? checked;
  }
}

/** @param isSearched whether the body of the response to a job is searched, apart from what the job expects */
function* rejectHeadChecks(
  jobs: Iterable<Job>,
  method: string,
  isSearched: (job: Job) => boolean,
): Generator<Job> {
  const defaults = { method, headers: {} };
  for (const job of jobs) {
    const isHead = job.invalid === undefined && firstMethod(job, defaults) === 'HEAD';
    const hasChecks = isHead && (isSearched(job) || (job.expect !== undefined && requiresBody(job.expect)));
    yield hasChecks ? { ...job, invalid: HEAD_BODY } : job;
  }
}

/** A set that may be too large for a `Set`. */
interface TextSet {
  has(text: string): boolean;
  add(text: string): unknown;
}

/** Gives each name that jobs request with `save` to the first URL that requests it, in list order. */
export class NameConflicts {
  readonly #names: TextSet;
  readonly #owners: TextSet;
  readonly #defaultMethod: string;

  /** @param createSet creates an empty set of texts, which will hold one text for each name */
  constructor(createSet: () => TextSet, defaultMethod: string) {
    this.#names = createSet();
    this.#owners = createSet();
    this.#defaultMethod = defaultMethod;
  }

  /** Yields the jobs. A job whose name belongs to another URL is marked as invalid. */
  *check(jobs: Iterable<Job>): Generator<Job> {
    for (const job of jobs) {
      const conflict = job.invalid === undefined ? this.#conflict(job) : undefined;
      yield conflict === undefined ? job : { ...job, invalid: conflict };
    }
  }

  #conflict(job: Job): string | undefined {
    if (job.save === undefined) return undefined;
    const name = foldCase(job.save);
    const owner = `${name}\n${bodyKey(job, this.#defaultMethod)}`;
    if (this.#owners.has(owner)) return undefined;
    if (this.#names.has(name)) {
      return `invalid value "${excerpt(job.save)}" for "save": an earlier job with another URL has this name`;
    }
    this.#names.add(name);
    this.#owners.add(owner);
    return undefined;
  }
}

/** Maps names to one text that some file systems treat as equal. */
function foldCase(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase();
}
