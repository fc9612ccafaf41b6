import type { Hash } from 'node:crypto';
import type { Job, KeptFile } from '../model/job.ts';
import type { KeptBody, ResponseHeaders } from '../model/result.ts';
import { BodyError, type BodySink, BodySinkGroup, InlineSink } from './body-sink.ts';
import type { FileSaver, SaveRequest } from './file-sink.ts';
import type { ResumePoint } from './resume.ts';
import { conditionalHeaders, isConditional, keptBody, validatorsOf } from './revalidation.ts';

export interface BodyCaptureOptions {
  /** `--save-dir`. */
  readonly saver?: FileSaver | undefined;
  /** `--inline-body`: the maximum number of bytes of a body in its record. */
  readonly inlineBytes?: number | undefined;
  /** Whether a body in a result is a `Buffer`, and not text or base64. */
  readonly keepsBuffers?: boolean | undefined;
  /** Limit in bytes for a body that is saved. */
  readonly maxBytes: number;
  /** Limit in bytes for a body that is not saved. */
  readonly maxUnsavedBytes: number;
  /** Whether another request follows a response with this head, such as the next hop of a redirect. */
  readonly isFollowed: (job: Job, status: number, headers: ResponseHeaders) => boolean;
  /** Whether a response with this head can still be OK. */
  readonly mayBeOk: (request: SaveRequest, status: number, headers: ResponseHeaders) => boolean;
  /** Whether a response can be judged that says only that the body has not changed. */
  readonly mayRevalidate: (request: SaveRequest) => boolean;
}

/** How the body of a response is read. */
interface BodyPlan {
  readonly maxBytes: number;
  readonly sink: BodySink | undefined;
  /** The status the response counts as: 200 for a 206 that completes a resumed body. */
  readonly status: number;
  /** Hash of the start of the body, if that is in a partial file. */
  readonly partialHash?: Hash | undefined;
  /** Whether the body is that of the file of an earlier run, which the server does not send again. */
  readonly isUnchanged?: boolean;
}

/**
 * The body of one response on its way to its file and its record. Create it before the request is sent, since a resumed
 * download adds headers to the request.
 */
export class BodyCapture {
  readonly #options: BodyCaptureOptions;
  readonly #request: SaveRequest;
  readonly #resumePoint: ResumePoint | undefined;
  readonly #kept: KeptFile | undefined;
  readonly #conditions: Readonly<Record<string, string>> | undefined;
  #sink: BodySink | undefined;
  /** Whether the partial file of the resume point is in use, or was released or removed. */
  #isPartialHandled = false;
  #mustRestart = false;
  #discarded: Promise<void> | undefined;
  /** The validators of a response that says that the body has not changed. */
  #unchanged: ReturnType<typeof validatorsOf> | undefined;

  /** @param kept the file of an earlier run */
  constructor(options: BodyCaptureOptions, request: SaveRequest, resumePoint?: ResumePoint, kept?: KeptFile) {
    this.#options = options;
    this.#request = request;
    this.#resumePoint = resumePoint;
    this.#kept = kept;
    const isAsked = kept?.url === request.url && resumePoint === undefined;
    if (isAsked && !isConditional(request.headers) && options.mayRevalidate(request)) {
      this.#conditions = conditionalHeaders(kept);
    }
  }

  /**
   * Looks for the partial file of an earlier attempt or run, which is resumed, and for the file of an earlier run, which is
   * refreshed. Returns a promise if there may be one.
   */
  static prepare(
    options: BodyCaptureOptions,
    request: SaveRequest,
    mayResume: boolean,
  ): BodyCapture | Promise<BodyCapture> {
    const { saver } = options;
    const partial = mayResume ? saver?.findPartial(request) : undefined;
    const earlier = saver?.findKept(request);
    if (partial === undefined && earlier === undefined) return new BodyCapture(options, request);
    return Promise.all([partial, earlier]).then((found) => new BodyCapture(options, request, ...found));
  }

  /** Headers to add to the request: those that ask for the rest of a partial body, or only for a body that has changed. */
  get requestHeaders(): Readonly<Record<string, string>> | undefined {
    return this.resumeHeaders ?? this.#conditions;
  }

  /** Headers that ask for the rest of a partial body; `undefined` if the whole is requested. */
  get resumeHeaders(): Readonly<Record<string, string>> | undefined {
    return this.#resumePoint?.headers;
  }

  /**
   * Whether the server did not send the rest that was requested. The partial file is removed before `drop` is done, so the
   * next request asks for the whole body.
   */
  get mustRestart(): boolean {
    return this.#mustRestart;
  }

  /** Whether only the rest of the body is requested. */
  get isResumed(): boolean {
    return this.#resumePoint !== undefined;
  }

  /** Whether there is something to complete or to discard. */
  get isUsed(): boolean {
    return this.#sink !== undefined || this.#resumePoint !== undefined || this.#kept !== undefined;
  }

  /** Call when the head of the response has arrived. */
  onHead(status: number, headers: ResponseHeaders): BodyPlan {
    if (status === 304 && this.#conditions !== undefined) {
      this.#unchanged = validatorsOf(headers);
      return { maxBytes: this.#options.maxUnsavedBytes, sink: undefined, status, isUnchanged: true };
    }
    const continuation = this.#resumePoint?.continuation(status, headers);
    if (continuation === 'invalid-range') {
      this.#isPartialHandled = true;
      this.#mustRestart = true;
      this.#discarded = this.#resumePoint?.file.discard();
      this.#sink = UNREQUESTED_PART;
      return { maxBytes: 0, sink: this.#sink, status };
    }
    const { saver, maxBytes } = this.#options;
    if (saver !== undefined && this.#resumePoint !== undefined && typeof continuation === 'object') {
      this.#isPartialHandled = true;
      // No inline sink: the record would have only the rest.
      this.#sink = saver.resume(this.#request, this.#resumePoint, continuation, headers);
      const rest = Math.max(0, maxBytes - continuation.bytes);
      return { maxBytes: rest, sink: this.#sink, status: 200, partialHash: continuation.hash };
    }
    return this.#captureWhole(status, headers);
  }

  /** Call when the body ended early. What has arrived may be resumed later, after `end` or `drop` is done. */
  interrupt(): void {
    this.#sink?.drop(true);
  }

  /** Completes the body after the response was validated. Rejects with a `BodyError` if it cannot be kept. */
  async end(isOk: boolean, isWhole: boolean): Promise<KeptBody | undefined> {
    this.#releasePartial();
    const kept = this.#kept;
    if (kept === undefined) return this.#sink?.end(isOk, isWhole);
    if (this.#unchanged !== undefined) {
      return isOk ? { ...keptBody(kept), ...this.#unchanged, note: 'unchanged' } : undefined;
    }
    const body = await this.#sink?.end(isOk, isWhole);
    const isSame = body?.sha256 !== undefined && body.sha256 === kept.sha256;
    return body?.path === undefined ? body : { ...body, note: isSame ? 'unchanged' : 'changed' };
  }

  /** Discards the body. Done when its files are closed. Never rejects. */
  async drop(): Promise<void> {
    this.#releasePartial();
    await this.#discarded;
    await this.#sink?.drop(false);
  }

  #captureWhole(status: number, headers: ResponseHeaders): BodyPlan {
    this.#releasePartial();
    const { saver, maxBytes, maxUnsavedBytes, isFollowed, mayBeOk } = this.#options;
    const { job, method } = this.#request;
    const hasBody = method !== 'HEAD' && !isFollowed(job, status, headers);
    // The body of a failed response does not replace a file that is refreshed.
    const savesAll = saver?.saveAll === true && job.kept === undefined;
    const isSaved = hasBody && saver !== undefined && (savesAll || mayBeOk(this.#request, status, headers));
    if (hasBody) this.#sink = this.#withInline(isSaved ? this.#save(saver, status, headers) : undefined);
    return { maxBytes: isSaved ? maxBytes : maxUnsavedBytes, sink: this.#sink, status };
  }

  #save(saver: FileSaver, status: number, headers: ResponseHeaders): BodySink {
    const isRequested = status !== 206 || 'range' in this.#request.headers;
    if (!isRequested) return UNREQUESTED_PART;
    const expectedBytes = this.#resumePoint?.expectedBytes(status, headers);
    return saver.create(this.#request, status, headers, expectedBytes);
  }

  #withInline(sink: BodySink | undefined): BodySink | undefined {
    const { inlineBytes, keepsBuffers = false } = this.#options;
    if (inlineBytes === undefined) return sink;
    const inline = new InlineSink(inlineBytes, keepsBuffers);
    return sink === undefined ? inline : new BodySinkGroup([sink, inline]);
  }

  /** Releases a partial file that this response does not continue. A new file replaces it. */
  #releasePartial(): void {
    if (this.#isPartialHandled) return;
    this.#isPartialHandled = true;
    this.#resumePoint?.file.keep();
  }
}

/** Refuses a part of a body that was not requested, so that it is not taken for the whole body. */
const UNREQUESTED_PART: BodySink = {
  write: () => undefined,
  end(isOk) {
    if (isOk)
      throw new BodyError('protocol', undefined, 'the server sent a part of the body instead of the whole');
    return undefined;
  },
  drop: () => undefined,
};
