import { parentPort, type Transferable, workerData } from 'node:worker_threads';
import { BodyError } from '../../bodies/body-sink.ts';
import { systemClock } from '../../core/clock.ts';
import type { AttemptOutcome, AttemptRequest, HeldBody } from '../../http/attempt.ts';
import { AttemptError } from '../../http/network-errors.ts';
import type { AgentTransport } from '../../http/transport.ts';
import type { KeptBody, ResponseHeaders } from '../../model/result.ts';
import { TELLING_HEADERS } from '../bot-protection.ts';
import { createTransport } from '../run-factories.ts';
import {
  type BodyEnd,
  type BodyEnded,
  type FromThread,
  packOutcome,
  type ThreadSetup,
  type ToThread,
  unpackAttempts,
  unpackOptions,
} from './messages.ts';

/** Sends the attempts that it receives, and reports their outcomes: a transport for another thread. */
class AttemptThread {
  readonly #post: (message: FromThread, transferred: readonly Transferable[]) => void;
  readonly #onEnd: () => void;
  readonly #transport: AgentTransport;
  /** Whether only a few headers of an OK response are looked at. */
  readonly #needsFewHeaders: boolean;
  /** Bodies that are kept until their responses have been judged. */
  readonly #held = new Map<number, HeldBody>();
  #inFlight = 0;
  #isClosed = false;
  #flushing: NodeJS.Immediate | undefined;
  #outcomes: unknown[] = [];
  #bodies: BodyEnded[] = [];
  #buffers: Transferable[] = [];
  #warnings: string[] = [];
  #unwritable: string | undefined;

  constructor(
    setup: ThreadSetup,
    post: (message: FromThread, transferred: readonly Transferable[]) => void,
    onEnd: () => void,
  ) {
    this.#post = post;
    this.#onEnd = onEnd;
    const options = unpackOptions(setup.options);
    this.#needsFewHeaders = !options.keeps.includes('headers') && options.expectHeader.length === 0;
    const { defaults, tls, proxies, sockets } = setup;
    const warn = (message: string) => {
      this.#warnings.push(message);
      this.#touch();
    };
    const onFatal = ({ message }: Error) => {
      this.#unwritable ??= message;
      this.#touch();
    };
    this.#transport = createTransport(
      { options, defaults, tls, proxies, clock: systemClock, warn },
      { sockets, onFatal },
    );
  }

  receive({ attempts, bodies, unneeded, closesIdle, abort, close }: ToThread): void {
    for (const end of bodies) this.#endBody(end);
    for (const hop of unneeded) this.#transport.closeOneIdle(hop);
    if (closesIdle) this.#transport.closeIdle();
    unpackAttempts(attempts, (id, request) => this.#attempt(id, request));
    if (abort !== undefined) this.#transport.abort(new AttemptError(abort.kind, abort.code, abort.message));
    if (close !== undefined) {
      this.#isClosed = true;
      this.#transport.close(new AttemptError(close.kind, close.code, close.message));
      this.#endIfIdle();
    }
  }

  #attempt(id: number, request: AttemptRequest): void {
    this.#inFlight += 1;
    this.#transport.attempt(request, (outcome, bug) => {
      try {
        if (outcome === undefined) throw bug;
        this.#report(id, request, outcome);
      } catch (error) {
        rethrow(error); // a bug ends the thread, and the attempt is sent again by another one
      }
    });
  }

  #report(id: number, request: AttemptRequest, outcome: AttemptOutcome): void {
    this.#inFlight -= 1;
    const { response, body } = outcome;
    if (body !== undefined) this.#held.set(id, body);
    packOutcome(this.#outcomes, id, outcome, response && this.#headersFor(request, response));
    this.#touch();
  }

  /** Copying all headers of a response costs the other thread as much as all else of its outcome. */
  #headersFor(
    { job }: AttemptRequest,
    { status, headers }: { readonly status: number; readonly headers: ResponseHeaders },
  ): ResponseHeaders {
    const isPlain = this.#needsFewHeaders && status >= 200 && status <= 299 && job.expect === undefined;
    if (!isPlain) return headers;
    const kept: Record<string, string | string[]> = {};
    for (const name of HEADERS_OF_SUCCESS) {
      const value = headers[name];
      if (value !== undefined) kept[name] = value;
    }
    return kept;
  }

  #endBody({ id, isOk, isWhole = true }: BodyEnd): void {
    const body = this.#held.get(id);
    if (body === undefined) return;
    const ended = isOk === undefined ? body.drop() : body.end(isOk, isWhole);
    ended.then(
      (kept) => this.#bodyEnded({ id, kept: kept === undefined ? undefined : this.#withOwnBuffer(kept) }),
      async (error: unknown) => {
        await body.drop();
        if (!(error instanceof BodyError)) return rethrow(error);
        const { kind, code, message } = error;
        this.#bodyEnded({ id, error: { kind, code, message } });
      },
    );
  }

  /** A body that is moved to the other thread: its memory must not be shared with other buffers, as that of a small one is. */
  #withOwnBuffer(kept: KeptBody): KeptBody {
    if (kept.buffer === undefined) return kept;
    const { buffer: bytes } = kept;
    const isOwn = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
    const own = isOwn ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
    if (own.buffer instanceof ArrayBuffer) this.#buffers.push(own.buffer);
    return { ...kept, buffer: own };
  }

  #bodyEnded(ended: BodyEnded): void {
    this.#held.delete(ended.id);
    this.#bodies.push(ended);
    this.#touch();
  }

  /** Makes sure that a message is sent at the end of this turn. */
  #touch(): void {
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = undefined;
    const message = {
      outcomes: this.#outcomes,
      bodies: this.#bodies,
      isCrowded: this.#transport.isCrowded,
      warnings: this.#warnings,
      unwritable: this.#unwritable,
    };
    const buffers = this.#buffers;
    this.#outcomes = [];
    if (message.bodies.length > 0) [this.#bodies, this.#buffers] = [[], []];
    if (message.warnings.length > 0) this.#warnings = [];
    this.#post(message, buffers);
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (!this.#isClosed || this.#inFlight > 0 || this.#held.size > 0 || this.#flushing !== undefined) return;
    this.#onEnd();
  }
}

/** The headers of a response with a status from 200 to 299 by which its result is decided, if no other ones are expected. */
const HEADERS_OF_SUCCESS: readonly string[] = ['content-type', 'set-cookie', ...TELLING_HEADERS];

function rethrow(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

// The entry of a thread, started by `ThreadedTransport`.
Error.stackTraceLimit = 1; // as in the thread that started it
const port = parentPort;
if (port === null) throw new Error('Cannot run this file by itself: it is for a thread of fanout');
const thread = new AttemptThread(
  workerData as ThreadSetup, // from this process, so of this version
  (message, buffers) => port.postMessage(message, buffers),
  () => port.close(),
);
port.on('message', (message: ToThread) => thread.receive(message));
