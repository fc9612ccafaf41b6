import type { JobWire } from '../broker/job-line.ts';
import { parseExpectation } from '../config/expectation.ts';
import { expectedHeaders } from '../config/parsers/expected-headers.ts';
import { regexps } from '../config/parsers/regexps.ts';
import { statusSet } from '../config/parsers/status-set.ts';
import { parseJobInput } from '../input/parse-job-input.ts';
import type { Expectation } from '../model/expectation.ts';
import type { Job } from '../model/job.ts';

/** Jobs on their way through a broker have the form of a JSON line of an input, and are checked as such. */
export const jobWire: JobWire = {
  write: (job) => ({ url: job.url, method: job.method, id: job.id, ...requestOf(job) }),
  read: (request) => parseJobInput(request, '', { parseExpectation }),
};

/** What a job has beside URL, method and id, as a JSON line has it. */
export function requestOf({ headers, body, save, expect }: Job) {
  return { headers, body, save, expect: expect === undefined ? undefined : expectInput(expect) };
}

/** An expectation as a user writes it. */
function expectInput({ status, contains, notContains, matches, headers, maxTimeMs }: Expectation): object {
  return {
    // The status set of a job is one that `parseExpectation` made.
    status: status === undefined ? undefined : statusSet.print(status as ReturnType<typeof statusSet.parse>),
    contains: contains.length === 0 ? undefined : contains,
    notContains: notContains.length === 0 ? undefined : notContains,
    matches: matches.length === 0 ? undefined : regexps.print(matches),
    header: headers.length === 0 ? undefined : expectedHeaders.print(headers),
    maxTime: maxTimeMs,
  };
}
