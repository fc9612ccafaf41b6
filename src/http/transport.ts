import { Body, type BodyInspector } from '../bodies/body.ts';
import type { BodyCapture } from '../bodies/body-capture.ts';
import { BodyError } from '../bodies/body-sink.ts';
import { DecodeError, unsupportedCoding } from '../bodies/decompress.ts';
import { durationText } from '../config/parse/numbers.ts';
import { isIdempotent } from '../hosts/retry-policy.ts';
import { printable } from '../model/printable.ts';
import type { ResponseHeaders } from '../model/result.ts';
import { originOf, pathOf } from '../model/url.ts';
import type { Agent } from './agent.ts';
import type { AttemptOutcome, AttemptRequest, BodyRules, HttpResponse, OnOutcome } from './attempt.ts';
import { classifyError } from './classify-error.ts';
import type { LookupPhase } from './dns/resolver.ts';
import type { Exchange, ExchangeHandler, ExchangeRequest } from './exchange.ts';
import type { Hop } from './hop.ts';
import { transferCodings } from './http1-client.ts';
import { AttemptError, dnsError, type NetworkFailure } from './network-errors.ts';
import {
  absoluteForm,
  failureWithProxyName,
  forwardedHeaders,
  type ProxyRoute,
  type ProxyRoutes,
  proxyRefusedError,
} from './proxy.ts';
import { type Peer, TLS_CUT_OFF } from './tls.ts';

/** The network as the fetcher sees it: sends one hop at a time and reports what happened. Decides nothing about it. */
export interface Transport {
  /** Hops in flight. */
  readonly inFlight: number;
  /** Whether connections to many origins are open, so that those without a request should be closed soon. */
  readonly isCrowded: boolean;
  /** Sends one hop and reads its response. Calls back once, which may be before it returns. */
  attempt(request: AttemptRequest, onOutcome: OnOutcome): void;
  /** Closes the connections that carry no request. */
  closeIdle(): void;
  /**
   * Closes one of those to the origin of this hop, whose outcome has come, if there is one. Connections to a proxy serve other
   * hosts, and stay.
   */
  closeOneIdle(hop: Hop, outcome: AttemptOutcome): void;
  /** Fails what is in flight, and what is sent from now on, with `reason`. */
  abort(reason: AttemptError): void;
  /** Aborts, and closes every connection. Returns a promise if that takes time; it waits for bodies that are kept. */
  close(reason: AttemptError): Promise<void> | undefined;
}

export interface AgentTransportOptions {
  readonly agent: Agent;
  readonly proxies?: ProxyRoutes | undefined;
  /** Time in ms for one attempt, all its hops together. */
  readonly timeoutMs: number;
  /** Bytes of a body that are read, unless the capture says otherwise. */
  readonly maxBytes: number;
  readonly decompresses: boolean;
  /** Whether responses have the other end of their connection. */
  readonly keepsPeer?: boolean;
  /** What is done with bodies; they are only counted if left out. */
  readonly bodies?: BodyRules | undefined;
  /** Milliseconds, on a clock that never goes back. */
  readonly now: () => number;
  /** Called when the transport is closed. */
  readonly onClose?: () => void;
}

/** The transport of this thread: one agent. */
export class AgentTransport implements Transport {
  readonly #options: AgentTransportOptions;

  /** Attempts whose response has arrived, and whose body is not finished: no exchange ends them any more. */
  readonly #ending = new Set<Attempt>();

  constructor(options: AgentTransportOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#options.agent.inFlight + this.#ending.size;
  }

  get isCrowded(): boolean {
    return this.#options.agent.hasManyOrigins;
  }

  attempt(request: AttemptRequest, onOutcome: OnOutcome): void {
    const capture = this.#options.bodies?.captureFor(request);
    if (!(capture instanceof Promise)) this.#start(request, capture, onOutcome);
    else {
      capture
        .then((found) => this.#start(request, found, onOutcome))
        .catch((bug: unknown) => onOutcome(undefined, bug));
    }
  }

  #start(request: AttemptRequest, capture: BodyCapture | undefined, onOutcome: OnOutcome): void {
    new Attempt(this.#options, request, capture, this.#ending, onOutcome).start();
  }

  closeIdle(): void {
    this.#options.agent.closeIdle();
  }

  closeOneIdle({ url, hasLeftOrigin }: Pick<Hop, 'url' | 'hasLeftOrigin'>): void {
    const { agent, proxies } = this.#options;
    if (proxies?.forwardProxyFor(url) !== undefined) return;
    agent.closeOneIdle({ origin: originOf(url), isAnonymous: hasLeftOrigin === true });
  }

  abort(reason: AttemptError): void {
    this.#options.agent.abort(reason);
    for (const attempt of this.#ending) attempt.abort(reason);
  }

  close(reason: AttemptError): undefined {
    this.#options.agent.destroy(reason);
    for (const attempt of this.#ending) attempt.abort(reason);
    this.#options.onClose?.();
  }
}

const OVER_LIMIT = new AttemptError('size', undefined, 'the body is larger than wanted');
const UNWATCHED = new AttemptError('reset', undefined, 'the end of the TLS connection is not watched');
const UNNEEDED = new AttemptError('timeout', undefined, 'the body takes too long, and does not matter');

const CUT_OFF = new AttemptError('reset', undefined, 'the connection ended before the body was complete');

/** Time in ms that a body gets that does not matter: reading it to the end keeps the connection. */
const UNNEEDED_BODY_MS = 1_000;

/** One hop in flight. Reports once. */
class Attempt implements ExchangeHandler {
  readonly #options: AgentTransportOptions;
  readonly #request: AttemptRequest;
  readonly #capture: BodyCapture | undefined;
  readonly #report: OnOutcome;
  /** The attempts whose response has arrived, and whose body is not finished. */
  readonly #ending: Set<Attempt>;
  #startedAt: number;
  /** The proxy that the request is sent to instead of its origin. */
  readonly #proxy: ProxyRoute | undefined;
  #timer: NodeJS.Timeout | undefined;
  #exchange: Exchange | undefined;
  #lookup: LookupPhase = 'over';
  #ttfbMs: number | undefined;
  #head: Pick<HttpResponse, 'status' | 'statusText' | 'headers' | 'isUnchanged'> | undefined;
  #body: Body | undefined;
  #inspector: BodyInspector | undefined;
  #peer: Peer | undefined;
  #isCut = false;
  #isUnwatched = false;
  /** Parts of the body that are not decoded or not taken by the sink. */
  #unfinished = 0;
  #isOver = false;

  constructor(
    options: AgentTransportOptions,
    request: AttemptRequest,
    capture: BodyCapture | undefined,
    ending: Set<Attempt>,
    report: OnOutcome,
  ) {
    this.#options = options;
    this.#capture = capture;
    this.#ending = ending;
    this.#request = request;
    this.#report = report;
    this.#startedAt = options.now();
    this.#proxy = options.proxies?.forwardProxyFor(request.hop.url);
  }

  start(): void {
    this.#startTimer();
    const request = toExchangeRequest(this.#request, this.#capture, this.#proxy);
    this.#exchange = this.#options.agent.dispatch(request, this, this.#request.use);
  }

  /** The wait for a stream counts as little as that in the job queue. */
  onStreamFree(): void {
    clearTimeout(this.#timer);
    this.#startTimer();
  }

  /** The wait for the turn of a lookup does not count either, and is part of no duration. */
  onLookup(phase: LookupPhase): void {
    if (phase === 'queued') clearTimeout(this.#timer);
    else if (this.#lookup === 'queued') {
      this.#startedAt = this.#options.now();
      this.#startTimer();
    }
    this.#lookup = phase;
  }

  get #timeoutMs(): number {
    return this.#request.timeoutMs ?? this.#options.timeoutMs;
  }

  #startTimer(): void {
    // Timers of one duration cost next to nothing: Node keeps them in one list.
    const leftMs = this.#timeoutMs - this.#request.elapsedMs;
    this.#timer = setTimeout(expire, Math.max(0, leftMs), this);
  }

  expire(): void {
    if (this.#exchange?.waitsForStream === true) {
      this.#startTimer();
      return;
    }
    if (!this.#isBodyNeeded()) {
      this.abort(UNNEEDED);
      return;
    }
    // The server has not been asked for anything.
    if (this.#lookup === 'running') {
      this.abort(dnsError('ETIMEOUT', `the lookup took longer than ${durationText(this.#timeoutMs)}`));
      return;
    }
    const message = `no complete response within ${durationText(this.#timeoutMs)}`;
    this.abort(new AttemptError('timeout', 'ERR_TIMEOUT', message));
  }

  onHead(status: number, headers: ResponseHeaders, statusText: string): void {
    if (status === 407 && this.#proxy !== undefined) {
      this.#exchange?.abort(proxyRefusedError(this.#proxy, 'request', status, statusText));
      return;
    }
    if (this.#mustWatchEnd(status, headers)) {
      this.#options.agent.watchEnds(this.#proxy?.origin ?? originOf(this.#request.hop.url));
      this.#isUnwatched = true;
      this.#exchange?.abort(UNWATCHED);
      return;
    }
    this.#ttfbMs = this.#options.now() - this.#startedAt;
    if (this.#options.keepsPeer === true) this.#peer = this.#exchange?.peer;
    const plan = this.#capture?.onHead(status, headers);
    this.#head = { status: plan?.status ?? status, headers, statusText, isUnchanged: plan?.isUnchanged };
    this.#inspector = this.#options.bodies?.inspectorFor(
      this.#request,
      this.#head.status,
      headers,
      plan?.partialHash,
    );
    const encoding = this.#options.decompresses ? toCodings(headers) : toTransferCodings(headers);
    const maxBytes = plan?.maxBytes ?? this.#options.maxBytes;
    this.#body = new Body({
      maxBytes,
      contentEncoding: encoding,
      sink: plan?.sink,
      inspector: this.#inspector,
    });
    const hasBody = mayHaveBody(this.#request.hop.method, status, headers);
    const transferCoding = hasBody ? toTransferCodings(headers) : undefined;
    const unknown = transferCoding === undefined ? undefined : unsupportedCoding(transferCoding);
    if (hasBody && maxBytes === 0) this.#cut();
    // Its end cannot be found on a connection that the server keeps open.
    else if (unknown !== undefined) this.#exchange?.abort(undecodableTransfer(headers));
    else if (plan?.sink === undefined && !this.#isBodyNeeded()) this.#limitBodyTime();
  }

  onData(chunk: Buffer): void {
    if (this.#isOver || this.#body === undefined) return;
    try {
      const unfinished = this.#body.write(chunk);
      if (this.#body.isOverLimit) this.#cut();
      else if (unfinished !== undefined) this.#pauseUntil(unfinished);
    } catch (error) {
      this.#exchange?.abort(toAttemptError(error as BodyError | DecodeError)); // `Body.write` throws nothing else
    }
  }

  /** Reads no more while the body has enough to do. */
  #pauseUntil(unfinished: Promise<void>): void {
    this.#exchange?.pause();
    this.#unfinished += 1;
    const onDone = () => {
      this.#unfinished -= 1;
      if (this.#body?.isOverLimit === true) this.#cut();
      else if (this.#unfinished === 0) this.#exchange?.resume();
    };
    // After its end the exchange cannot be aborted: then `onEnd` gets the same error.
    unfinished.then(onDone, (error: BodyError | DecodeError) => this.#exchange?.abort(toAttemptError(error)));
  }

  onEnd(isMarked: boolean): void {
    const onBodyError = (error: BodyError | DecodeError) => {
      const isCutOff = error instanceof DecodeError && error.isIncomplete && !isMarked;
      this.onError(isCutOff ? CUT_OFF : toAttemptError(error), false);
    };
    try {
      const unfinished = this.#body?.end();
      if (unfinished === undefined) this.#finish();
      else {
        this.#ending.add(this);
        unfinished.then(() => this.#finish(), onBodyError);
      }
    } catch (error) {
      onBodyError(error as BodyError | DecodeError); // `Body.end` throws nothing else
    }
  }

  /** Ends the attempt in any state, unless it is over. */
  abort(reason: Error): void {
    if (this.#ending.has(this)) this.onError(reason, false);
    else this.#exchange?.abort(reason);
  }

  onError(error: Error, isStale: boolean, hasEnded = false): void {
    if (error === OVER_LIMIT) {
      this.#finishAfter(this.#body?.endSearch());
      return;
    }
    if (this.#hasEndedWell(error)) {
      this.onEnd(false);
      return;
    }
    if (!this.#isBodyNeeded() && !isWriteFailure(error)) {
      this.#capture?.interrupt();
      this.#finish();
      return;
    }
    const failed = classifyError(error, {
      hasHead: this.#head !== undefined,
      isFresh: !isStale,
      hasEnded,
      isCertificateWithheld: this.#request.hop.hasLeftOrigin === true && this.#options.agent.hasCertificate,
    });
    this.#finish(
      this.#proxy === undefined ? failed : failureWithProxyName(failed, error, this.#proxy),
      isStale,
    );
  }

  /** Whether it matters if the body is whole, and its end would not tell. */
  #mustWatchEnd(status: number, headers: ResponseHeaders): boolean {
    if (this.#exchange?.tellsEnd !== false) return false;
    const { hop } = this.#request;
    const { bodies } = this.#options;
    if (!isIdempotent(hop.method) || !mayHaveBody(hop.method, status, headers)) return false;
    if (!this.#isNeeded(status, headers)) return false;
    return this.#mustBeWhole(bodies?.inspectorFor(this.#request, status, headers));
  }

  /** Whether the body is kept or searched to its end. Otherwise it is enough that the server has ended it. */
  #mustBeWhole(inspector: BodyInspector | undefined): boolean {
    return this.#capture !== undefined || inspector?.isSearching === true;
  }

  /** Whether TLS was cut off after a body that ends with its connection and need not be whole. */
  #hasEndedWell({ code }: Error & { readonly code?: string }): boolean {
    const isEnd = code === TLS_CUT_OFF && this.#head !== undefined && this.#exchange?.isMarked === false;
    return isEnd && !this.#mustBeWhole(this.#inspector);
  }

  /** Ends the exchange, since the rest of the body is not wanted. */
  #cut(): void {
    this.#isCut = true;
    this.abort(OVER_LIMIT);
  }

  /** False for a redirect or an unwanted status, once the head is there: it counts, whatever becomes of its body. */
  #isBodyNeeded(): boolean {
    return this.#head === undefined || this.#isNeeded(this.#head.status, this.#head.headers);
  }

  #isNeeded(status: number, headers: ResponseHeaders): boolean {
    const isKept = this.#capture !== undefined;
    return this.#options.bodies?.needsBody(this.#request, status, headers, isKept) ?? true;
  }

  #limitBodyTime(): void {
    const leftMs = this.#timeoutMs - this.#request.elapsedMs - (this.#options.now() - this.#startedAt);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(expire, Math.min(UNNEEDED_BODY_MS, Math.max(0, leftMs)), this);
  }

  #finishAfter(unfinished: Promise<void> | undefined): void {
    if (unfinished === undefined) this.#finish();
    else {
      this.#ending.add(this);
      unfinished.then(() => this.#finish());
    }
  }

  #finish(failed?: NetworkFailure, isStale = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ending.delete(this);
    this.#body?.stop();
    clearTimeout(this.#timer);
    if (failed !== undefined) this.#capture?.interrupt();
    this.#report({
      response: this.#response(),
      failed,
      isStale,
      isUnwatched: this.#isUnwatched,
      streams: this.#exchange?.streams,
      body: this.#capture?.isUsed === true ? this.#capture : undefined,
      ttfbMs: this.#ttfbMs,
      durationMs: this.#options.now() - this.#startedAt,
    });
  }

  #response(): HttpResponse | undefined {
    if (this.#head === undefined || this.#body === undefined) return undefined;
    const { status, statusText, headers, isUnchanged } = this.#head;
    const { bytes, isOverLimit } = this.#body;
    const isTruncated = this.#isCut || isOverLimit;
    const isLenient = this.#exchange?.isLenient === true;
    const [inspector, peer] = [this.#inspector, this.#peer];
    return { status, statusText, headers, bytes, isTruncated, isLenient, isUnchanged, inspector, peer };
  }
}

/** Whether a body may follow this head (RFC 9112, section 6.3). */
function mayHaveBody(method: string, status: number, headers: ResponseHeaders): boolean {
  const isBodiless = method === 'HEAD' || status === 204 || status === 304;
  return !isBodiless && headers['content-length'] !== '0';
}

function expire(attempt: Attempt): void {
  attempt.expire();
}

/** The codings to undo, in the order in which they were applied: of the content, then of the transfer but for chunked. */
function toCodings(headers: ResponseHeaders): string | undefined {
  const { 'content-encoding': content } = headers;
  if (content === undefined && headers['transfer-encoding'] === undefined) return undefined;
  const codings = [Array.isArray(content) ? content.join(',') : content, toTransferCodings(headers)];
  return codings.filter((coding) => coding !== undefined).join(',') || undefined;
}

function toTransferCodings(headers: ResponseHeaders): string | undefined {
  const { 'transfer-encoding': header } = headers;
  if (header === undefined || header === 'chunked') return undefined;
  const codings = transferCodings(headers);
  const isChunked = codings.at(-1) === 'chunked';
  return (isChunked ? codings.slice(0, -1) : codings).join(',') || undefined;
}

function undecodableTransfer(headers: ResponseHeaders): AttemptError {
  const codings = printable(`${headers['transfer-encoding']}`, 100);
  return new AttemptError('protocol', undefined, `the transfer coding is unknown: ${codings}`);
}

/** A body that was to be saved counts even if it does not decide the verdict. */
function isWriteFailure(error: Error): boolean {
  return error instanceof AttemptError && error.kind === 'write';
}

function toAttemptError(error: BodyError | DecodeError): AttemptError {
  return new AttemptError(error instanceof BodyError ? error.kind : 'protocol', error.code, error.message);
}

/** The request in undici's form, to the origin of its hop or to the proxy that forwards it. */
function toExchangeRequest(
  { hop, use }: AttemptRequest,
  capture: BodyCapture | undefined,
  proxy: ProxyRoute | undefined,
): ExchangeRequest {
  const { url, method, body } = hop;
  const more = capture?.requestHeaders;
  const headers = more === undefined ? hop.headers : { ...hop.headers, ...more };
  const request = {
    origin: proxy === undefined ? originOf(url) : proxy.origin,
    isAnonymous: hop.hasLeftOrigin === true,
    path: proxy === undefined ? pathOf(url) : absoluteForm(url),
    method: method as 'GET', // undici's type names the usual methods; it sends any token
    headers: proxy === undefined ? headers : forwardedHeaders(headers, url, proxy),
    // undici would otherwise take the host header, and connect to an https:// proxy anew for each host.
    servername: proxy?.server.hostname,
    body: body ?? null,
    idempotent: isIdempotent(method),
    // undici closes the connection after a HEAD unless this is false.
    reset: use === 'lenient',
  };
  return request; // undici's type leaves `servername` out
}
