import { type Family, hasIpv6 } from './address-family.ts';
import { type AddressOverride, overridesOf } from './address-overrides.ts';
import { DnsTrouble } from './dns-trouble.ts';
import { readHostsFile } from './hosts-file.ts';
import { type Families, NameServers } from './name-servers.ts';
import { NameSource } from './name-source.ts';
import { Resolver } from './resolver.ts';
import { SystemResolver } from './system-resolver.ts';

export interface DnsSettings {
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
  const source = new NameSource({
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
