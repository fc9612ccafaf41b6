import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import { bodyKey } from './file-name.ts';

/** A set of texts that only grows. */
export interface TextSet {
  has(text: string): boolean;
  add(text: string): unknown;
}

/** Gives each name that jobs ask for by `save` to the first URL that does, in the order of the list. */
export class NameConflicts {
  readonly #names: TextSet;
  readonly #owners: TextSet;
  readonly #defaultMethod: string;

  /** @param makeSet makes an empty set, in which there will be two texts for each name */
  constructor(makeSet: () => TextSet, defaultMethod: string) {
    this.#names = makeSet();
    this.#owners = makeSet();
    this.#defaultMethod = defaultMethod;
  }

  /** The jobs; one that cannot have its name says why in `invalid`. */
  *check(jobs: Iterable<Job>): Generator<Job> {
    for (const job of jobs) {
      const refusal = job.invalid === undefined ? this.refusal(job) : undefined;
      yield refusal === undefined ? job : { ...job, invalid: refusal };
    }
  }

  /** Why this job cannot have the name that it asks for, or `undefined` when it can. */
  refusal(job: Job): string | undefined {
    if (job.save === undefined) return undefined;
    const name = folded(job.save);
    const owner = `${name}\n${bodyKey(job, this.#defaultMethod)}`;
    if (this.#owners.has(owner)) return undefined;
    if (this.#names.has(name)) {
      return `Cannot use "${printable(job.save, 200)}" for "save": a job before it has this name for another URL`;
    }
    this.#names.add(name);
    this.#owners.add(owner);
    return undefined;
  }
}

/** The same for names that some file systems take for one. */
function folded(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase();
}
