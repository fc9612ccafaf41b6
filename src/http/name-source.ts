import { type Family, ofFamily, otherFamily } from './address-family.ts';
import type { DialError } from './dial-error.ts';
import type { DnsAnswer } from './dns-answer.ts';
import { dnsFailure, isFinalDnsCode } from './dns-failure.ts';
import type { DnsTrouble } from './dns-trouble.ts';
import type { HostsFile } from './hosts-file.ts';
import type { NameServers } from './name-servers.ts';
import { isLookUpShort, ShortageError } from './shortage.ts';
import type { SystemResolver } from './system-resolver.ts';

export interface NameSourceOptions {
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
export class NameSource {
  readonly #options: NameSourceOptions;
  #hosts: Promise<HostsFile> | undefined;
  #systemPausedUntil = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: NameSourceOptions) {
    this.#options = options;
  }

  async lookUp(hostname: string): Promise<DnsAnswer> {
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
      if (isLookUpShort()) throw new ShortageError('EMFILE', `no file can be opened to look ${hostname} up`);
      // Nothing but a DialError is thrown before the end.
      if (!this.#isClosed) trouble.ended(hostname, (error as DialError).code);
      throw error;
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#isClosed = true;
    this.#options.servers.close();
    this.#options.system?.close();
  }

  /** Rejects with a `ShortageError` when there is no descriptor for the file, and reads it the next time. */
  async #readHosts(): Promise<HostsFile> {
    try {
      this.#hosts ??= this.#options.readHosts();
      return await this.#hosts;
    } catch (error) {
      this.#hosts = undefined;
      throw error;
    }
  }

  async #ask(hostname: string): Promise<DnsAnswer> {
    const { servers, system } = this.#options;
    if (system !== undefined && isForSystem(hostname)) return system.lookUp(hostname);
    try {
      return await servers.lookUp(hostname);
    } catch (error) {
      const answer = isFinalDnsCode((error as DialError).code) ? undefined : await this.#askSystem(hostname);
      if (answer === undefined) throw error;
      return answer;
    }
  }

  /** Resolves to nothing when the system knows no better. */
  async #askSystem(hostname: string): Promise<DnsAnswer | undefined> {
    const { now, system } = this.#options;
    const isWanted = () => !this.#isClosed && now() >= this.#systemPausedUntil;
    if (system === undefined || !isWanted()) return undefined;
    try {
      return await system.lookUp(hostname, isWanted);
    } catch (error) {
      if (isFinalDnsCode((error as DialError).code)) throw error;
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

function fixedAnswer(hostname: string, fixed: readonly string[], family: Family | undefined): DnsAnswer {
  const addresses = ofFamily([...new Set(fixed)], family);
  if (addresses.length === 0 && family !== undefined) throw otherFamily(hostname, family);
  return { addresses, ttlMs: HOSTS_TTL_MS };
}

/** Names of a network of which the name servers know nothing: of a search list, of multicast DNS. */
function isForSystem(hostname: string): boolean {
  return !hostname.includes('.') || hostname.endsWith('.local');
}
