import { hash } from 'node:crypto';
import type { Hop } from '../http/hop.ts';
import type { Job } from '../model/job.ts';

/** A 64-bit value as two signed words of 32 bits: a hash, or the secret that it is computed with. */
export interface Hash64 {
  first: number;
  second: number;
}

/**
 * Identifies a job in every run with the same journal, wherever its line is in the list: the hash of its request, and
 * a count.
 */
export interface JobKey extends Hash64 {
  /** The number of jobs with the same hash that were read before it. */
  occurrence: number;
}

/** What a job sends in its first request. */
export type JobRequest = Pick<Hop, 'method' | 'headers' | 'body'>;

/**
 * Computes the hashes of jobs, from everything that decides their results: method, URL, headers but user-agent, and body of
 * the request; the id, expectations and file name of the job; and the rules of the run.
 */
export class JobHasher {
  readonly #seed: Hash64;
  readonly #rules: string;
  #body: string | Uint8Array = '';
  #bodyDigest = '';
  #headers: JobRequest['headers'] | undefined;
  #headersDigest = '';

  /**
   * @param seed each journal has its own, so the same job has another hash in each
   * @param rules what decides the verdict on every response of the run
   */
  constructor(seed: Hash64, rules: string) {
    this.#seed = seed;
    this.#rules = rules;
  }

  /** Writes the hash of a job to `result`. Its URL must not contain a line break. */
  hash(job: Job, { method, headers, body }: JobRequest, result: Hash64): void {
    const bodyDigest = body === undefined ? '' : this.#digestOf(body);
    const details = `${this.#headersOf(headers)}${detailsOf(job)}`;
    halfSipHash(`${method}\n${job.url}\n${bodyDigest}\n${details}`, this.#seed, result);
  }

  // Most jobs of a run share their headers.
  #headersOf(headers: JobRequest['headers']): string {
    if (headers === this.#headers) return this.#headersDigest;
    const sent = Object.entries(headers).filter(([name]) => name !== 'user-agent');
    sent.sort(([first], [second]) => (first < second ? -1 : 1));
    this.#headers = headers;
    this.#headersDigest = digest([this.#rules, sent]);
    return this.#headersDigest;
  }

  // Most jobs of a run share one body, which may be large.
  #digestOf(body: string | Uint8Array): string {
    if (this.#bodyDigest === '' || body !== this.#body) {
      this.#body = body;
      this.#bodyDigest = hash('sha256', body, 'hex');
    }
    return this.#bodyDigest;
  }
}

/** What a job adds to its request and to the rules of its run. */
function detailsOf({ id, save, expect }: Job): string {
  if (id === undefined && save === undefined && expect === undefined) return '';
  return digest([
    id,
    save,
    expect && { ...expect, status: expect.status && `${expect.status}`, matches: expect.matches.map(String) },
  ]);
}

/** A digest as ASCII text, which `halfSipHash` reads without loss. */
function digest(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'base64');
}

/**
 * Writes the 64-bit output of HalfSipHash-2-4 (J.-P. Aumasson), over the characters of a string as bytes, to `result`.
 * Strings that collide cannot be chosen without the secret. Takes 0.25 µs for a URL, where SHA-1
 * takes 0.6 and SHA-256 over 1, as much as writing the record. A character above U+00FF overlaps the next ones, so
 * strings with such characters collide more often.
 */
export function halfSipHash(text: string, secret: Hash64, result: Hash64): void {
  let v0 = secret.first | 0;
  let v1 = secret.second ^ 0xee;
  let v2 = secret.first ^ 0x6c79_6765;
  let v3 = secret.second ^ 0x7465_6462;
  const { length } = text;
  const tail = length & ~3;
  // One loop, so that the state stays in registers: the whole words, the tail with the length, and two steps that only mix.
  for (let at = 0; at <= tail + 8; at += 4) {
    const word = at < tail ? wordAt(text, at) : at === tail ? lastWord(text, tail) : 0;
    if (at === tail + 4) v2 ^= 0xee;
    if (at === tail + 8) {
      result.first = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    for (let rounds = at <= tail ? 2 : 4; rounds > 0; rounds--) {
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
  result.second = v1 ^ v3;
}

function wordAt(text: string, at: number): number {
  return (
    text.charCodeAt(at) ^
    (text.charCodeAt(at + 1) << 8) ^
    (text.charCodeAt(at + 2) << 16) ^
    (text.charCodeAt(at + 3) << 24)
  );
}

/** The characters after the last whole word, with the length in the highest byte. */
function lastWord(text: string, start: number): number {
  let word = text.length << 24;
  for (let at = start; at < text.length; at++) word ^= text.charCodeAt(at) << (8 * (at - start));
  return word;
}
