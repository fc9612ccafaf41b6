import { dnsReason, isFinalDnsCode } from './dns-failure.ts';

export interface DnsTroubleOptions {
  /** Told once, in one line for people. */
  readonly warn: (message: string) => void;
  /** The name servers, as the message names them. */
  readonly servers: () => readonly string[];
}

const MIN_NAMES = 5;

/** Says once that it is the resolver that fails, when it does so for most look-ups, of five names at least. */
export class DnsTrouble {
  readonly #options: DnsTroubleOptions;
  readonly #failedNames = new Set<string>();
  #failed = 0;
  #answered = 0;
  #hasWarned = false;

  constructor(options: DnsTroubleOptions) {
    this.#options = options;
  }

  /** A look-up has ended, with an error of this code or with addresses. An unknown name is an answer too. */
  ended(hostname: string, code: string | undefined): void {
    if (this.#hasWarned) return;
    if (code === undefined || isFinalDnsCode(code)) {
      this.#answered += 1;
      return;
    }
    this.#failed += 1;
    if (this.#failedNames.size < MIN_NAMES) this.#failedNames.add(hostname);
    if (this.#failedNames.size < MIN_NAMES || this.#failed <= this.#answered) return;
    this.#hasWarned = true;
    const servers = this.#options.servers().join(', ') || 'none';
    this.#options.warn(
      `most names cannot be looked up (name servers: ${servers}): ${code}, ${dnsReason(code)}; --dns-server asks another one`,
    );
  }
}
