import net from 'node:net';
import pLimit from 'p-limit';
import { ConnectError } from '../network-errors.ts';
import { DnsCache, type DnsRecords, DnsTrouble, dnsFailure, type LookUp } from './dns-cache.ts';
import {
  type Family,
  hasIpv6,
  NameLookup,
  ofFamily,
  otherFamily,
  readHostsFile,
  SystemResolver,
} from './lookup.ts';
import { type Families, NameServers } from './name-servers.ts';

/** The addresses to connect to for a host and a port, whatever DNS says. */
interface AddressOverride {
  /** In lower case, without brackets and without a dot at its end; `*` is any host. */
  readonly host: string;
  readonly port: number;
  /** At least one. */
  readonly addresses: readonly string[];
}

/** Finds what `--resolve` says of a host and a port; undefined when it says nothing. */
type FindOverride = (hostname: string, port: number) => readonly string[] | undefined;

/** A host's own entry goes before one for any host, and a later one before an earlier one, as with curl. */
export function overridesOf(overrides: readonly AddressOverride[]): FindOverride {
  if (overrides.length === 0) return () => undefined;
  const known = new Map(overrides.map(({ host, port, addresses }) => [`${host}:${port}`, addresses]));
  return (hostname, port) => known.get(`${hostname}:${port}`) ?? known.get(`*:${port}`);
}

/** Calls back with the addresses of a name, at least one, or with the error; at once when it knows them. */
type Resolved = (error: Error | undefined, addresses: readonly string[]) => void;

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
        if (error instanceof ConnectError) this.#cache.learnFailure(hostname, error);
        this.#settle(hostname, error as Error, NONE); // nothing else is thrown
      },
    );
  }

  #lookUpInTime(hostname: string): Promise<DnsRecords> {
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

interface DnsSettings {
  readonly overrides: readonly AddressOverride[];
  /** Name servers to ask instead of the system's, as `address` or `address:port`. */
  readonly servers: readonly string[];
  readonly family: Family | undefined;
  /** Workers that may want a name at the same time. */
  readonly concurrency: number;
  /** Time in ms for one look-up. */
  readonly timeoutMs: number;
  readonly now: () => number;
  /** Told once, when it is the resolver that fails. */
  readonly warn: (message: string) => void;
}

/** The resolver of a run, with what it asks. */
export function openResolver(settings: DnsSettings): Resolver {
  const { family, overrides, servers: given, concurrency, timeoutMs, now, warn } = settings;
  const servers = new NameServers({ servers: given, families: familiesOf(family) });
  const source = new NameLookup({
    now,
    readHosts: readHostsFile,
    servers,
    system: given.length === 0 ? new SystemResolver(family) : undefined,
    trouble: new DnsTrouble({ warn, servers: () => servers.servers }),
    family,
  });
  return new Resolver({
    now,
    lookUp: (hostname) => source.lookUp(hostname),
    findOverride: overridesOf(overrides),
    family,
    timeoutMs,
    maxLookUps: lookUpsAtOnce(concurrency),
    onClose: () => source.close(),
  });
}

/**
 * Look-ups at once, each of them up to two queries: 64, and for many workers half as many as they are, up to 256.
 * With 64 a name server that needs 50 ms gives no more than 64 / 0.05 s = 1,280 names a second, however fast the rest is.
 */
export function lookUpsAtOnce(concurrency: number): number {
  return Math.min(256, Math.max(64, Math.ceil(concurrency / 2)));
}

/** Without a way to IPv6 its addresses are asked for only where there is no other, for a clear failure. */
function familiesOf(family: Family | undefined): Families {
  if (family !== undefined) return `ipv${family}`;
  return hasIpv6() ? 'both' : 'ipv4-first';
}
