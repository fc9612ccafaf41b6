import dns, { type RecordWithTtl } from 'node:dns';
import { dnsError, isNegativeDnsCode } from '../network-errors.ts';

/** The address records of a name. */
export interface DnsRecords {
  /** At least one, in the order in which they are tried. */
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** Which records are queried: A, AAAA, both, or AAAA only if there is no A record. */
export type Families = 'ipv4' | 'ipv6' | 'both' | 'ipv4-first';

export interface NameServersOptions {
  /** In the form of `dns.Resolver.setServers`; the system's name servers if empty. */
  readonly servers: readonly string[];
  readonly families: Families;
  /** Time in ms for the first try (500). Later ones get more. */
  readonly firstTryMs?: number;
}

/** The outcome of one query: records, none, or an error code. */
interface QueryResult {
  readonly records: readonly RecordWithTtl[];
  readonly code?: string | undefined;
}

// c-ares derives its timeouts from how fast a server was recently, down to 250 ms (c-ares/c-ares#794), and drops later
// responses. With two tries, a server that answers from its cache in 5 ms would get 0.75 s for a name that it has to look up
// itself; with four it gets about 4 s.
const TRIES = 4;
const FIRST_TRY_MS = 500;
// How long A records wait for AAAA records, since some servers never respond to AAAA queries: the Resolution Delay of
// RFC 8305, 3.
const IPV6_GRACE_MS = 50;
// A response over TCP can contain thousands of addresses, too many to try them all.
const MAX_ADDRESSES = 8;

/** NXDOMAIN: the name has no records of any type. */
const NXDOMAIN = 'ENOTFOUND';
const NO_RECORDS: QueryResult = { records: [] };

/** Queries name servers with c-ares: many queries at once, without the hosts file and search list of the system. */
export class NameServers {
  readonly #options: NameServersOptions;
  #resolver: dns.Resolver | undefined;
  #isClosed = false;

  constructor(options: NameServersOptions) {
    this.#options = options;
  }

  /** The name servers in use as `address:port`, without the port if it is 53. */
  get servers(): readonly string[] {
    return this.#cares().getServers();
  }

  /**
   * Looks a name up. IPv4 addresses come first, since broken IPv6 connectivity shows only by a timeout.
   *
   * @throws ConnectError
   */
  async lookUp(hostname: string): Promise<DnsRecords> {
    const results = await this.#queryFamilies(hostname);
    const records = results.flatMap((result) => result.records.slice(0, MAX_ADDRESSES));
    if (records.length > 0) {
      const ttl = Math.min(...records.map((record) => record.ttl));
      return { addresses: records.map(({ address }) => address), ttlMs: ttl * 1000 };
    }
    const codes = results.map(({ code }) => code).filter((code) => code !== undefined);
    const failed = codes.find((code) => !isNegativeDnsCode(code));
    throw dnsError(failed ?? codes.find((code) => code !== 'ENODATA') ?? 'ENODATA');
  }

  /** Fails the queries in flight, and all later ones, with `ECANCELLED`. */
  close(): void {
    this.#isClosed = true;
    this.#resolver?.cancel();
  }

  async #queryFamilies(hostname: string): Promise<readonly QueryResult[]> {
    switch (this.#options.families) {
      case 'ipv4':
        return [await this.#query(hostname, 'resolve4')];
      case 'ipv6':
        return [await this.#query(hostname, 'resolve6')];
      case 'ipv4-first': {
        const ipv4 = await this.#query(hostname, 'resolve4');
        const isEnough = ipv4.records.length > 0 || ipv4.code === NXDOMAIN;
        return isEnough ? [ipv4] : [ipv4, await this.#query(hostname, 'resolve6')];
      }
      case 'both': {
        const ipv6 = this.#query(hostname, 'resolve6');
        const ipv4 = await this.#query(hostname, 'resolve4');
        if (ipv4.code === NXDOMAIN) return [ipv4];
        return [ipv4, await (ipv4.records.length > 0 ? withinGrace(ipv6) : ipv6)];
      }
    }
  }

  #query(hostname: string, method: 'resolve4' | 'resolve6'): Promise<QueryResult> {
    if (this.#isClosed) return Promise.resolve({ records: [], code: 'ECANCELLED' });
    return new Promise((resolve) => {
      this.#cares()[method](hostname, { ttl: true }, (error, records) => {
        resolve(error === null ? { records } : { records: [], code: error.code });
      });
    });
  }

  /** Created on first use, since a run over literal addresses needs none. */
  #cares(): dns.Resolver {
    if (this.#resolver === undefined) {
      const { servers, firstTryMs = FIRST_TRY_MS } = this.#options;
      this.#resolver = new dns.Resolver({ timeout: firstTryMs, tries: TRIES });
      if (servers.length > 0) this.#resolver.setServers(servers);
    }
    return this.#resolver;
  }
}

/** The result of a query, or no records after the grace time. */
function withinGrace(query: Promise<QueryResult>): Promise<QueryResult> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, IPV6_GRACE_MS, NO_RECORDS);
    query.then((result) => {
      clearTimeout(timer);
      resolve(result);
    });
  });
}
