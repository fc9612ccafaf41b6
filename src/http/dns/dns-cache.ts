import { printable } from '../../model/printable.ts';
import { ConnectError } from '../network-errors.ts';

/** Addresses of a name, and for how long they may be remembered. */
export interface DnsRecords {
  /** At least one, in the order in which they are to be tried. */
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** Looks a name up at its source: a name in lower case, without a dot at its end. Rejects with a `ConnectError`. */
export type LookUp = (hostname: string) => Promise<DnsRecords>;

// By the codes of c-ares and of getaddrinfo.
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such name',
  ENODATA: 'the name has no address',
  EBADNAME: 'this is no name that DNS can hold',
  ESERVFAIL: 'the name server could not find it out',
  EREFUSED: 'the name server refuses to answer',
  ECONNREFUSED: 'there is no name server where one should be',
  ETIMEOUT: 'the name server does not answer in time',
  EBADRESP: 'the answer of the name server is malformed',
  EFORMERR: 'the name server does not understand the query',
  ENOTIMP: 'the name server does not know this kind of query',
  ECANCELLED: 'the run has ended',
  EAI_AGAIN: 'the resolver of the system fails for the moment',
  EAI_FAIL: 'the resolver of the system fails',
};

const FINAL_CODES: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/** Whether DNS has spoken: another look-up ends the same way. */
export function isFinalDnsCode(code: string | undefined): boolean {
  return FINAL_CODES.has(code);
}

/** Why a name has no address, in words; `reason` stands in for the usual words of the code. */
export function dnsFailure(
  hostname: string,
  code: string | undefined,
  reason: string = dnsReason(code),
): ConnectError {
  return new ConnectError('dns', code, `${code ?? 'no address'} ${printable(hostname)}: ${reason}`);
}

/** What a code of a look-up means, in words. */
function dnsReason(code: string | undefined): string {
  return REASONS[code ?? ''] ?? 'the look-up failed';
}

/** What is known of a name: its addresses, or that it has none. */
type Known =
  | { readonly addresses: readonly string[]; readonly error?: undefined }
  | { readonly addresses?: undefined; readonly error: ConnectError };

interface DnsCacheOptions {
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

  learn(hostname: string, { addresses, ttlMs }: DnsRecords): void {
    this.#add(hostname, { addresses }, Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS));
  }

  /** Remembers that a name has no address. A look-up that failed says nothing of the name, and is not remembered. */
  learnFailure(hostname: string, error: ConnectError): void {
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

interface DnsTroubleOptions {
  /** Told once, in one line for people. */
  readonly warn: (message: string) => void;
  /** The name servers, as the message names them. */
  readonly servers: () => readonly string[];
}

const MIN_NAMES = 5;

/** Says once that it is the resolver that fails, when it does so for most look-ups, of five names at least. */
export class DnsTrouble {
  readonly #options: DnsTroubleOptions;
  readonly #failedNames = new Set<string>();
  #failed = 0;
  #answered = 0;
  #hasWarned = false;

  constructor(options: DnsTroubleOptions) {
    this.#options = options;
  }

  /** A look-up has ended, with an error of this code or with addresses. An unknown name is an answer too. */
  ended(hostname: string, code: string | undefined): void {
    if (this.#hasWarned) return;
    if (code === undefined || isFinalDnsCode(code)) {
      this.#answered += 1;
      return;
    }
    this.#failed += 1;
    if (this.#failedNames.size < MIN_NAMES) this.#failedNames.add(hostname);
    if (this.#failedNames.size < MIN_NAMES || this.#failed <= this.#answered) return;
    this.#hasWarned = true;
    const servers = this.#options.servers().join(', ') || 'none';
    this.#options.warn(
      `most names cannot be looked up (name servers: ${servers}): ${code}, ${dnsReason(code)}; --dns-server asks another one`,
    );
  }
}
