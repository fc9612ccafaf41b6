import dns from 'node:dns';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { devNull, platform } from 'node:os';
import pLimit from 'p-limit';
import {
  type ConnectError,
  dnsError,
  dnsReason,
  isNegativeDnsCode,
  isResourceExhausted,
  ResourceExhaustedError,
} from '../network-errors.ts';
import type { DnsRecords, NameServers } from './name-servers.ts';

export interface NameLookupOptions {
  readonly now: () => number;
  readonly readHosts: () => Promise<HostsFile>;
  readonly servers: Pick<NameServers, 'lookUp' | 'close'>;
  /** Left out if the user named name servers: then nothing else is queried. */
  readonly system?: Pick<SystemResolver, 'lookUp' | 'close'> | undefined;
  readonly monitor: Pick<DnsFailureMonitor, 'record'>;
  readonly family?: Family | undefined;
}

const LOOPBACK = ['127.0.0.1', '::1'];
// The hosts file is read once per run.
const HOSTS_TTL_MS = Number.POSITIVE_INFINITY;
// How long the system's resolver is skipped after it has failed as well.
const SYSTEM_PAUSE_MS = 30_000;

/**
 * Looks names up in the hosts file, then by the name servers.
 * - `localhost` and names below it are this machine, and `.invalid` does not exist, without a query (RFC 6761).
 * - The system's resolver gets names that only it may know, without a dot or in `.local`, and names for which the name
 *   servers failed, unless it has failed itself in the last 30 s.
 */
export class NameLookup {
  readonly #options: NameLookupOptions;
  #hosts: Promise<HostsFile> | undefined;
  #systemPausedUntil = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: NameLookupOptions) {
    this.#options = options;
  }

  /**
   * Looks up a name in lower case, without a dot at its end.
   *
   * @throws ConnectError
   * @throws ResourceExhaustedError if the process has no descriptor left
   */
  async lookUp(hostname: string): Promise<DnsRecords> {
    const { family, monitor } = this.#options;
    const hosts = await this.#readHosts();
    const fixed = [...(hosts.get(hostname) ?? []), ...(isOrIsBelow(hostname, 'localhost') ? LOOPBACK : [])];
    if (fixed.length > 0) {
      const addresses = filterByFamily([...new Set(fixed)], family);
      if (addresses instanceof Error) throw addresses;
      return { addresses, ttlMs: HOSTS_TTL_MS };
    }
    if (isOrIsBelow(hostname, 'invalid')) throw dnsError('ENOTFOUND');
    try {
      const records = await this.#query(hostname);
      monitor.record(hostname, undefined);
      return records;
    } catch (error) {
      if (isOutOfDescriptors())
        throw new ResourceExhaustedError('EMFILE', `no file can be opened to look ${hostname} up`);
      // Only a ConnectError is thrown until here.
      if (!this.#isClosed) monitor.record(hostname, (error as ConnectError).code);
      throw error;
    }
  }

  /** Fails the lookups in flight. */
  close(): void {
    this.#isClosed = true;
    this.#options.servers.close();
    this.#options.system?.close();
  }

  /** Reads the hosts file once. After a failure for lack of descriptors it is read again next time. */
  async #readHosts(): Promise<HostsFile> {
    try {
      this.#hosts ??= this.#options.readHosts();
      return await this.#hosts;
    } catch (error) {
      this.#hosts = undefined;
      throw error;
    }
  }

  async #query(hostname: string): Promise<DnsRecords> {
    const { servers, system } = this.#options;
    if (system !== undefined && isLocalName(hostname)) return system.lookUp(hostname);
    try {
      return await servers.lookUp(hostname);
    } catch (error) {
      const records = isNegativeDnsCode((error as ConnectError).code)
        ? undefined
        : await this.#querySystem(hostname);
      if (records === undefined) throw error;
      return records;
    }
  }

  /** Resolves to `undefined` if the system's resolver fails as well. Throws its negative answer. */
  async #querySystem(hostname: string): Promise<DnsRecords | undefined> {
    const { now, system } = this.#options;
    const isWanted = () => !this.#isClosed && now() >= this.#systemPausedUntil;
    if (system === undefined || !isWanted()) return undefined;
    try {
      return await system.lookUp(hostname, isWanted);
    } catch (error) {
      if (isNegativeDnsCode((error as ConnectError).code)) throw error;
      this.#systemPausedUntil = now() + SYSTEM_PAUSE_MS;
      return undefined;
    }
  }
}

function isOrIsBelow(hostname: string, domain: string): boolean {
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

/** Whether a name may be one of a local network, from a search list or multicast DNS, unknown to name servers. */
function isLocalName(hostname: string): boolean {
  return !hostname.includes('.') || hostname.endsWith('.local');
}

/** Descriptors that one lookup may need at once, for the hosts file or for sockets to the name servers. */
const DESCRIPTORS_PER_LOOKUP = 4;

/**
 * Whether a lookup that has just failed may have failed for lack of descriptors. The resolvers do not report that:
 * getaddrinfo says that the name does not exist, and c-ares that the name server refuses connections.
 */
function isOutOfDescriptors(): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < DESCRIPTORS_PER_LOOKUP) opened.push(openSync(devNull, 'r'));
    return false;
  } catch (error) {
    return isResourceExhausted((error as NodeJS.ErrnoException).code); // `openSync` throws nothing else
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

export type Family = 4 | 6;

/**
 * Those of a name's configured addresses that are of the wanted family; an error if there are none. Queries need no filter:
 * they ask for the wanted family only.
 */
export function filterByFamily(
  addresses: readonly string[],
  family: Family | undefined,
): readonly string[] | ConnectError {
  if (family === undefined) return addresses;
  const wanted = addresses.filter((address) => isIP(address) === family);
  if (wanted.length > 0) return wanted;
  return dnsError('ENODATA', `no IPv${family} address, which --ipv${family} asks for`);
}

// libuv runs getaddrinfo in two of its four threads. A call that waits there cannot be cancelled and keeps the process
// alive, so further ones wait here.
const MAX_GETADDRINFO = 2;
// getaddrinfo does not report a TTL.
const SYSTEM_TTL_MS = 60_000;

/** Looks names up with getaddrinfo: slow for many names, but it uses every source that the system is configured for. */
export class SystemResolver {
  readonly #family: Family | undefined;
  readonly #limit = pLimit({ concurrency: MAX_GETADDRINFO, rejectOnClear: true });

  constructor(family: Family | undefined) {
    this.#family = family;
  }

  /**
   * @param isWanted checked again when the name's turn has come; otherwise the lookup fails with `EAI_AGAIN`
   * @throws ConnectError
   */
  lookUp(hostname: string, isWanted = () => true): Promise<DnsRecords> {
    return this.#limit(() => {
      if (!isWanted()) throw dnsError('EAI_AGAIN');
      return this.#getaddrinfo(hostname);
    });
  }

  /** Fails the lookups that wait for their turn. */
  close(): void {
    this.#limit.clearQueue();
  }

  async #getaddrinfo(hostname: string): Promise<DnsRecords> {
    try {
      const options = { all: true, verbatim: false, family: this.#family ?? 0 } as const;
      const found = await dns.promises.lookup(hostname, options);
      return { addresses: found.map(({ address }) => address), ttlMs: SYSTEM_TTL_MS };
    } catch (error) {
      throw dnsError((error as NodeJS.ErrnoException).code); // `lookup` throws nothing else
    }
  }
}

/** Addresses by name, in the order of the file. */
type HostsFile = ReadonlyMap<string, readonly string[]>;

const HOSTS_PATH = platform() === 'win32' ? String.raw`C:\Windows\System32\drivers\etc\hosts` : '/etc/hosts';

/**
 * Reads the hosts file of the system, which c-ares ignores. A file that cannot be read is taken for empty.
 *
 * @throws ResourceExhaustedError if the process has no descriptor left
 */
export async function readHostsFile(path = HOSTS_PATH): Promise<HostsFile> {
  try {
    return parseHostsFile(await readFile(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // `readFile` throws nothing else
    if (isResourceExhausted(code)) throw new ResourceExhaustedError(code, 'the hosts file cannot be opened');
    return new Map();
  }
}

/** Parses lines of `ADDRESS NAME...`. A name may have several lines. Any other line is skipped. */
export function parseHostsFile(text: string): HostsFile {
  const hosts = new Map<string, string[]>();
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const hostname = name.toLowerCase().replace(/\.$/, '');
      const addresses = hosts.get(hostname);
      if (addresses === undefined) hosts.set(hostname, [address]);
      else if (!addresses.includes(address)) addresses.push(address);
    }
  }
  return hosts;
}

interface DnsFailureMonitorOptions {
  /** Called once, with one line for people. */
  readonly warn: (message: string) => void;
  /** The name servers, for the message. */
  readonly servers: () => readonly string[];
}

const MIN_FAILED_NAMES = 5;

/** Warns once when most lookups fail, of at least five names: then the resolver is at fault, not the names. */
export class DnsFailureMonitor {
  readonly #options: DnsFailureMonitorOptions;
  readonly #failedNames = new Set<string>();
  #failed = 0;
  #answered = 0;
  #hasWarned = false;

  constructor(options: DnsFailureMonitorOptions) {
    this.#options = options;
  }

  /** Records a finished lookup: its error code, or `undefined` for addresses. A negative answer is not a failure. */
  record(hostname: string, code: string | undefined): void {
    if (this.#hasWarned) return;
    if (code === undefined || isNegativeDnsCode(code)) {
      this.#answered += 1;
      return;
    }
    this.#failed += 1;
    if (this.#failedNames.size < MIN_FAILED_NAMES) this.#failedNames.add(hostname);
    if (this.#failedNames.size < MIN_FAILED_NAMES || this.#failed <= this.#answered) return;
    this.#hasWarned = true;
    const servers = this.#options.servers().join(', ') || 'none';
    this.#options.warn(
      `most names cannot be looked up (name servers: ${servers}): ${dnsReason(code)} (${code}); use --dns-server to ask another one`,
    );
  }
}
