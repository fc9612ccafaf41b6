import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Deque } from '../core/deque.ts';
import type { ConnectionUse, IdleList, PooledTarget } from './connection.ts';
import type { Connector } from './connector.ts';
import type { LookupPhase } from './dns/resolver.ts';
import type { Exchange, Waiting } from './exchange.ts';
import { toConnectTarget } from './http1-client.ts';
import { ASSUMED_STREAMS, Http2Session, type SessionEnd, type SessionOwner } from './http2-client.ts';
import type { SilenceLimits } from './silence-probe.ts';

/** What all origins have in common. */
export interface AlpnPool {
  readonly connector: Connector;
  readonly silence: SilenceLimits | undefined;
  /** The idle connections of all origins. */
  readonly idle: IdleList;
  readonly usage: AlpnUsage;
  /** Closes an idle connection if there are too many. */
  trim(): void;
  /** Closes an idle connection if a new one would be one too many. */
  makeRoom(): void;
  /** What is known of a target, also when it has no connections. */
  traitsOf(target: PooledTarget): OriginTraits;
  remember(target: PooledTarget, traits: OriginTraits): void;
  /** Sends an exchange over HTTP/1.1, on the connected socket if there is one. Returns whether it took the socket. */
  startHttp1(exchange: Exchange, target: PooledTarget, use: ConnectionUse, socket?: Socket): boolean;
  /** The origin has no connections, and no exchanges. */
  onUnused(target: PooledTarget): void;
}

/** What the connections to an origin have shown. */
export interface OriginTraits {
  /** Whether it speaks HTTP/1.1, although HTTP/2 was offered. */
  readonly isHttp1: boolean;
  /** Streams that a new session opens before the server has said how many it allows. */
  readonly streams: number;
  /** Connections that ended while they carried several exchanges, and may have ended because of one of them. */
  readonly sharedEnds: number;
}

/** Of an origin that is not known. */
export const NO_TRAITS: OriginTraits = { isHttp1: false, streams: ASSUMED_STREAMS, sharedEnds: 0 };

/** Counts over all origins. */
export interface AlpnUsage {
  /** Exchanges that wait or are carried by a session. */
  inFlight: number;
  /** Connections, also those that are being made. */
  open: number;
}

/** Connections that end while they carry several exchanges, after which each exchange gets its own. */
const MAX_SHARED_ENDS = 2;
/** Responses on a connection after which its end does not count: the exchanges before have not caused it. */
const PROVEN_RESPONSES = 100;

const UNUSED = new Error('no request waits for the connection any more');

/**
 * The requests to one https origin whose server may select HTTP/2 by ALPN (RFC 7301).
 *
 * - The first request connects. The others wait until the server has selected a protocol. With HTTP/1.1 they connect in
 *   parallel, and the origin is not offered HTTP/2 again. A failure to connect is that of all of them.
 * - With HTTP/2 one connection carries them all, within the number of streams that the server allows; the others wait.
 *   When it accepts no more, a new one takes over, and it carries those that it has to their end.
 * - What the server certainly did not process goes to the next connection.
 * - If connections end while they carry several exchanges, one of these may be the cause. Then each exchange gets a connection
 *   of its own, so that it harms no other.
 */
export class AlpnOrigin implements SessionOwner {
  readonly #pool: AlpnPool;
  readonly #target: PooledTarget;
  #waiting = new Deque<WaitingExchange>();
  /** Of `#waiting`, those that were not cancelled. */
  #waitingCount = 0;
  readonly #handshakes = new Set<Handshake>();
  /** Of a handshake that waits for the addresses of its host. */
  #lookup: LookupPhase = 'over';
  #sessions: readonly Http2Session[] = [];
  #traits: OriginTraits;

  constructor(pool: AlpnPool, target: PooledTarget) {
    this.#pool = pool;
    this.#target = target;
    this.#traits = pool.traitsOf(target);
  }

  /** Whether each session carries one exchange at a time. */
  get isIsolated(): boolean {
    return this.#traits.sharedEnds >= MAX_SHARED_ENDS;
  }

  /** Whether a session carries exchanges. */
  get isBusy(): boolean {
    return this.#sessions.some(({ size }) => size > 0);
  }

  dispatch(exchange: Exchange, use: ConnectionUse): void {
    this.#pool.usage.inFlight += 1;
    const session = this.#waitingCount === 0 ? this.#sessionFor(use) : undefined;
    if (session !== undefined) {
      this.#carry(session, exchange, use);
      return;
    }
    this.#waiting.push(this.#wait(exchange, use));
    if (this.#lookup !== 'over') exchange.onLookup(this.#lookup);
    if (use !== 'any' && !this.isIsolated) this.#retireIdle();
    this.#connect();
  }

  /** Closes an idle session, if there is one. */
  closeOneIdle(): boolean {
    const session = this.#sessions.find(({ isListed }) => isListed);
    if (session === undefined) return false;
    session.retire();
    return true;
  }

  /** Aborts all exchanges, and closes the sessions. */
  abort(reason: Error): void {
    for (let waiting = this.#shift(); waiting !== undefined; waiting = this.#shift()) {
      this.onLeft();
      waiting.exchange.abort(reason);
    }
    for (const session of this.#sessions) session.abort(reason);
    this.#cancelHandshakes();
  }

  onRoom(): void {
    while (this.#waitingCount > 0) {
      const session = this.#sessionFor('any');
      const next = session && this.#shift();
      if (session === undefined || next === undefined) return;
      this.#carry(session, next.exchange, next.use);
    }
  }

  onLeft(): void {
    this.#pool.usage.inFlight -= 1;
  }

  onIdle(session: Http2Session): void {
    session.isListed = true;
    this.#pool.idle.add(session);
    this.#pool.trim();
  }

  onEnd({ isShared, isFault, responses }: SessionEnd): void {
    if (!isShared) return;
    const { sharedEnds } = this.#traits;
    if (isFault) this.#remember({ sharedEnds: MAX_SHARED_ENDS });
    else if (responses < PROVEN_RESPONSES) this.#remember({ sharedEnds: sharedEnds + 1 });
  }

  onRetired(): void {
    this.#connect();
  }

  onClosed(session: Http2Session): void {
    const streams = Math.min(session.limit, ASSUMED_STREAMS);
    if (streams !== this.#traits.streams) this.#remember({ streams });
    this.#unlist(session);
    this.#sessions = this.#sessions.filter((other) => other !== session);
    this.#pool.usage.open -= 1;
    this.#endIfUnused();
  }

  resend(exchange: Exchange, use: ConnectionUse): void {
    if (this.#traits.isHttp1) {
      this.#pool.startHttp1(exchange, this.#target, use);
      return;
    }
    this.#pool.usage.inFlight += 1;
    this.#waiting.unshift(this.#wait(exchange, use));
    this.#connect();
  }

  onHttp1Required(): void {
    this.#moveToHttp1();
  }

  /** An exchange does not wait any more. */
  onCancelled(): void {
    this.#waitingCount -= 1;
    this.onLeft();
    if (this.#waitingCount > 0) return;
    this.#waiting = new Deque();
    this.#cancelHandshakes();
    this.#endIfUnused();
  }

  #wait(exchange: Exchange, use: ConnectionUse): WaitingExchange {
    const waiting = new WaitingExchange(this, exchange, use, this.isBusy);
    this.#waitingCount += 1;
    exchange.wait(waiting);
    return waiting;
  }

  /** The first of those that wait, which does not wait any more. */
  #shift(): WaitingExchange | undefined {
    for (let first = this.#waiting.shift(); first !== undefined; first = this.#waiting.shift()) {
      if (!first.isOver) {
        first.isOver = true;
        this.#waitingCount -= 1;
        return first;
      }
    }
    return undefined;
  }

  #unlist(session: Http2Session): void {
    if (session.isListed) this.#pool.idle.remove(session);
    session.isListed = false;
  }

  #carry(session: Http2Session, exchange: Exchange, use: ConnectionUse): void {
    this.#unlist(session);
    session.carry(exchange, use);
  }

  /** A session with room. A request that must not be sent twice uses no idle one, which the server may be closing. */
  #sessionFor(use: ConnectionUse): Http2Session | undefined {
    for (const session of this.#sessions) {
      if (!session.hasRoom) continue;
      if (use === 'any' || session.size > 0) return session;
    }
    return undefined;
  }

  #retireIdle(): void {
    for (const session of this.#sessions) if (session.size === 0) session.retire();
  }

  /** Connects if exchanges wait for a connection. */
  #connect(): void {
    const hasSession = this.#sessions.some(({ isRetired }) => !isRetired);
    const wanted = this.isIsolated ? this.#waitingCount : Math.min(this.#waitingCount, hasSession ? 0 : 1);
    for (let count = this.#handshakes.size; count < wanted; count += 1) this.#startHandshake();
  }

  #startHandshake(): void {
    const { connector, usage } = this.#pool;
    const { origin, isAnonymous } = this.#target;
    const handshake: Handshake = { isCancelled: false, cancel: () => {} };
    this.#pool.makeRoom();
    usage.open += 1;
    this.#handshakes.add(handshake);
    const onConnect = (error: Error | undefined, socket: Socket | undefined) => {
      this.#handshakes.delete(handshake);
      if (socket === undefined || handshake.isCancelled) {
        usage.open -= 1;
        socket?.destroy();
        if (!handshake.isCancelled) this.#fail(error ?? new Error('the connection was not made'));
        this.#endIfUnused();
      } else if (isHttp2(socket)) this.#addSession(socket);
      else {
        usage.open -= 1;
        this.#moveToHttp1(socket);
        this.#endIfUnused();
      }
    };
    const onLookup = (phase: LookupPhase) => this.#onLookup(phase);
    handshake.cancel = connector.connect(toConnectTarget(origin), onConnect, { isAnonymous, onLookup });
  }

  #onLookup(phase: LookupPhase): void {
    this.#lookup = phase;
    for (let left = this.#waiting.size; left > 0; left -= 1) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      this.#waiting.push(waiting);
      if (!waiting.isOver) waiting.exchange.onLookup(phase);
    }
  }

  #cancelHandshakes(): void {
    for (const handshake of this.#handshakes) {
      handshake.isCancelled = true;
      handshake.cancel(UNUSED);
    }
  }

  #addSession(socket: Socket): void {
    const session = new Http2Session(
      this,
      this.#target.origin,
      socket,
      this.#traits.streams,
      this.#pool.silence,
    );
    this.#sessions = [...this.#sessions, session];
    this.onRoom();
    if (session.size === 0) this.onIdle(session);
    for (let left = this.#waiting.size; left > 0; left -= 1) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      waiting.isQueued = true;
      this.#waiting.push(waiting);
    }
  }

  /** Fails all exchanges that wait, or the first one if each waits for a connection of its own. */
  #fail(error: Error): void {
    let left = this.isIsolated ? 1 : this.#waitingCount;
    for (; left > 0; left -= 1) {
      const waiting = this.#shift();
      if (waiting === undefined) return;
      this.onLeft();
      waiting.exchange.onResponseError(undefined, error);
    }
  }

  /** Sends all that wait over HTTP/1.1, in parallel, one of them on the connected socket. */
  #moveToHttp1(socket?: Socket): void {
    let unused = socket;
    this.#remember({ isHttp1: true });
    for (let waiting = this.#shift(); waiting !== undefined; waiting = this.#shift()) {
      const { exchange, use } = waiting;
      this.onLeft();
      if (this.#pool.startHttp1(exchange, this.#target, use, unused)) unused = undefined;
    }
    unused?.destroy();
    this.#cancelHandshakes();
    for (const session of this.#sessions) session.retire();
  }

  #remember(traits: Partial<OriginTraits>): void {
    this.#traits = { ...this.#traits, ...traits };
    this.#pool.remember(this.#target, this.#traits);
  }

  #endIfUnused(): void {
    const count = this.#waitingCount + this.#handshakes.size + this.#sessions.length;
    if (count === 0) this.#pool.onUnused(this.#target);
  }
}

interface Handshake {
  isCancelled: boolean;
  cancel: (reason: Error) => void;
}

/** An exchange that has no stream yet. */
class WaitingExchange implements Waiting {
  readonly exchange: Exchange;
  readonly use: ConnectionUse;
  /** Whether it has waited for a stream of a session. */
  isQueued: boolean;
  /** Whether it was started or cancelled. */
  isOver = false;
  readonly #origin: AlpnOrigin;

  constructor(origin: AlpnOrigin, exchange: Exchange, use: ConnectionUse, isQueued: boolean) {
    this.#origin = origin;
    this.exchange = exchange;
    this.use = use;
    this.isQueued = isQueued;
  }

  get isForStream(): boolean {
    return this.isQueued && this.#origin.isBusy;
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#origin.onCancelled();
  }
}

function isHttp2(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.alpnProtocol === 'h2';
}
