import { BodyInspector } from '../bodies/body-inspector.ts';
import { TextMatcher } from '../bodies/text-matcher.ts';
import type { HttpResponse } from '../http/attempt.ts';
import type { ResponseHeaders } from '../http/exchange.ts';
import { isRedirect } from '../http/redirect.ts';
import {
  bothExpectations,
  type Expectation,
  type ExpectedHeader,
  expectsText,
} from '../model/expectation.ts';
import type { Failure } from '../model/failure.ts';
import type { Job } from '../model/job.ts';
import { printable } from '../model/printable.ts';
import type { Result } from '../model/result.ts';
import { blockedBy, mayBeBlocked } from './bot-protection.ts';
import type { RequestTask } from './request-task.ts';
import { failedResult, okResult, statusFailure } from './task-result.ts';

/** An answer that came to its end, as far as it is held against an expectation. */
interface CheckedResponse {
  readonly headers: ResponseHeaders;
  /** Length of the whole attempt in ms. */
  readonly durationMs: number;
  /** What the body has or has not, against what was asked for. */
  readonly textFault: string | undefined;
}

/** The first thing that an answer is not, in words, or `undefined` when it is all that is expected. */
export function checkExpectation(expectation: Expectation, judged: CheckedResponse): string | undefined {
  const { headers, maxTimeMs } = expectation;
  for (const header of headers) {
    const fault = headerFault(header, judged.headers);
    if (fault !== undefined) return fault;
  }
  if (judged.textFault !== undefined) return judged.textFault;
  if (maxTimeMs === undefined || judged.durationMs <= maxTimeMs) return undefined;
  return `it took ${Math.round(judged.durationMs)}ms, more than ${maxTimeMs}ms`;
}

function headerFault({ name, value }: ExpectedHeader, headers: ResponseHeaders): string | undefined {
  const given = headers[name];
  if (given === undefined) return `the answer has no header ${name}`;
  const values = Array.isArray(given) ? given : [given];
  if (value === '' || values.some((one) => isSame(one, value))) return undefined;
  return `the header ${name} is "${printable(values.join(', '), 100)}", not "${printable(value, 100)}"`;
}

/** In any case, and without the parameters behind a `;` when none are asked for. */
function isSame(given: string, wanted: string): boolean {
  const compared = wanted.includes(';') ? given : (given.split(';', 1)[0] ?? '');
  return compared.trim().toLowerCase() === wanted.toLowerCase();
}

export interface ResponseValidatorOptions {
  /** Status codes that are OK where a job does not say otherwise. */
  readonly accept: { has(status: number): boolean };
  readonly maxRedirects: number;
  /** What is expected of every answer that is OK. */
  readonly expectation: Expectation;
  /** What an answer is that tells robots to go away. */
  readonly blocked: 'fail' | 'warn' | 'ok';
}

/** Judges the answer that a URL ends with: its status, what is expected of it, and whether it is one for robots. */
export class ResponseValidator {
  readonly #options: ResponseValidatorOptions;
  readonly #expectsText: boolean;

  constructor(options: ResponseValidatorOptions) {
    this.#options = options;
    this.#expectsText = expectsText(options.expectation);
  }

  /** Whether an answer leads to another URL, and is none itself. */
  isFollowed(job: Job, status: number, headers: ResponseHeaders): boolean {
    const isWanted = job.expect?.status?.has(status) === true;
    const mayFollow = this.#options.maxRedirects > 0 && !isWanted;
    return mayFollow && isRedirect(status) && headers.location !== undefined;
  }

  isAccepted(job: Job, status: number): boolean {
    return (job.expect?.status ?? this.#options.accept).has(status);
  }

  /** Whether an answer with this head can be OK in the end. */
  mayBeOk(job: Job, status: number, headers: ResponseHeaders): boolean {
    if (this.isAccepted(job, status)) return true;
    return this.#options.blocked !== 'fail' && mayBeBlocked(status, textOf(headers['content-type']));
  }

  /** Whether the verdict on an answer with this head depends on its body: no refusal and no redirect does. */
  needsBody(job: Job, status: number, headers: ResponseHeaders): boolean {
    return this.mayBeOk(job, status, headers) && !this.isFollowed(job, status, headers);
  }

  /** Whether the whole body is looked through. */
  looksForText(job: Job): boolean {
    return this.#expectsText || (job.expect !== undefined && expectsText(job.expect));
  }

  /** What is to look at the body of an answer, if anything is. */
  readerFor(job: Job, status: number, headers: ResponseHeaders): BodyInspector | undefined {
    const contentType = textOf(headers['content-type']);
    const keepsStart = mayBeBlocked(status, contentType);
    const looksForText = this.looksForText(job) && this.isAccepted(job, status);
    if (!keepsStart && !looksForText) return undefined;
    const matcher = looksForText ? new TextMatcher(this.#expectationOf(job), contentType) : undefined;
    return new BodyInspector({ matcher, keepsStart });
  }

  /** The result of an answer whose status is OK. */
  accepted(task: RequestTask, answer: HttpResponse): Result {
    const blocked = this.#blocked(task, answer);
    if (blocked !== undefined) return blocked;
    const { job } = task;
    const { expectation } = this.#options;
    const fault = checkExpectation(job.expect === undefined ? expectation : this.#expectationOf(job), {
      headers: answer.headers,
      durationMs: task.elapsedMs,
      textFault: answer.reader?.textFault(),
    });
    if (fault === undefined) return okResult(task, answer);
    const message = answer.isTruncated ? `${fault}; it was read no further than --max-size` : fault;
    return failedResult(task, { kind: 'expectation', message }, answer);
  }

  /** The result of an answer whose status is not OK and that is not asked for again. */
  refused(task: RequestTask, answer: HttpResponse, failure: Failure = statusFailure(answer)): Result {
    return this.#blocked(task, answer) ?? failedResult(task, failure, answer);
  }

  #blocked(task: RequestTask, answer: HttpResponse): Result | undefined {
    const says = blockedBy(answer.status, answer.headers, answer.reader?.start ?? '');
    // What is OK by the wish of the user stays OK: `--accept 429`.
    if (says === undefined || (answer.status >= 300 && this.isAccepted(task.job, answer.status))) {
      return undefined;
    }
    const failure: Failure = { kind: 'blocked', message: `${answer.status}, ${says}` };
    switch (this.#options.blocked) {
      case 'fail':
        return failedResult(task, failure, answer);
      case 'warn':
        return { ...okResult(task, answer), warning: failure };
      case 'ok':
        return okResult(task, answer);
    }
  }

  #expectationOf(job: Job): Expectation {
    return bothExpectations(this.#options.expectation, job.expect);
  }
}

function textOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' ? header : (header?.[0] ?? '');
}
