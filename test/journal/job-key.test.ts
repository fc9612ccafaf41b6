import { expect, test } from 'vitest';
import { type Hash64, halfSipHash, JobHasher } from '../../src/journal/job-key.ts';

const SEED = { first: 1, second: 2 };

function hashRequest(hasher: JobHasher, method: string, url: string, body?: string | Uint8Array): string {
  const hash = { first: 0, second: 0 };
  hasher.hash(method, url, body, hash);
  return `${hash.first} ${hash.second}`;
}

test('JobHasher depends on method, URL and body, and on whether there is a body', () => {
  const requests = [
    ['GET', 'http://a/'],
    ['PUT', 'http://a/'],
    ['GET', 'http://a/b'],
    ['GET', 'http://a/', ''],
    ['GET', 'http://a/', 'one'],
    ['GET', 'http://a/', 'two'],
    ['PUT', 'http://a/', 'one'],
  ] as const;
  const hasher = new JobHasher(SEED);
  const hashes = requests.map(([method, url, body]) => hashRequest(hasher, method, url, body));
  expect(new Set(hashes).size).toBe(requests.length);
  // The order does not matter, nor does what the hasher was used for before.
  expect(requests.map(([method, url, body]) => hashRequest(new JobHasher(SEED), method, url, body))).toEqual(
    hashes,
  );
  expect(requests.toReversed().map(([method, url, body]) => hashRequest(hasher, method, url, body))).toEqual(
    hashes.toReversed(),
  );
});

test('JobHasher returns the same hash for a body as a string and as bytes', () => {
  const hasher = new JobHasher(SEED);
  expect(hashRequest(hasher, 'POST', 'http://a/', Buffer.from('ä'))).toBe(
    hashRequest(hasher, 'POST', 'http://a/', 'ä'),
  );
});

test('JobHasher returns another hash for each seed', () => {
  const hashes = [SEED, { first: 2, second: 1 }, { first: 1, second: 3 }].map((seed) =>
    hashRequest(new JobHasher(seed), 'GET', 'http://a/'),
  );
  expect(new Set(hashes).size).toBe(3);
});

const SECRET: Hash64 = { first: 0x03020100, second: 0x07060504 };

/** The hash as the bytes of the reference implementation. */
function hashOf(text: string, secret = SECRET): string {
  const hash: Hash64 = { first: 0, second: 0 };
  halfSipHash(text, secret, hash);
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(hash.first);
  bytes.writeInt32LE(hash.second, 4);
  return bytes.toString('hex');
}

// From vectors.h of the reference implementation, github.com/veorq/SipHash: the bytes 0, 1, 2 and so on with this key.
test.each([
  [0, '218d1f59b9b83cc8'],
  [1, 'be552412f8387315'],
  [2, '064f39ef7c50eb57'],
  [3, 'ce0f1a45f7060679'],
  [4, 'd5e78a175be52ea1'],
  [5, 'cb9d7c3f2f3db580'],
  [63, '2ea63c71bf326087'],
])('halfSipHash() returns the hash of the reference for %i bytes', (length, expected) => {
  expect(hashOf(String.fromCharCode(...Array(length).keys()))).toBe(expected);
});

test('halfSipHash() depends on each character, and on the secret', () => {
  const text = 'https://example.com/ü/ł';
  const otherSecret = { first: -1, second: 1 };
  const hashes = [...text].map((_, at) => hashOf(`${text.slice(0, at)}Q${text.slice(at + 1)}`));
  expect(new Set([hashOf(text), hashOf(text, otherSecret), ...hashes]).size).toBe(2 + text.length);
});
