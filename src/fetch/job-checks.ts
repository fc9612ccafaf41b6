import { NameConflicts } from '../bodies/name-conflicts.ts';
import { toExpectation } from '../config/expectations.ts';
import type { RunOptions } from '../config/run-options.ts';
import { firstMethod } from '../http/hop.ts';
import { KeySet } from '../input/hash-set.ts';
import { requiresBody } from '../model/expectation.ts';
import type { Job } from '../model/job.ts';

const HEAD_BODY = 'cannot check the body of a HEAD response: remove the body checks, or use GET';

/** The jobs of a run. One that asks for the file of another URL, or for the text of a response without a body, becomes invalid. */
export async function* rejectInvalidJobs(
  jobs: AsyncIterable<Iterable<Job>>,
  options: RunOptions,
): AsyncGenerator<Iterable<Job>> {
  const { method, saveDir } = options;
  const conflicts = saveDir === undefined ? undefined : new NameConflicts(() => new KeySet(), method);
  const isSearched = requiresBody(toExpectation(options));
  for await (const batch of jobs) {
    const checked = rejectHeadChecks(batch, method, isSearched);
    yield conflicts?.check(checked) ?? checked;
  }
}

/** @param isSearched whether the body of each response is searched */
function* rejectHeadChecks(jobs: Iterable<Job>, method: string, isSearched: boolean): Generator<Job> {
  for (const job of jobs) {
    const isHead = job.invalid === undefined && firstMethod(job, { method, headers: {} }) === 'HEAD';
    const hasChecks = isHead && (isSearched || (job.expect !== undefined && requiresBody(job.expect)));
    yield hasChecks ? { ...job, invalid: HEAD_BODY } : job;
  }
}
