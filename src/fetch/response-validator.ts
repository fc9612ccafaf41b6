import { createHash, type Hash } from 'node:crypto';
import { BodyInspector } from '../bodies/body.ts';
import { unsupportedCoding } from '../bodies/decompress.ts';
import { AnchorReader, anchorFault, fragmentOf, isHtml, TitleFinder } from '../bodies/html-page.ts';
import { TextMatcher } from '../bodies/text-matcher.ts';
import { durationText } from '../config/parse/numbers.ts';
import type { HttpResponse } from '../http/attempt.ts';
import { isRedirect } from '../http/redirect.ts';
import {
  type Expectation,
  type ExpectedHeader,
  mergeExpectations,
  requiresText,
} from '../model/expectation.ts';
import type { Failure } from '../model/failure.ts';
import type { Job } from '../model/job.ts';
import { excerpt, printable } from '../model/printable.ts';
import { movedTo, type OkResult, type ResponseHeaders, type Result } from '../model/result.ts';
import { originOf, pathOf } from '../model/url.ts';
import { EXCLUDED_CODE } from '../model/url-filter.ts';
import { blockedBy, mayBeBlocked } from './bot-protection.ts';
import type { RequestTask } from './request-task.ts';
import { daysUntil, failedResult, okResult, statusFailure, statusReason } from './task-result.ts';

/** A job, and the URL of the hop that is judged. */
interface Asked {
  readonly job: Job;
  readonly url: string;
}

interface StatusCodes {
  has(status: number): boolean;
}

export interface ResponseValidatorOptions {
  /** Status codes that are OK, unless the job names others. */
  readonly accept: StatusCodes;
  /** Those that are OK at a URL instead, if any. */
  readonly acceptAt?: ((url: string) => StatusCodes | undefined) | undefined;
  readonly maxRedirects: number;
  /** Expected of every response that counts as OK. */
  readonly expectation: Expectation;
  /** What URLs count as that redirect, and those that redirect permanently. */
  readonly redirects: Verdict;
  readonly permanentRedirects: Verdict;
  /** How a page that turns robots away counts. */
  readonly blocked: Verdict;
  /** Days that the certificates of all https hops must be valid from the start of the attempt. */
  readonly certificateDays?: number | undefined;
  /** Whether the title of each page is looked for. */
  readonly findsTitle?: boolean | undefined;
  /** Whether the anchors of a page that counts as OK are looked for. */
  readonly findsAnchors?: boolean | undefined;
  /** Whether the result of such a page has its anchors, for `judgeAnchors()`. Then neither they nor redirects are judged. */
  readonly keepsAnchors?: boolean | undefined;
  /** Whether bodies are decoded. */
  readonly decompresses?: boolean | undefined;
}

/** Longest part of a URL in a message. */
const MAX_TARGET = 300;

const NOT_SEARCHED: Failure = {
  kind: 'size',
  message: 'the body is larger than --max-size, and the rest was not checked for unwanted text',
};

const NOT_HASHED: Failure = {
  kind: 'size',
  message: 'the body is larger than --max-size, so its SHA-256 was not checked',
};

/** Decides whether the final response of a URL is OK: by its status, by what is expected of it, and by whether it blocks robots. */
export class ResponseValidator {
  readonly #options: ResponseValidatorOptions;
  readonly #expectsText: boolean;

  constructor(options: ResponseValidatorOptions) {
    this.#options = options;
    this.#expectsText = requiresText(options.expectation);
  }

  /** Whether the next hop goes to the target of this redirect. */
  isFollowed(job: Job, status: number, headers: ResponseHeaders): boolean {
    const isWanted = job.expect?.status?.has(status) === true;
    const mayFollow = this.#options.maxRedirects > 0 && !isWanted;
    return mayFollow && isRedirect(status) && headers.location !== undefined;
  }

  isAccepted(asked: Asked, status: number): boolean {
    return this.#accepts(asked).has(status);
  }

  #accepts({ job, url }: Asked): StatusCodes {
    return job.expect?.status ?? this.#options.acceptAt?.(url) ?? this.#options.accept;
  }

  /** Whether a response with this head may count as OK. */
  mayBeOk(asked: Asked, status: number, headers: ResponseHeaders): boolean {
    if (this.isAccepted(asked, status)) return true;
    return this.#options.blocked !== 'fail' && mayBeBlocked(status, textOf(headers['content-type']));
  }

  /**
   * Whether the verdict on a response with this head depends on its body.
   *
   * @param isOptional whether an OK response may lack the rest of a body that is not inspected
   */
  needsBody(asked: Asked, status: number, headers: ResponseHeaders, isOptional = false): boolean {
    if (!this.mayBeOk(asked, status, headers) || this.isFollowed(asked.job, status, headers)) return false;
    const contentType = textOf(headers['content-type']);
    return !isOptional || this.#requires(asked, status, contentType).includes(true);
  }

  /** Whether a 304 to a request for a body that was saved before can be judged: it has neither that body nor its headers. */
  mayRevalidate(asked: Asked): boolean {
    const { job } = asked;
    const readsBody = this.looksForText(job) || this.#options.findsAnchors === true;
    return this.isAccepted(asked, 200) && !readsBody && this.#expectationOf(job).headers.length === 0;
  }

  /** Whether the whole body is searched. */
  looksForText(job: Job): boolean {
    return this.#expectsText || (job.expect !== undefined && requiresText(job.expect));
  }

  /**
   * Inspects the body of a response with this head; `undefined` if nothing in it matters.
   *
   * @param partialHash the hash of the start of the body, if that is in a file already
   */
  inspectorFor(
    asked: Asked,
    status: number,
    headers: ResponseHeaders,
    partialHash?: Hash,
  ): BodyInspector | undefined {
    const { job } = asked;
    const contentType = textOf(headers['content-type']);
    const [keepStart, looksForText, isHashed] = this.#requires(asked, status, contentType);
    const findsTitle = this.#options.findsTitle === true && isHtml(contentType);
    const anchors = this.#findsAnchors(asked, status, headers) ? new AnchorReader(contentType) : undefined;
    const isRead = keepStart || looksForText || isHashed || findsTitle || anchors !== undefined;
    if (!isRead) return undefined;
    const matcher = looksForText ? new TextMatcher(this.#expectationOf(job), contentType) : undefined;
    const hash = isHashed ? (partialHash?.copy() ?? createHash('sha256')) : undefined;
    // A resumed body does not come from its start.
    const titleFinder = findsTitle && partialHash === undefined ? new TitleFinder(contentType) : undefined;
    return new BodyInspector({ matcher, anchors, keepStart, hash, titleFinder });
  }

  /** What the verdict requires of a body: its start, its text, its hash. */
  #requires(
    asked: Asked,
    status: number,
    contentType: string,
  ): [start: boolean, text: boolean, hash: boolean] {
    const { job } = asked;
    const isAccepted = this.isAccepted(asked, status);
    return [
      mayBeBlocked(status, contentType),
      isAccepted && this.looksForText(job),
      isAccepted && job.expect?.sha256 !== undefined,
    ];
  }

  /** The result for an accepted status. */
  accepted(task: RequestTask, response: HttpResponse): Result {
    const blocked = this.#blocked(task, response);
    if (blocked !== undefined) return blocked;
    const { job } = task;
    const expectation = this.#expectationOf(job);
    const textFault = response.inspector?.textFault;
    if (response.isTruncated && expectation.sha256 !== undefined) {
      return failedResult(task, NOT_HASHED, response);
    }
    const fault = checkExpectation(expectation, {
      headers: response.headers,
      durationMs: task.elapsedMs,
      textFault,
      url: task.hop.url,
    });
    const failure =
      fault === undefined
        ? (sha256Failure(expectation, response) ?? this.#certificateFailure(task))
        : undefined;
    if (failure !== undefined) return failedResult(task, failure, response);
    if (fault === undefined) {
      const isUnsure = response.isTruncated && expectation.notContains.length > 0;
      return isUnsure ? failedResult(task, NOT_SEARCHED, response) : this.#expected(task, response);
    }
    const message =
      response.isTruncated && fault === textFault ? `${fault} before the cut at --max-size` : fault;
    return failedResult(task, { kind: 'expectation', message }, response);
  }

  /** The result of a response that is as expected. */
  #expected(task: RequestTask, response: HttpResponse): Result {
    const result = okResult(task, response);
    if (this.#options.findsAnchors !== true) return judgeRedirects(result, this.#options);
    const found: Result = { ...result, anchors: anchorsOf(response) };
    return this.#options.keepsAnchors === true ? found : judgeAnchors(found, this.#options);
  }

  /** Whether the anchors in the body of a response with this head are wanted, and can be read. */
  #findsAnchors(asked: Asked, status: number, headers: ResponseHeaders): boolean {
    const { findsAnchors, decompresses = true } = this.#options;
    if (findsAnchors !== true || !this.isAccepted(asked, status) || !isHtml(textOf(headers['content-type'])))
      return false;
    const coding = textOf(headers['content-encoding']);
    return coding === '' || (decompresses && unsupportedCoding(coding) === undefined);
  }

  /** The result for any other status: a failure, unless the page turns robots away and that counts as OK. */
  unaccepted(task: RequestTask, response: HttpResponse, failure?: Failure): Result {
    const own = task.job.expect?.status;
    return (
      this.#blocked(task, response) ??
      failedResult(task, failure ?? statusFailure(response, this.#accepts(task), own !== undefined), response)
    );
  }

  /** The result for an unaccepted response with a Retry-After that is too long, which is `wait` in words. */
  refused(task: RequestTask, response: HttpResponse, wait: string): Result {
    const says = saysBlocked(response) ?? statusReason(response);
    return this.blocked(task, `${this.#withStatus(says, response)}: ${wait}`, response);
  }

  /** The result of a URL that is blocked, as `--blocked` says. One for which nothing was sent is never OK without a warning. */
  blocked(task: RequestTask, message: string, response?: HttpResponse): Result {
    const failure: Failure = { kind: 'blocked', message };
    if (this.#options.blocked === 'fail') return failedResult(task, failure, response);
    const result = okResult(task, response);
    return this.#options.blocked === 'ok' && response !== undefined
      ? result
      : { ...result, warning: failure };
  }

  /** The result for a redirect to a URL that `--exclude` leaves out: whether its target is OK does not matter. */
  unfollowed(task: RequestTask, response: HttpResponse, target: string): Result {
    const message = `not followed: --exclude matches ${excerpt(target, MAX_TARGET)}`;
    return { ...okResult(task, response), warning: { kind: 'redirect', code: EXCLUDED_CODE, message } };
  }

  /** The failure of a task that has met a certificate which is valid for too few days. */
  #certificateFailure({ certificate, startedAt }: RequestTask): Failure | undefined {
    const { certificateDays } = this.#options;
    if (certificateDays === undefined || certificate === undefined) return undefined;
    const { host, validTo } = certificate;
    const days = daysUntil(validTo, startedAt);
    if (days >= certificateDays) return undefined;
    const when = days < 0 ? `expired on ${validTo.slice(0, 10)}` : `expires on ${validTo.slice(0, 10)}`;
    const left = days < 0 ? '' : `, in ${days === 1 ? '1 day' : `${days} days`}`;
    return { kind: 'expectation', message: `the certificate of ${host} ${when}${left}` };
  }

  #blocked(task: RequestTask, response: HttpResponse): Result | undefined {
    const says = saysBlocked(response);
    // With `--accept 429` a 429 is OK.
    if (says === undefined || (response.status >= 300 && this.isAccepted(task, response.status))) {
      return undefined;
    }
    return this.blocked(task, this.#withStatus(says, response), response);
  }

  /** A line of a failure shows the kind, and not the status as that of a warning does. */
  #withStatus(says: string, { status }: HttpResponse): string {
    return this.#options.blocked === 'fail' ? `${says} (${status})` : says;
  }

  #expectationOf(job: Job): Expectation {
    return mergeExpectations(this.#options.expectation, job.expect);
  }
}

function anchorsOf({ headers, isTruncated, inspector }: HttpResponse): Result['anchors'] {
  if (!isHtml(textOf(headers['content-type']))) return 'none';
  if (inspector?.anchors === undefined) return 'unreadable';
  const { names, isComplete } = inspector.anchors;
  return { names, isComplete: isComplete && !isTruncated };
}

type Verdict = 'fail' | 'warn' | 'ok';

type RedirectVerdicts = Pick<ResponseValidatorOptions, 'redirects' | 'permanentRedirects'>;

/** The result of an OK response, which may be that of a redirect. */
function judgeRedirects(result: OkResult, { redirects, permanentRedirects }: RedirectVerdicts): Result {
  if (result.redirects.length === 0) return result;
  const moved = movedTo(result);
  const verdict = moved === undefined ? redirects : stricter(redirects, permanentRedirects);
  if (verdict === 'ok') return result;
  const message =
    moved === undefined
      ? `redirects to ${shown(result.finalUrl ?? result.url)}`
      : `moved permanently: write ${shown(moved)}`;
  const failure: Failure = { kind: 'redirect', message };
  return verdict === 'warn' ? { ...result, warning: failure } : failed(result, failure);
}

function failed({ warning: _, ...result }: OkResult, failure: Failure): Result {
  return { ...result, ok: false, failure };
}

/**
 * The result of a URL whose page has these anchors: judges its redirects and its fragment. A redirect may lead to a fragment of
 * its own, which counts instead of that of the URL (RFC 9110, 10.2.2); a URL without a fragment leads to the whole page.
 */
export function judgeAnchors({ anchors, ...result }: Result, verdicts: RedirectVerdicts): Result {
  if (anchors === undefined || !result.ok) return result;
  const judged = judgeRedirects(result, verdicts);
  if (anchors === 'none' || !judged.ok || fragmentOf(result.url) === '') return judged;
  const fragment = fragmentOf(result.finalUrl ?? result.url);
  const undecided = `cannot check the anchor "${excerpt(fragment)}"`;
  if (anchors === 'unreadable') {
    return { ...judged, warning: { kind: 'expectation', message: `${undecided}: the body was not decoded` } };
  }
  const message = anchorFault(fragment, anchors);
  if (message === undefined) return judged;
  if (anchors.isComplete) return failed(result, { kind: 'expectation', message });
  const cut = `${undecided}: the page was not read to its end (see --max-size)`;
  return { ...judged, warning: { kind: 'size', message: cut } };
}

function stricter(first: Verdict, second: Verdict): Verdict {
  return first === 'fail' || second === 'ok' ? first : second;
}

function shown(url: string): string {
  return printable(url, 500);
}

function saysBlocked({ status, headers, inspector }: HttpResponse): string | undefined {
  return blockedBy(status, headers, inspector?.start ?? '');
}

/** Media that a server may send for ever: radio, cameras, server-sent events. */
const STREAMED_TYPE = /^(?:audio|video)\/|^text\/event-stream|^multipart\/x-mixed-replace/i;

/** Whether a body with this head may never end. */
export function isEndless(headers: ResponseHeaders): boolean {
  return headers['content-length'] === undefined && STREAMED_TYPE.test(textOf(headers['content-type']));
}

function textOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' ? header : (header?.[0] ?? '');
}

/** The facts that an expectation is checked against. */
interface CheckedResponse {
  readonly headers: ResponseHeaders;
  /** Length of the whole attempt in ms. */
  readonly durationMs: number;
  /** What is wrong with the text of the body. */
  readonly textFault: string | undefined;
  /** The URL of the response. */
  readonly url: string;
}

/** The first expectation that a response does not meet, in words; `undefined` if it meets all. */
export function checkExpectation(expectation: Expectation, response: CheckedResponse): string | undefined {
  const { headers, maxTimeMs, finalUrl } = expectation;
  if (finalUrl !== undefined) {
    const url = originOf(response.url) + pathOf(response.url);
    if (url !== finalUrl) return `it leads to ${shown(url)}, not to ${shown(finalUrl)}`;
  }
  for (const header of headers) {
    const fault = headerFault(header, response.headers);
    if (fault !== undefined) return fault;
  }
  if (response.textFault !== undefined) return response.textFault;
  if (maxTimeMs === undefined || response.durationMs <= maxTimeMs) return undefined;
  return `it took ${Math.round(response.durationMs)}ms, more than ${durationText(maxTimeMs)}`;
}

/** Of the failure that a body is not the expected one. */
export const WRONG_BODY_CODE = 'ERR_SHA256';

function sha256Failure({ sha256 }: Expectation, { inspector }: HttpResponse): Failure | undefined {
  const found = inspector?.sha256;
  if (sha256 === undefined || found === undefined || found === sha256) return undefined;
  return {
    kind: 'expectation',
    code: WRONG_BODY_CODE,
    message: `the SHA-256 of the body is ${found}, not ${sha256}`,
  };
}

function headerFault({ name, value }: ExpectedHeader, headers: ResponseHeaders): string | undefined {
  const given = headers[name];
  if (given === undefined) return `the response has no header ${name}`;
  const values = Array.isArray(given) ? given : [given];
  if (value === '' || values.some((one) => isSame(one, value))) return undefined;
  return `the header ${name} is "${printable(values.join(', '), 100)}", not "${printable(value, 100)}"`;
}

/** Compares without case, and without the parameters after a `;` unless some are expected. */
function isSame(given: string, wanted: string): boolean {
  const compared = wanted.includes(';') ? given : (given.split(';', 1)[0] ?? '');
  return compared.trim().toLowerCase() === wanted.toLowerCase();
}
