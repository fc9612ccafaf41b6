import dns from 'node:dns';
import net from 'node:net';
import pLimit from 'p-limit';
import { DialError } from './dial-error.ts';
import { explain } from './explain.ts';

/** Calls back with the addresses of a name, at least one, or with the error; at once when it knows them. */
export type Resolved = (error: Error | undefined, addresses: readonly string[]) => void;

/** Looks a name up at its source. */
export type LookUp = (hostname: string) => Promise<readonly string[]>;

export interface ResolverOptions {
  readonly now: () => number;
  readonly lookUp?: LookUp;
  /** Names remembered, above 0 (100,000). */
  readonly maxEntries?: number;
}

interface Entry {
  readonly addresses: readonly string[];
  readonly expiresAt: number;
}

const MAX_ENTRIES = 100_000;
const MAX_LOOK_UPS = 64;
const TTL_MS = 60_000;

/** Names → addresses: look-ups of one name are shared, answers kept for a minute, and 64 made at once at most. */
export class Resolver {
  readonly #options: Required<ResolverOptions>;
  readonly #limit = pLimit(MAX_LOOK_UPS);
  readonly #known = new Map<string, Entry>();
  readonly #waiting = new Map<string, Resolved[]>();

  constructor(options: ResolverOptions) {
    this.#options = { lookUp: systemLookUp, maxEntries: MAX_ENTRIES, ...options };
  }

  resolve(hostname: string, _port: number, resolved: Resolved): void {
    const known = net.isIP(hostname) === 0 ? this.#recall(hostname) : [hostname];
    if (known !== undefined) {
      resolved(undefined, known);
      return;
    }
    const waiting = this.#waiting.get(hostname);
    if (waiting !== undefined) {
      waiting.push(resolved);
      return;
    }
    this.#waiting.set(hostname, [resolved]);
    this.#limit(this.#options.lookUp, hostname).then(
      (addresses) =>
        this.#settle(hostname, addresses.length === 0 ? noAddress(hostname) : undefined, addresses),
      (error: Error & { code?: string }) => {
        this.#settle(hostname, new DialError('dns', error.code, explain(error)), []);
      },
    );
  }

  #recall(hostname: string): readonly string[] | undefined {
    const entry = this.#known.get(hostname);
    return entry !== undefined && entry.expiresAt > this.#options.now() ? entry.addresses : undefined;
  }

  #settle(hostname: string, error: Error | undefined, addresses: readonly string[]): void {
    const waiting = this.#waiting.get(hostname) ?? [];
    this.#waiting.delete(hostname);
    if (error === undefined) this.#remember(hostname, addresses);
    for (const resolved of waiting) resolved(error, addresses);
  }

  #remember(hostname: string, addresses: readonly string[]): void {
    this.#known.delete(hostname);
    this.#known.set(hostname, { addresses, expiresAt: this.#options.now() + TTL_MS });
    if (this.#known.size <= this.#options.maxEntries) return;
    const oldest = this.#known.keys().next();
    if (oldest.done !== true) this.#known.delete(oldest.value);
  }
}

function noAddress(hostname: string): DialError {
  return new DialError('dns', 'ENODATA', `${hostname} has no address`);
}

async function systemLookUp(hostname: string): Promise<readonly string[]> {
  const found = await dns.promises.lookup(hostname, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}
