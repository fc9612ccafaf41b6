import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** Time in ms of silence before the first ping of a busy connection, and for which a ping is waited to be written. */
const FIRST_PROBE_MS = 100;
const MAX_PROBE_MS = 1_600;

/** Times in ms after which a silent connection gets a ping, and after which it is dead if nothing follows the ping. */
export interface SilenceLimits {
  readonly pingMs: number;
  readonly deadMs: number;
}

export const SILENCE: SilenceLimits = { pingMs: 5_000, deadMs: 10_000 };

interface ProbeEvents {
  /** Whether the requests of all streams were written. */
  isAllSent(): boolean;
  onBroken(): void;
  /** @param ms the time of silence */
  onDead(ms: number): void;
}

/**
 * Finds out whether a busy connection has ended without a sign.
 *
 * - When received bytes are followed by silence, it pings, and waits twice as long after each ping. A ping that is not written
 *   shows that the session has ended because the server broke the rules, which Node 20 does not report.
 * - After a longer silence it pings again. If nothing comes, the connection is dead.
 */
export class SilenceProbe {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #limits: SilenceLimits;
  readonly #events: ProbeEvents;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = 0;
  #bytesRead = 0;
  /** Whether bytes have come since the last ping. */
  #isDirty = false;
  /** Bytes written before a ping that has to be written by now. */
  #pingedAt: number | undefined;
  #silentMs = 0;
  #nextPingMs = 0;
  #deadAtMs = Number.POSITIVE_INFINITY;

  constructor(session: ClientHttp2Session, socket: Socket, limits: SilenceLimits, events: ProbeEvents) {
    this.#session = session;
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
  }

  start(): void {
    this.#delayMs = FIRST_PROBE_MS;
    this.#bytesRead = this.#socket.bytesRead;
    this.#isDirty = false;
    this.#pingedAt = undefined;
    this.#nextPingMs = this.#limits.pingMs;
    this.#onBytes();
    this.#wait(FIRST_PROBE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#check(ms), ms);
  }

  #check(waitedMs: number): void {
    const { bytesRead, bytesWritten } = this.#socket;
    if (this.#pingedAt === bytesWritten) {
      this.#events.onBroken();
      return;
    }
    this.#pingedAt = undefined;
    if (bytesRead !== this.#bytesRead) {
      this.#bytesRead = bytesRead;
      this.#isDirty = true;
      this.#onBytes();
    } else {
      this.#silentMs += waitedMs;
      if (this.#silentMs >= this.#deadAtMs) {
        this.#events.onDead(this.#silentMs);
        return;
      }
      this.#onSilence(bytesWritten);
    }
    this.#wait(this.#pingedAt === undefined ? this.#delayMs : FIRST_PROBE_MS);
  }

  #onSilence(bytesWritten: number): void {
    const isAllSent = this.#events.isAllSent();
    const isLong = this.#silentMs >= this.#nextPingMs && this.#deadAtMs === Number.POSITIVE_INFINITY;
    if (!isLong && !(this.#isDirty && isAllSent)) return;
    this.#isDirty = false;
    this.#delayMs = Math.min(this.#delayMs * 2, MAX_PROBE_MS);
    const isPinged = !this.#session.destroyed && this.#session.ping(() => this.#onPong());
    if (!isPinged) return;
    if (isAllSent) this.#pingedAt = bytesWritten;
    if (!isLong) return;
    this.#nextPingMs *= 2; // some servers close a connection with many pings
    this.#deadAtMs = this.#silentMs + this.#limits.deadMs;
  }

  #onPong(): void {
    this.#bytesRead = this.#socket.bytesRead;
    this.#onBytes();
  }

  #onBytes(): void {
    this.#silentMs = 0;
    this.#deadAtMs = Number.POSITIVE_INFINITY;
  }
}
