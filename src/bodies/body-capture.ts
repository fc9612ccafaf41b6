import type { Job } from '../model/job.ts';
import type { KeptBody } from '../model/result.ts';
import { BodyError, type BodySink, BodySinkGroup, InlineSink } from './body-sink.ts';
import type { FileSaver, SaveRequest } from './file-sink.ts';
import type { Headers, ResumePoint } from './resume.ts';

export interface BodyCaptureOptions {
  /** `--save-dir`. */
  readonly saver?: FileSaver | undefined;
  /** `--inline-body`: bytes of a body that go into its record at most. */
  readonly inlineBytes?: number | undefined;
  /** Bytes of a body that is saved. */
  readonly maxBytes: number;
  /** Bytes of a body that is not. */
  readonly maxDroppedBytes: number;
  /** Whether another request follows an answer with this head, such as the next hop of a redirect. */
  readonly isFollowed: (job: Job, status: number, headers: Headers) => boolean;
  /** Whether an answer with this head can be OK in the end. */
  readonly mayBeOk: (job: Job, status: number, headers: Headers) => boolean;
  /** Whether the body is looked through as it comes, from its beginning. */
  readonly isSearched: (job: Job) => boolean;
}

/** How the body of an answer is read. */
export interface BodyPlan {
  readonly maxBytes: number;
  readonly taker: BodySink | undefined;
  /** What the answer counts as. */
  readonly status: number;
}

/** What becomes of the body of one answer: made before the request is sent, and used for it alone. */
export class BodyCapture {
  readonly #options: BodyCaptureOptions;
  readonly #asked: SaveRequest;
  readonly #point: ResumePoint | undefined;
  #taker: BodySink | undefined;
  #isPointUsed = false;
  #isToRepeat = false;

  constructor(options: BodyCaptureOptions, asked: SaveRequest, point?: ResumePoint) {
    this.#options = options;
    this.#asked = asked;
    this.#point = point;
  }

  /** Headers that the request has beside its own. */
  get headers(): Readonly<Record<string, string>> | undefined {
    return this.#point?.headers;
  }

  /** Whether the server must be asked again, for the whole: it did not give the rest that it was asked for. */
  get isToRepeat(): boolean {
    return this.#isToRepeat;
  }

  /** The head of the answer is there. */
  receive(status: number, headers: Headers): BodyPlan {
    const start = this.#point?.continuation(status, headers);
    if (start === 'odd') {
      this.#isPointUsed = true;
      // If the beginning cannot be removed, asking again would end here again.
      this.#isToRepeat = this.#point?.part.discard() === true;
      this.#taker = UNASKED_PART;
      return { maxBytes: 0, taker: this.#taker, status };
    }
    const { saver, maxBytes } = this.#options;
    if (saver !== undefined && this.#point !== undefined && typeof start === 'object') {
      this.#isPointUsed = true;
      this.#taker = saver.goOn(this.#asked, this.#point, start); // a record would have the rest alone
      return { maxBytes: Math.max(0, maxBytes - start.bytes), taker: this.#taker, status: 200 };
    }
    return this.#begin(status, headers);
  }

  /** The body came to an early end. */
  breakOff(): void {
    this.#taker?.drop(true);
  }

  /** The answer is judged: gives what is kept of its body. Throws a BodyError when that is a failure. */
  end(isOk: boolean, isWhole: boolean): KeptBody | undefined {
    this.#leavePoint();
    return this.#taker?.end(isOk, isWhole);
  }

  /** No part of the body is kept. */
  drop(): void {
    this.#leavePoint();
    this.#taker?.drop(false);
  }

  #begin(status: number, headers: Headers): BodyPlan {
    this.#leavePoint();
    const { saver, maxBytes, maxDroppedBytes, isFollowed, mayBeOk } = this.#options;
    const { job, method } = this.#asked;
    const hasBody = method !== 'HEAD' && !isFollowed(job, status, headers);
    const isSaved = hasBody && saver !== undefined && (saver.keepsFailed || mayBeOk(job, status, headers));
    if (hasBody) this.#taker = this.#withInline(isSaved ? this.#saving(saver, status, headers) : undefined);
    return { maxBytes: isSaved ? maxBytes : maxDroppedBytes, taker: this.#taker, status };
  }

  #saving(saver: FileSaver, status: number, headers: Headers): BodySink {
    const isAskedFor = status !== 206 || 'range' in this.#asked.headers;
    return isAskedFor ? saver.begin(this.#asked, status, headers) : UNASKED_PART;
  }

  #withInline(taker: BodySink | undefined): BodySink | undefined {
    const { inlineBytes } = this.#options;
    if (inlineBytes === undefined) return taker;
    const inline = new InlineSink(inlineBytes);
    return taker === undefined ? inline : new BodySinkGroup([taker, inline]);
  }

  /** Lets go of a beginning that the answer does not go on with: a new one is put in its place. */
  #leavePoint(): void {
    if (this.#isPointUsed) return;
    this.#isPointUsed = true;
    this.#point?.part.leave();
  }
}

/** Nobody has asked for a part, and a part must not look like the whole. */
const UNASKED_PART: BodySink = {
  write() {},
  end(isOk) {
    if (isOk) throw new BodyError('protocol', undefined, 'a part of the body came that was not asked for');
    return undefined;
  },
  drop() {},
};
