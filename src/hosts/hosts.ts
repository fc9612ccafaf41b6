import { Host, type HostRules, type Observation } from './host.ts';
import { Pace } from './pace.ts';

export interface HostsOptions extends HostRules {
  /** Requests for each ms over all hosts; Infinity for no limit. */
  readonly totalPerMs: number;
}

/** The lane of jobs that are not sent anywhere. */
export const NOWHERE = '';

/** Hosts that are remembered at most. */
const MAX_HOSTS = 100_000;

/**
 * What is known of each host, and the gate of the queue: it says when the next job of a host may go.
 *
 * Memory is bounded: a host is forgotten as soon as nothing is under way for it and nothing about it is worth knowing;
 * of the others the 100,000 that were asked last are kept.
 */
export class Hosts {
  readonly #options: HostsOptions;
  readonly #pace: Pace;
  /** The one that was asked longest ago first. */
  readonly #hosts = new Map<string, Host>();

  constructor(options: HostsOptions) {
    this.#options = options;
    this.#pace = new Pace(options.totalPerMs);
  }

  /** Hosts remembered. */
  get size(): number {
    return this.#hosts.size;
  }

  openAt(): number {
    return this.#pace.openAt;
  }

  laneOpenAt(key: string, inFlight: number): number {
    return this.#hosts.get(key)?.openAt(inFlight) ?? 0;
  }

  /** A job of the lane was taken. Each is followed by one `observe`. */
  taken(key: string, now: number): void {
    if (key === NOWHERE) return;
    let host = this.#hosts.get(key);
    if (host === undefined) {
      host = new Host(this.#options);
      this.#hosts.set(key, host);
      if (this.#hosts.size > MAX_HOSTS) this.#forgetOldest(now);
    }
    // What is left for a host that is down is not sent, so it costs the rate of the others nothing.
    if (host.downReason === undefined) this.#pace.taken(now);
    host.taken(now);
  }

  /** Tells what a job that was taken, and sent at `startedAt`, has shown. */
  observe(key: string, observation: Observation, startedAt: number, now: number): void {
    const host = this.#hosts.get(key);
    if (host === undefined) return;
    host.observe(observation, startedAt, now);
    if (!host.isMemorable(now)) this.#hosts.delete(key);
  }

  /** Why nothing more is sent to a host; `undefined` while something is. */
  downReason(key: string): string | undefined {
    return this.#hosts.get(key)?.downReason;
  }

  /** Drops the oldest one that is not worth knowing, looking at a few; if all are, the oldest. */
  #forgetOldest(now: number): void {
    let oldest: string | undefined;
    let looks = 0;
    for (const [key, host] of this.#hosts) {
      oldest ??= key;
      if (!host.isMemorable(now)) {
        oldest = key;
        break;
      }
      if (++looks === 16) break;
    }
    if (oldest !== undefined) this.#hosts.delete(oldest);
  }
}
