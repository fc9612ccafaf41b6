import net from 'node:net';
import pLimit from 'p-limit';
import { type Family, ofFamily, otherFamily } from './address-family.ts';
import type { FindOverride } from './address-overrides.ts';
import { DialError } from './dial-error.ts';
import type { DnsAnswer, LookUp } from './dns-answer.ts';
import { DnsCache } from './dns-cache.ts';
import { dnsFailure } from './dns-failure.ts';

/** Calls back with the addresses of a name, at least one, or with the error; at once when it knows them. */
export type Resolved = (error: Error | undefined, addresses: readonly string[]) => void;

export interface ResolverOptions {
  readonly now: () => number;
  readonly lookUp: LookUp;
  readonly findOverride?: FindOverride | undefined;
  /** The one family that is wanted. `lookUp` gives no other. */
  readonly family?: Family | undefined;
  /** Time in ms for one look-up, from when its turn has come (10,000). */
  readonly timeoutMs?: number;
  /** Look-ups under way at once, above 0 (64). */
  readonly maxLookUps?: number;
  /** Names remembered, above 0 (100,000). */
  readonly maxEntries?: number;
  /** Ends the look-ups under way. */
  readonly onClose?: () => void;
}

const NONE: readonly string[] = [];

/** Names → addresses: what was given, literals, what is remembered, and look-ups, which are shared and bounded. */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #cache: DnsCache;
  readonly #waiting = new Map<string, Resolved[]>();

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#limit = pLimit(options.maxLookUps ?? 64);
    this.#cache = new DnsCache({ now: options.now, maxEntries: options.maxEntries ?? 100_000 });
  }

  /** Takes a host as a URL has it: in lower case, and an IPv6 address without brackets. */
  resolve(host: string, port: number, resolved: Resolved): void {
    const hostname = host.endsWith('.') ? host.slice(0, -1) : host;
    const given =
      this.#options.findOverride?.(hostname, port) ?? (net.isIP(hostname) === 0 ? undefined : [hostname]);
    if (given !== undefined) {
      this.#give(hostname, given, resolved);
      return;
    }
    const known = this.#cache.get(hostname);
    if (known === undefined) this.#wait(hostname, resolved);
    else resolved(known.error, known.addresses ?? NONE);
  }

  /** Ends what is under way, so that no look-up keeps the process alive. To be called when nobody waits any more. */
  close(): void {
    this.#limit.clearQueue();
    this.#options.onClose?.();
  }

  #give(hostname: string, given: readonly string[], resolved: Resolved): void {
    const { family } = this.#options;
    const addresses = ofFamily(given, family);
    const isRefused = family !== undefined && addresses.length === 0;
    resolved(isRefused ? otherFamily(hostname, family) : undefined, addresses);
  }

  #wait(hostname: string, resolved: Resolved): void {
    const waiting = this.#waiting.get(hostname);
    if (waiting !== undefined) {
      waiting.push(resolved);
      return;
    }
    this.#waiting.set(hostname, [resolved]);
    this.#limit(() => this.#lookUpInTime(hostname)).then(
      (answer) => {
        this.#cache.learn(hostname, answer);
        this.#settle(hostname, undefined, answer.addresses);
      },
      (error: unknown) => {
        if (error instanceof DialError) this.#cache.learnFailure(hostname, error);
        this.#settle(hostname, error as Error, NONE); // nothing else is thrown
      },
    );
  }

  #lookUpInTime(hostname: string): Promise<DnsAnswer> {
    const { lookUp, timeoutMs = 10_000 } = this.#options;
    return new Promise((resolve, reject) => {
      const expire = () =>
        reject(dnsFailure(hostname, 'ETIMEOUT', `the look-up took longer than ${timeoutMs}ms`));
      const timer = setTimeout(expire, timeoutMs);
      lookUp(hostname)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  #settle(hostname: string, error: Error | undefined, addresses: readonly string[]): void {
    const waiting = this.#waiting.get(hostname) ?? [];
    this.#waiting.delete(hostname);
    for (const resolved of waiting) resolved(error, addresses);
  }
}
