import dns from 'node:dns';
import pLimit from 'p-limit';
import type { Family } from './address-family.ts';
import type { DnsAnswer } from './dns-answer.ts';
import { dnsFailure } from './dns-failure.ts';

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

  /** Rejects with a `DialError`. `isWanted` is asked when the name's turn has come. */
  lookUp(hostname: string, isWanted = () => true): Promise<DnsAnswer> {
    return this.#limit(() => {
      if (!isWanted()) throw dnsFailure(hostname, 'EAI_AGAIN');
      return this.#ask(hostname);
    });
  }

  /** What waits for its turn is called off. */
  close(): void {
    this.#limit.clearQueue();
  }

  async #ask(hostname: string): Promise<DnsAnswer> {
    try {
      const options = { all: true, verbatim: false, family: this.#family ?? 0 } as const;
      const found = await dns.promises.lookup(hostname, options);
      return { addresses: found.map(({ address }) => address), ttlMs: TTL_MS };
    } catch (error) {
      throw dnsFailure(hostname, (error as NodeJS.ErrnoException).code); // it throws nothing else
    }
  }
}
