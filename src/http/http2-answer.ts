import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { CarriedExchange } from './carrier.ts';
import { http2Failure } from './http2-failure.ts';

/** Tells an exchange of the answer that comes on a stream; of its end or an error once, whatever happens to the stream. */
export class Http2Answer {
  readonly #stream: ClientHttp2Stream;
  readonly #exchange: CarriedExchange;
  readonly #ended: () => void;
  /** Bytes of the body that were announced and have not come. */
  #missing = 0;
  #hasHead = false;
  #isOver = false;

  /** `ended` is called before the exchange is told that it is over. */
  constructor(stream: ClientHttp2Stream, exchange: CarriedExchange, ended: () => void) {
    this.#stream = stream;
    this.#exchange = exchange;
    this.#ended = ended;
    stream.once('response', (headers) => this.#tell(() => this.#start(headers)));
    stream.once('end', () => this.#end());
    stream.once('error', (error) => this.#fail(error));
    stream.once('close', () => this.#fail());
  }

  #start({ ':status': status = 0, ...headers }: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#hasHead = true;
    const hasBody = this.#stream.sentHeaders[':method'] !== 'HEAD' && status !== 204 && status !== 304;
    if (hasBody) this.#missing = Number(headers['content-length'] ?? 0);
    this.#exchange.onResponseStart(undefined, status, headers);
    this.#stream.on('data', (chunk: Buffer) => {
      this.#missing -= chunk.length;
      this.#tell(() => this.#exchange.onResponseData(undefined, chunk));
    });
  }

  /** Node ends a stream in the same way whether the server said so or reset it. */
  #end(): void {
    const isWhole = this.#hasHead && this.#stream.rstCode === 0 && this.#missing <= 0;
    if (this.#isOver) return;
    if (!isWhole) {
      this.#fail();
      return;
    }
    this.#finish();
    this.#exchange.onResponseEnd();
  }

  #fail(error?: Error): void {
    if (this.#isOver) return;
    this.#finish();
    this.#exchange.onResponseError(undefined, http2Failure(error, this.#stream.rstCode, this.#hasHead));
  }

  #finish(): void {
    this.#isOver = true;
    this.#ended();
    // What is left of the request is of no use after the answer.
    if (!this.#stream.writableFinished) this.#stream.close();
  }

  /** What the exchange throws is its failure, and must not end the process. */
  #tell(news: () => void): void {
    if (this.#isOver) return;
    try {
      news();
    } catch (error) {
      this.#finish();
      this.#exchange.onResponseError(undefined, error as Error); // only bugs are thrown, as errors
    }
  }
}
