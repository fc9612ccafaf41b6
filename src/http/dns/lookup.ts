import dns from 'node:dns';
import { readFile } from 'node:fs/promises';
import net, { isIP } from 'node:net';
import { networkInterfaces, platform } from 'node:os';
import pLimit from 'p-limit';
import {
  type ConnectError,
  isOutOfDescriptors,
  isResourceExhausted,
  ResourceExhaustedError,
} from '../network-errors.ts';
import { type DnsRecords, type DnsTrouble, dnsFailure, isFinalDnsCode } from './dns-cache.ts';
import type { NameServers } from './name-servers.ts';

export type Family = 4 | 6;

/** The addresses of one family, or all of them, in their order. */
export function ofFamily(addresses: readonly string[], family: Family | undefined): readonly string[] {
  return family === undefined ? addresses : addresses.filter((address) => net.isIP(address) === family);
}

/** An address that was given, or that stands in a file, is of the family that is not wanted. */
export function otherFamily(hostname: string, family: Family): ConnectError {
  return dnsFailure(hostname, 'ENODATA', `there is no IPv${family} address, and --ipv${family} asks for one`);
}

/** Whether an interface has an IPv6 address that reaches beyond its own link, as getaddrinfo finds out too. */
export function hasIpv6(interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) =>
    addresses?.some(
      ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address),
    ),
  );
}

/** Addresses by name, in the order of the file. */
type HostsFile = ReadonlyMap<string, readonly string[]>;

const PATH = platform() === 'win32' ? String.raw`C:\Windows\System32\drivers\etc\hosts` : '/etc/hosts';

/**
 * Reads the hosts file of the system, which c-ares leaves out. One that cannot be read holds nothing; rejects with a
 * `ResourceExhaustedError` when the process has no descriptor for it.
 */
export async function readHostsFile(path = PATH): Promise<HostsFile> {
  try {
    return parseHostsFile(await readFile(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // `readFile` throws nothing else
    if (isResourceExhausted(code)) throw new ResourceExhaustedError(code, 'the hosts file cannot be opened');
    return new Map();
  }
}

/** Reads `ADDRESS NAME...` line by line: a name may have several lines. Lines that are no such thing are passed over. */
export function parseHostsFile(text: string): HostsFile {
  const known = new Map<string, string[]>();
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) add(known, name.toLowerCase().replace(/\.$/, ''), address);
  }
  return known;
}

function add(known: Map<string, string[]>, name: string, address: string): void {
  const addresses = known.get(name);
  if (addresses === undefined) known.set(name, [address]);
  else if (!addresses.includes(address)) addresses.push(address);
}

// libuv gives getaddrinfo two of its four threads. What waits there cannot be called off and keeps the process
// alive, so the others wait here.
const MAX_AT_ONCE = 2;
// getaddrinfo does not tell how long an answer holds.
const TTL_MS = 60_000;

/** Looks names up by getaddrinfo: slow in bulk, but it knows all that the system knows. */
export class SystemResolver {
  readonly #family: Family | undefined;
  readonly #limit = pLimit({ concurrency: MAX_AT_ONCE, rejectOnClear: true });

  constructor(family: Family | undefined) {
    this.#family = family;
  }

  /** Rejects with a `ConnectError`. `isWanted` is asked when the name's turn has come. */
  lookUp(hostname: string, isWanted = () => true): Promise<DnsRecords> {
    return this.#limit(() => {
      if (!isWanted()) throw dnsFailure(hostname, 'EAI_AGAIN');
      return this.#ask(hostname);
    });
  }

  /** What waits for its turn is called off. */
  close(): void {
    this.#limit.clearQueue();
  }

  async #ask(hostname: string): Promise<DnsRecords> {
    try {
      const options = { all: true, verbatim: false, family: this.#family ?? 0 } as const;
      const found = await dns.promises.lookup(hostname, options);
      return { addresses: found.map(({ address }) => address), ttlMs: TTL_MS };
    } catch (error) {
      throw dnsFailure(hostname, (error as NodeJS.ErrnoException).code); // it throws nothing else
    }
  }
}

export interface NameLookupOptions {
  readonly now: () => number;
  readonly readHosts: () => Promise<HostsFile>;
  readonly servers: Pick<NameServers, 'lookUp' | 'close'>;
  /** Left out when the name servers were chosen by the user: then they alone are asked. */
  readonly system?: Pick<SystemResolver, 'lookUp' | 'close'> | undefined;
  readonly trouble: Pick<DnsTrouble, 'ended'>;
  readonly family?: Family | undefined;
}

const LOOPBACK = ['127.0.0.1', '::1'];
// The hosts file is read once for each run.
const HOSTS_TTL_MS = Number.POSITIVE_INFINITY;
// How long the resolver of the system is left alone after it has failed too.
const SYSTEM_PAUSE_MS = 30_000;

/**
 * Where the addresses of a name come from: the hosts file, then the name servers.
 * - `localhost` and what ends in it are this machine, and `.invalid` is nothing, without being asked for (RFC 6761).
 * - Names that only the system can know, without a dot or in `.local`, are left to it. So are those for which the
 *   name servers fail, for as long as the system knows better.
 */
export class NameLookup {
  readonly #options: NameLookupOptions;
  #hosts: Promise<HostsFile> | undefined;
  #systemPausedUntil = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: NameLookupOptions) {
    this.#options = options;
  }

  async lookUp(hostname: string): Promise<DnsRecords> {
    const { family, trouble } = this.#options;
    const hosts = await this.#readHosts();
    const fixed = [...(hosts.get(hostname) ?? []), ...reserved(hostname)];
    if (fixed.length > 0) return fixedAnswer(hostname, fixed, family);
    if (isInvalid(hostname)) throw dnsFailure(hostname, 'ENOTFOUND');
    try {
      const answer = await this.#ask(hostname);
      trouble.ended(hostname, undefined);
      return answer;
    } catch (error) {
      if (isOutOfDescriptors())
        throw new ResourceExhaustedError('EMFILE', `no file can be opened to look ${hostname} up`);
      // Nothing but a ConnectError is thrown before the end.
      if (!this.#isClosed) trouble.ended(hostname, (error as ConnectError).code);
      throw error;
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#isClosed = true;
    this.#options.servers.close();
    this.#options.system?.close();
  }

  /** Rejects with a `ResourceExhaustedError` when there is no descriptor for the file, and reads it the next time. */
  async #readHosts(): Promise<HostsFile> {
    try {
      this.#hosts ??= this.#options.readHosts();
      return await this.#hosts;
    } catch (error) {
      this.#hosts = undefined;
      throw error;
    }
  }

  async #ask(hostname: string): Promise<DnsRecords> {
    const { servers, system } = this.#options;
    if (system !== undefined && isForSystem(hostname)) return system.lookUp(hostname);
    try {
      return await servers.lookUp(hostname);
    } catch (error) {
      const answer = isFinalDnsCode((error as ConnectError).code)
        ? undefined
        : await this.#askSystem(hostname);
      if (answer === undefined) throw error;
      return answer;
    }
  }

  /** Resolves to nothing when the system knows no better. */
  async #askSystem(hostname: string): Promise<DnsRecords | undefined> {
    const { now, system } = this.#options;
    const isWanted = () => !this.#isClosed && now() >= this.#systemPausedUntil;
    if (system === undefined || !isWanted()) return undefined;
    try {
      return await system.lookUp(hostname, isWanted);
    } catch (error) {
      if (isFinalDnsCode((error as ConnectError).code)) throw error;
      this.#systemPausedUntil = now() + SYSTEM_PAUSE_MS;
      return undefined;
    }
  }
}

function reserved(hostname: string): readonly string[] {
  return hostname === 'localhost' || hostname.endsWith('.localhost') ? LOOPBACK : [];
}

function isInvalid(hostname: string): boolean {
  return hostname === 'invalid' || hostname.endsWith('.invalid');
}

function fixedAnswer(hostname: string, fixed: readonly string[], family: Family | undefined): DnsRecords {
  const addresses = ofFamily([...new Set(fixed)], family);
  if (addresses.length === 0 && family !== undefined) throw otherFamily(hostname, family);
  return { addresses, ttlMs: HOSTS_TTL_MS };
}

/** Names of a network of which the name servers know nothing: of a search list, of multicast DNS. */
function isForSystem(hostname: string): boolean {
  return !hostname.includes('.') || hostname.endsWith('.local');
}
