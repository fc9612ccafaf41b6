import { type ConnectError, isNegativeDnsCode } from '../network-errors.ts';

/** The address records of a name. */
export interface DnsRecords {
  /** At least one, in the order in which they are tried. */
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** A cached lookup: addresses, or the error of a name that has none. */
type CacheEntry =
  | { readonly addresses: readonly string[]; readonly error?: undefined }
  | { readonly addresses?: undefined; readonly error: ConnectError };

interface DnsCacheOptions {
  readonly now: () => number;
  /** Maximum number of names, at least 1. */
  readonly maxEntries: number;
}

// A TTL of 0 means "for this connection only", which would cost a lookup per connection.
const MIN_TTL_MS = 1_000;
// A TTL of weeks must not hide a changed address from a run that takes days.
const MAX_TTL_MS = 3_600_000;
// c-ares does not report the TTL of a negative answer. This covers neighbouring URLs of one host in a list, and is short
// enough for a name that is being set up.
const NEGATIVE_TTL_MS = 5_000;

/** Addresses and negative answers by name, until their TTL. When it is full, the oldest entry is evicted. */
export class DnsCache {
  readonly #options: DnsCacheOptions;
  readonly #entries = new Map<string, { readonly entry: CacheEntry; readonly expiresAt: number }>();

  constructor(options: DnsCacheOptions) {
    this.#options = options;
  }

  get(hostname: string): CacheEntry | undefined {
    const cached = this.#entries.get(hostname);
    return cached !== undefined && cached.expiresAt > this.#options.now() ? cached.entry : undefined;
  }

  /** Stores addresses for their TTL, which is limited to 1 s … 1 h. */
  set(hostname: string, { addresses, ttlMs }: DnsRecords): void {
    this.#add(hostname, { addresses }, Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS));
  }

  /** Stores a negative answer for 5 s. A failed lookup says nothing about the name and is not stored. */
  setNegative(hostname: string, error: ConnectError): void {
    if (isNegativeDnsCode(error.code)) this.#add(hostname, { error }, NEGATIVE_TTL_MS);
  }

  #add(hostname: string, entry: CacheEntry, ttlMs: number): void {
    this.#entries.delete(hostname);
    this.#entries.set(hostname, { entry, expiresAt: this.#options.now() + ttlMs });
    if (this.#entries.size <= this.#options.maxEntries) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
