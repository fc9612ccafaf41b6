/** Addresses of a name, and for how long they may be remembered. */
export interface DnsAnswer {
  /** At least one, in the order in which they are to be tried. */
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** Looks a name up at its source: a name in lower case, without a dot at its end. Rejects with a `DialError`. */
export type LookUp = (hostname: string) => Promise<DnsAnswer>;
