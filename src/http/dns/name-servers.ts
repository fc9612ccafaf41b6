import dns, { type RecordWithTtl } from 'node:dns';
import { type DnsRecords, dnsFailure, isFinalDnsCode } from './dns-cache.ts';

/** Which records are asked for; `ipv4-first` asks for IPv6 addresses only where there is no other. */
export type Families = 'ipv4' | 'ipv6' | 'both' | 'ipv4-first';

export interface NameServersOptions {
  /** As `dns.Resolver.setServers` takes them; those of the system when there are none. */
  readonly servers: readonly string[];
  readonly families: Families;
  /** Time in ms for the first try (500). The later ones have more. */
  readonly firstTryMs?: number;
}

/** The answer to one question: records, none, or an error. */
interface Asked {
  readonly records: readonly RecordWithTtl[];
  readonly code?: string | undefined;
}

// c-ares takes its time limits from how fast a server was of late, down to 250 ms (c-ares/c-ares#794), and an answer
// that comes later is lost. With two tries a server that answers from its cache in 5 ms would have 0.75 s for a name
// that it has to ask for itself; with four it has about 4 s.
const TRIES = 4;
const FIRST_TRY_MS = 500;
// How long an IPv4 address waits for the IPv6 ones, as RFC 8305 has it the other way round: some servers never say
// a word about AAAA.
const IPV6_GRACE_MS = 50;
// An answer over TCP can hold thousands of addresses; nobody waits until all of them were tried.
const MAX_ADDRESSES = 8;

/** The name has no records of any kind. */
const UNKNOWN = 'ENOTFOUND';
const NOT_ASKED: Asked = { records: [] };

/** Asks name servers, by c-ares: many at once, and without the hosts file and the search list of the system. */
export class NameServers {
  readonly #options: NameServersOptions;
  #resolver: dns.Resolver | undefined;
  #isClosed = false;

  constructor(options: NameServersOptions) {
    this.#options = options;
  }

  /** `address:port` of those that are asked; the port is left out when it is 53. */
  get servers(): readonly string[] {
    return this.#cares().getServers();
  }

  /** IPv4 addresses come first, since a broken way of IPv6 is found out only when the time is up. */
  async lookUp(hostname: string): Promise<DnsRecords> {
    const asked = await this.#askAll(hostname);
    const records = asked.flatMap((one) => one.records.slice(0, MAX_ADDRESSES));
    if (records.length > 0) {
      const ttl = Math.min(...records.map((record) => record.ttl));
      return { addresses: records.map(({ address }) => address), ttlMs: ttl * 1000 };
    }
    const codes = asked.map(({ code }) => code).filter((code) => code !== undefined);
    const unknown = codes.find((code) => !isFinalDnsCode(code));
    throw dnsFailure(hostname, unknown ?? codes.find((code) => code !== 'ENODATA') ?? 'ENODATA');
  }

  /** Ends what is under way, and asks nothing any more: both fail with `ECANCELLED`. */
  close(): void {
    this.#isClosed = true;
    this.#resolver?.cancel();
  }

  async #askAll(hostname: string): Promise<readonly Asked[]> {
    switch (this.#options.families) {
      case 'ipv4':
        return [await this.#ask(hostname, 'resolve4')];
      case 'ipv6':
        return [await this.#ask(hostname, 'resolve6')];
      case 'ipv4-first': {
        const first = await this.#ask(hostname, 'resolve4');
        const isEnough = first.records.length > 0 || first.code === UNKNOWN;
        return isEnough ? [first] : [first, await this.#ask(hostname, 'resolve6')];
      }
      case 'both': {
        const second = this.#ask(hostname, 'resolve6');
        const first = await this.#ask(hostname, 'resolve4');
        if (first.code === UNKNOWN) return [first];
        return [first, await (first.records.length > 0 ? withGrace(second) : second)];
      }
    }
  }

  #ask(hostname: string, method: 'resolve4' | 'resolve6'): Promise<Asked> {
    if (this.#isClosed) return Promise.resolve({ records: [], code: 'ECANCELLED' });
    return new Promise((resolve) => {
      this.#cares()[method](hostname, { ttl: true }, (error, records) => {
        resolve(error === null ? { records } : { records: [], code: error.code });
      });
    });
  }

  /** Made on first use: a run over addresses needs none. */
  #cares(): dns.Resolver {
    if (this.#resolver === undefined) {
      const { servers, firstTryMs = FIRST_TRY_MS } = this.#options;
      this.#resolver = new dns.Resolver({ timeout: firstTryMs, tries: TRIES });
      if (servers.length > 0) this.#resolver.setServers(servers);
    }
    return this.#resolver;
  }
}

function withGrace(asking: Promise<Asked>): Promise<Asked> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, IPV6_GRACE_MS, NOT_ASKED);
    asking.then((asked) => {
      clearTimeout(timer);
      resolve(asked);
    });
  });
}
