import { hash } from 'node:crypto';
import { halfSipHash, type Words } from './half-sip-hash.ts';

/** Which job a record belongs to: the same in each run with the same journal, wherever its line stands in the list. */
export interface Identity extends Words {
  /** How many jobs with the same key were read before it. */
  n: number;
}

/** Makes the keys of jobs, 64 bits over method, URL and body. */
export class KeyMaker {
  readonly #seed: Words;
  #body: string | Uint8Array = '';
  #bodyHash = '';

  /** Journals have different seeds, and so different keys for the same job. */
  constructor(seed: Words) {
    this.#seed = seed;
  }

  /** Puts the key of a request into `key`. `url` has no line break. */
  keyOf(method: string, url: string, body: string | Uint8Array | undefined, key: Words): void {
    const request = body === undefined ? `${method}\n${url}` : `${method}\n${url}\n${this.#hashOf(body)}`;
    halfSipHash(request, this.#seed, key);
  }

  // Most jobs of a run share one body, which may be large.
  #hashOf(body: string | Uint8Array): string {
    if (this.#bodyHash === '' || body !== this.#body) {
      this.#body = body;
      this.#bodyHash = hash('sha256', body, 'hex');
    }
    return this.#bodyHash;
  }
}
