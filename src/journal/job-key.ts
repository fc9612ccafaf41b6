import { hash } from 'node:crypto';

/** Two words of 32 bits, signed: a key, or a hash. */
export interface Words {
  first: number;
  second: number;
}

/**
 * HalfSipHash-2-4 by J.-P. Aumasson with its 64 bits of output, over the characters of a text as bytes, into `hash`. Who
 * does not know the key cannot choose texts that crowd one place of a table. It takes 0.25 µs for a URL: SHA-1 takes 0.6,
 * SHA-256 over 1, which is as much as it costs to write the record. A character above U+00FF flows into the next ones, so
 * texts with such may share a hash without bad luck.
 */
export function halfSipHash(text: string, key: Words, hash: Words): void {
  let v0 = key.first | 0;
  let v1 = key.second ^ 0xee;
  let v2 = key.first ^ 0x6c79_6765;
  let v3 = key.second ^ 0x7465_6462;
  const { length } = text;
  const rest = length & ~3;
  // After the whole words come the rest with the length, and two rounds that only mix: all one loop, to stay in registers.
  for (let at = 0; at <= rest + 8; at += 4) {
    const word = at < rest ? wordAt(text, at) : at === rest ? restAt(text, rest) : 0;
    if (at === rest + 4) v2 ^= 0xee;
    if (at === rest + 8) {
      hash.first = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    for (let rounds = at <= rest ? 2 : 4; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  hash.second = v1 ^ v3;
}

function wordAt(text: string, at: number): number {
  return (
    text.charCodeAt(at) ^
    (text.charCodeAt(at + 1) << 8) ^
    (text.charCodeAt(at + 2) << 16) ^
    (text.charCodeAt(at + 3) << 24)
  );
}

function restAt(text: string, start: number): number {
  let word = text.length << 24;
  for (let at = start; at < text.length; at++) word ^= text.charCodeAt(at) << (8 * (at - start));
  return word;
}

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
