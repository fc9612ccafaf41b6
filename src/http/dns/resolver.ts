import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import pLimit from 'p-limit';
import type { AddressOverride } from '../../config/parse/addresses.ts';
import { durationText } from '../../config/parse/numbers.ts';
import { ConnectError, dnsError, isNegativeDnsCode } from '../network-errors.ts';
import {
  DnsFailureMonitor,
  type Family,
  filterByFamily,
  NameLookup,
  readHostsFile,
  SystemResolver,
} from './lookup.ts';
import { type DnsRecords, type Families, NameServers } from './name-servers.ts';

interface DnsSettings {
  readonly overrides: readonly AddressOverride[];
  /** Name servers to query instead of the system's, as `address` or `address:port`. */
  readonly servers: readonly string[];
  readonly family: Family | undefined;
  /** Limit of concurrent lookups. */
  readonly maxLookups: number;
  /** Time in ms for one lookup. */
  readonly timeoutMs: number;
  readonly now: () => number;
  /** Called once if most lookups fail. */
  readonly warn: (message: string) => void;
}

/** The resolver of a run, with everything it looks names up with. */
export function createResolver(settings: DnsSettings): Resolver {
  const { family, overrides, maxLookups, timeoutMs, now, warn } = settings;
  const servers = new NameServers({ servers: settings.servers, families: toFamilies(family) });
  const lookup = new NameLookup({
    now,
    readHosts: readHostsFile,
    servers,
    system: settings.servers.length === 0 ? new SystemResolver(family) : undefined,
    monitor: new DnsFailureMonitor({ warn, servers: () => servers.servers }),
    family,
  });
  return new Resolver({
    now,
    lookUp: (hostname) => lookup.lookUp(hostname),
    findOverride: toOverrideLookup(overrides),
    family,
    timeoutMs,
    maxLookups,
    onClose: () => lookup.close(),
  });
}

/**
 * Limit of concurrent lookups, each of up to two queries: half the number of workers, at least 64, at most 256. With 64, a
 * name server that takes 50 ms gives no more than 64 / 0.05 s = 1,280 names/s.
 */
export function maxConcurrentLookups(concurrency: number): number {
  return Math.min(256, Math.max(64, Math.ceil(concurrency / 2)));
}

/** Without IPv6 connectivity, AAAA records are queried only if there is no A record, so that the failure is clear. */
function toFamilies(family: Family | undefined): Families {
  if (family !== undefined) return `ipv${family}`;
  return hasIpv6() ? 'both' : 'ipv4-first';
}

/** Whether an interface has an IPv6 address that is not link-local, by which getaddrinfo decides as well. */
export function hasIpv6(interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) =>
    addresses?.some(
      ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address),
    ),
  );
}

/** The overriding addresses for a host and a port, if any. */
type FindOverride = (hostname: string, port: number) => readonly string[] | undefined;

/** As in curl, an entry for the host goes before one for any host, and a later entry before an earlier one. */
export function toOverrideLookup(overrides: readonly AddressOverride[]): FindOverride {
  if (overrides.length === 0) return () => undefined;
  const table = new Map(overrides.map(({ host, port, addresses }) => [`${host}:${port}`, addresses]));
  return (hostname, port) => table.get(`${hostname}:${port}`) ?? table.get(`*:${port}`);
}

/**
 * Looks up a name in lower case, without a dot at its end.
 *
 * @throws ConnectError
 * @throws ResourceExhaustedError
 */
export type LookupFunction = (hostname: string) => Promise<DnsRecords>;

export interface ResolverOptions {
  readonly now: () => number;
  readonly lookUp: LookupFunction;
  readonly findOverride?: FindOverride | undefined;
  /** The only wanted family; `lookUp` must return no other. */
  readonly family?: Family | undefined;
  /** Time in ms for one lookup, from when its turn has come (10,000). */
  readonly timeoutMs?: number;
  /** Limit of concurrent lookups, at least 1 (64). */
  readonly maxLookups?: number;
  /** Limit of cached names, at least 1 (100,000). */
  readonly maxEntries?: number;
  /** Called by `close`, to end the lookups in flight. */
  readonly onClose?: () => void;
}

/**
 * Called with at least one address, or with an error; before `resolve` returns if no lookup is needed. `lookupMs` is the
 * time that this caller waited for the lookup, from when its turn had come.
 */
type OnResolve = (error: Error | undefined, addresses: readonly string[], lookupMs: number) => void;

/** A lookup that waits for its turn, or is in flight, or has ended. */
export type LookupPhase = 'queued' | 'running' | 'over';

/** Called for a name that is looked up, with each phase; not at all if no lookup is needed. */
type OnPhase = (phase: LookupPhase) => void;

interface LookupCaller {
  readonly onResolve: OnResolve;
  readonly onPhase: OnPhase | undefined;
  readonly at: number;
}

/** A lookup in flight, or one that waits for its turn, and who wants its addresses. */
interface SharedLookup {
  startedAt: number | undefined;
  readonly callers: LookupCaller[];
}

const NO_ADDRESSES: readonly string[] = [];

const MAX_LOOKUPS = 64;

/**
 * Resolves names to addresses: overrides, literal addresses, the cache, then a lookup. Concurrent requests for a name share
 * one lookup, and the number of lookups is limited.
 */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #cache: DnsCache;
  readonly #lookups = new Map<string, SharedLookup>();

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#limit = pLimit(options.maxLookups ?? MAX_LOOKUPS);
    this.#cache = new DnsCache({ now: options.now, maxEntries: options.maxEntries ?? 100_000 });
  }

  /** @param host as in a URL: in lower case, but an IPv6 address without brackets */
  resolve(host: string, port: number, onResolve: OnResolve, onPhase?: OnPhase): void {
    const hostname = host.endsWith('.') ? host.slice(0, -1) : host;
    const configured =
      this.#options.findOverride?.(hostname, port) ?? (isIP(hostname) === 0 ? undefined : [hostname]);
    if (configured !== undefined) {
      const addresses = filterByFamily(configured, this.#options.family);
      if (addresses instanceof Error) onResolve(addresses, NO_ADDRESSES, 0);
      else onResolve(undefined, addresses, 0);
      return;
    }
    const cached = this.#cache.get(hostname);
    if (cached === undefined) this.#shareLookup(hostname, onResolve, onPhase);
    else onResolve(cached.error, cached.addresses ?? NO_ADDRESSES, 0);
  }

  /** Ends the lookups, so that none keeps the process alive. The callbacks of waiting ones are not called. */
  close(): void {
    this.#limit.clearQueue();
    this.#options.onClose?.();
  }

  #shareLookup(hostname: string, onResolve: OnResolve, onPhase: OnPhase | undefined): void {
    const caller = { onResolve, onPhase, at: this.#options.now() };
    const shared = this.#lookups.get(hostname);
    if (shared !== undefined) {
      shared.callers.push(caller);
      onPhase?.(shared.startedAt === undefined ? 'queued' : 'running');
      return;
    }
    const lookup: SharedLookup = { startedAt: undefined, callers: [caller] };
    this.#lookups.set(hostname, lookup);
    const start = () => {
      lookup.startedAt = this.#options.now();
      for (const { onPhase: onTurn } of lookup.callers) onTurn?.('running');
      return this.#lookUpInTime(hostname);
    };
    onPhase?.(this.#isFull ? 'queued' : 'running');
    this.#limit(start).then(
      (records) => {
        this.#cache.set(hostname, records);
        this.#callBack(hostname, undefined, records.addresses);
      },
      (error: unknown) => {
        if (error instanceof ConnectError) this.#cache.setNegative(hostname, error);
        this.#callBack(hostname, error as Error, NO_ADDRESSES); // only errors are thrown
      },
    );
  }

  /** Whether the next lookup must wait for its turn. */
  get #isFull(): boolean {
    return this.#limit.activeCount + this.#limit.pendingCount >= (this.#options.maxLookups ?? MAX_LOOKUPS);
  }

  #lookUpInTime(hostname: string): Promise<DnsRecords> {
    const { lookUp, timeoutMs = 10_000 } = this.#options;
    return new Promise((resolve, reject) => {
      const expire = () =>
        reject(dnsError('ETIMEOUT', `the lookup took longer than ${durationText(timeoutMs)}`));
      const timer = setTimeout(expire, timeoutMs);
      lookUp(hostname)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  #callBack(hostname: string, error: Error | undefined, addresses: readonly string[]): void {
    const now = this.#options.now();
    const { startedAt = now, callers = [] } = this.#lookups.get(hostname) ?? {};
    this.#lookups.delete(hostname);
    for (const { onResolve, onPhase, at } of callers) {
      onPhase?.('over');
      onResolve(error, addresses, now - Math.max(startedAt, at));
    }
  }
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
class DnsCache {
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
