import type { DialError } from './dial-error.ts';
import type { DnsAnswer } from './dns-answer.ts';
import { isFinalDnsCode } from './dns-failure.ts';

/** What is known of a name: its addresses, or that it has none. */
export type Known =
  | { readonly addresses: readonly string[]; readonly error?: undefined }
  | { readonly addresses?: undefined; readonly error: DialError };

export interface DnsCacheOptions {
  readonly now: () => number;
  /** Names remembered, above 0. */
  readonly maxEntries: number;
}

// A time to live of 0 means "for this connection alone", which would be a look-up for each one.
const MIN_TTL_MS = 1_000;
// A record that says weeks must not hide a move from a run that takes days.
const MAX_TTL_MS = 3_600_000;
// c-ares does not tell how long a name may be taken not to exist. Long enough for the URLs of one host that stand
// together in a list, short enough for a name that is being set up.
const NEGATIVE_TTL_MS = 5_000;

/** Answers by name, for as long as they hold; the one that was learnt first makes room. */
export class DnsCache {
  readonly #options: DnsCacheOptions;
  readonly #entries = new Map<string, { readonly known: Known; readonly expiresAt: number }>();

  constructor(options: DnsCacheOptions) {
    this.#options = options;
  }

  get(hostname: string): Known | undefined {
    const entry = this.#entries.get(hostname);
    return entry !== undefined && entry.expiresAt > this.#options.now() ? entry.known : undefined;
  }

  learn(hostname: string, { addresses, ttlMs }: DnsAnswer): void {
    this.#add(hostname, { addresses }, Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS));
  }

  /** Remembers that a name has no address. A look-up that failed says nothing of the name, and is not remembered. */
  learnFailure(hostname: string, error: DialError): void {
    if (isFinalDnsCode(error.code)) this.#add(hostname, { error }, NEGATIVE_TTL_MS);
  }

  #add(hostname: string, known: Known, ttlMs: number): void {
    this.#entries.delete(hostname);
    this.#entries.set(hostname, { known, expiresAt: this.#options.now() + ttlMs });
    if (this.#entries.size <= this.#options.maxEntries) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
