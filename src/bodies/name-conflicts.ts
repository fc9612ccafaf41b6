import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import { bodyKey } from './file-name.ts';

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
      return `invalid value "${printable(job.save, 200)}" for "save": an earlier job with another URL has this name`;
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
