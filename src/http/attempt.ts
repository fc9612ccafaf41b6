import { Body } from '../bodies/body.ts';
import type { BodyCapture } from '../bodies/body-capture.ts';
import type { BodyInspector } from '../bodies/body-inspector.ts';
import { BodyError } from '../bodies/body-sink.ts';
import type { DecodeError } from '../bodies/decompress.ts';
import { isIdempotent } from '../hosts/retry-policy.ts';
import { originOf, pathOf } from '../model/url.ts';
import type { Agent } from './agent.ts';
import { classify, type Progress } from './classify-error.ts';
import type { Exchange, ExchangeHandler, ExchangeRequest, ResponseHeaders } from './exchange.ts';
import type { Hop } from './hop.ts';
import { AttemptError, type NetworkFailure } from './network-errors.ts';
import {
  absoluteTarget,
  forwardedFailure,
  forwardedHeaders,
  type ProxyRoute,
  type ProxyRoutes,
  refusedByProxy,
} from './proxy.ts';

/**
 * The request of a hop as it is sent: to its origin, or to the proxy that forwards it.
 *
 * @param isLast whether the connection is closed after it, since no other request waits for it
 */
function sentRequest(hop: Hop, proxy: ProxyRoute | undefined, isLast: boolean): ExchangeRequest {
  const { url, method, headers, body } = hop;
  const request = {
    origin: proxy === undefined ? originOf(url) : proxy.origin,
    path: proxy === undefined ? pathOf(url) : absoluteTarget(url),
    method: method as 'GET', // undici's type names the usual methods; it sends any token
    headers: proxy === undefined ? headers : forwardedHeaders(headers, url, proxy),
    // undici would otherwise go by the host header, and connect to an https:// proxy anew for each host.
    servername: proxy?.server.hostname,
    body: body ?? null,
    idempotent: isIdempotent(method),
    // undici closes the connection after a HEAD unless told not to. The one to a proxy serves other hosts, too.
    reset: isLast && proxy === undefined,
  };
  return request; // undici's type leaves `servername` out
}

/** The answer to one hop, its body taken as far as it was wanted. */
export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: ResponseHeaders;
  readonly bytes: number;
  readonly isTruncated: boolean;
  /** What has looked at the body. */
  readonly reader?: BodyInspector | undefined;
}

/**
 * What came of one hop: an answer, a failure, or both when it failed in the middle of the body.
 * `ttfbMs` and `durationMs` count from the start of the hop.
 */
export interface AttemptOutcome {
  readonly answer: HttpResponse | undefined;
  readonly failed: NetworkFailure | undefined;
  readonly ttfbMs: number | undefined;
  readonly durationMs: number;
}

export interface AttemptOptions {
  readonly agent: Agent;
  readonly now: () => number;
  /** Time in ms for the attempt, all its hops together. */
  readonly timeoutMs: number;
  /** Time in ms that the hops before this one took. */
  readonly elapsedMs: number;
  /** Bytes of the body that are wanted, see `Body`, unless `keep` says otherwise. */
  readonly maxBytes: number;
  readonly isDecoded: boolean;
  readonly proxies?: ProxyRoutes | undefined;
  /** Whether the connection is closed after it, since no other request waits for it. */
  readonly isLast?: boolean;
  /** What is done with the body. */
  readonly keep?: BodyCapture | undefined;
  /** What is to look at the body of an answer with this head. */
  readonly readerFor?: (status: number, headers: ResponseHeaders) => BodyInspector | undefined;
  /** Whether an answer with this head is worth nothing without its body; always if left out. */
  readonly needsBody?: (status: number, headers: ResponseHeaders) => boolean;
}

const OVER_LIMIT = new AttemptError('size', undefined, 'the body is larger than wanted');
const UNREADABLE = new AttemptError('protocol', undefined, 'the body cannot be decoded, and nobody needs it');

/** Sends one hop and takes its answer. Resolves always, and once. */
export function attempt(hop: Hop, options: AttemptOptions): Promise<AttemptOutcome> {
  return new Promise((resolve) => {
    new Attempt(hop, options, resolve).start();
  });
}

class Attempt implements ExchangeHandler {
  readonly #hop: Hop;
  readonly #options: AttemptOptions;
  readonly #resolve: (reply: AttemptOutcome) => void;
  readonly #startedAt: number;
  /** The proxy that the request is sent to. */
  readonly #proxy: ProxyRoute | undefined;
  #timer: NodeJS.Timeout | undefined;
  #exchange: Exchange | undefined;
  #ttfbMs: number | undefined;
  #head: { status: number; statusText: string; headers: ResponseHeaders } | undefined;
  #body: Body | undefined;
  #reader: BodyInspector | undefined;
  #isOver = false;

  constructor(hop: Hop, options: AttemptOptions, resolve: (reply: AttemptOutcome) => void) {
    const more = options.keep?.headers;
    this.#hop = more === undefined ? hop : { ...hop, headers: { ...hop.headers, ...more } };
    this.#options = options;
    this.#resolve = resolve;
    this.#startedAt = options.now();
    this.#proxy = options.proxies?.forward(hop.url);
  }

  start(): void {
    const { agent, timeoutMs, elapsedMs, isLast = false } = this.#options;
    const request = sentRequest(this.#hop, this.#proxy, isLast);
    // A timer of the same duration for each attempt costs next to nothing: Node keeps them in one list.
    this.#timer = setTimeout(expire, timeoutMs - elapsedMs, this);
    try {
      this.#exchange = agent.dispatch(request, this);
    } catch (error) {
      this.onError(error as Error); // undici throws only its InvalidArgumentError here
    }
  }

  expire(): void {
    const message = `no complete answer within ${this.#options.timeoutMs}ms`;
    this.#exchange?.abort(new AttemptError('timeout', 'ERR_TIMEOUT', message));
  }

  onHead(status: number, headers: ResponseHeaders, statusText: string): void {
    if (status === 407 && this.#proxy !== undefined) {
      this.#exchange?.abort(refusedByProxy(this.#proxy, 'request', status, statusText));
      return;
    }
    this.#ttfbMs = this.#options.now() - this.#startedAt;
    const reception = this.#options.keep?.receive(status, headers);
    this.#head = { status: reception?.status ?? status, headers, statusText };
    this.#reader = this.#options.readerFor?.(this.#head.status, headers);
    const encoding = this.#options.isDecoded ? headers['content-encoding'] : undefined;
    this.#body = new Body({
      maxBytes: reception?.maxBytes ?? this.#options.maxBytes,
      contentEncoding: Array.isArray(encoding) ? encoding.join(',') : encoding,
      taker: reception?.taker,
      reader: this.#reader,
    });
  }

  onData(chunk: Buffer): void {
    if (this.#isOver || this.#body === undefined) return;
    try {
      this.#body.write(chunk);
      if (this.#body.isOverLimit) this.#exchange?.abort(OVER_LIMIT);
    } catch (error) {
      this.#exchange?.abort(this.#bodyFailure(error as BodyError | DecodeError)); // `Body.write` throws nothing else
    }
  }

  onEnd(): void {
    try {
      this.#body?.end();
      this.#finish();
    } catch (error) {
      this.onError(this.#bodyFailure(error as BodyError | DecodeError)); // `Body.end` throws nothing else
    }
  }

  onError(error: Error): void {
    if (error === OVER_LIMIT || error === UNREADABLE) {
      if (error === UNREADABLE) this.#options.keep?.breakOff();
      this.#finish();
      return;
    }
    const failed = classify(error, this.#progress());
    this.#finish(this.#proxy === undefined ? failed : forwardedFailure(failed, error, this.#proxy));
  }

  /** A refusal or a redirect is one also with a body that cannot be decoded, which is then not kept. */
  #bodyFailure(error: BodyError | DecodeError): AttemptError {
    if (error instanceof BodyError) return new AttemptError(error.kind, error.code, error.message);
    const { needsBody = () => true } = this.#options;
    const isNeeded = this.#head === undefined || needsBody(this.#head.status, this.#head.headers);
    return isNeeded ? new AttemptError('protocol', error.code, error.message) : UNREADABLE;
  }

  /** A request that may be repeated was repeated on a fresh connection when a kept one failed, see `Exchange`. */
  #progress(): Progress {
    return { hasHead: this.#head !== undefined, isFresh: isIdempotent(this.#hop.method) };
  }

  #finish(failed?: NetworkFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (failed !== undefined) this.#options.keep?.breakOff();
    this.#resolve({
      answer: this.#answer(),
      failed,
      ttfbMs: this.#ttfbMs,
      durationMs: this.#options.now() - this.#startedAt,
    });
  }

  #answer(): HttpResponse | undefined {
    if (this.#head === undefined || this.#body === undefined) return undefined;
    const { status, statusText, headers } = this.#head;
    const { bytes, isOverLimit } = this.#body;
    return { status, statusText, headers, bytes, isTruncated: isOverLimit, reader: this.#reader };
  }
}

function expire(attempt: Attempt): void {
  attempt.expire();
}
