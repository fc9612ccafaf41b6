import { expect, test } from 'vitest';
import { parseExpectation } from '../../src/config/expectations.ts';
import { type Hash64, halfSipHash, JobHasher, type JobRequest } from '../../src/journal/job-key.ts';
import type { Job } from '../../src/model/job.ts';
import { GET, job } from './a-journal.ts';

const SEED = { first: 1, second: 2 };

type Case = readonly [request: Partial<JobRequest>, job?: Partial<Job>];

function hashIn(hasher: JobHasher, [request, own]: Case): string {
  const hash = { first: 0, second: 0 };
  hasher.hash(job(0, 'http://a/', own), { ...GET, ...request }, hash);
  return `${hash.first} ${hash.second}`;
}

function expecting(value: unknown): Partial<Job> {
  const expectation = parseExpectation(value);
  if ('fault' in expectation) throw new Error(expectation.fault);
  return { expect: expectation };
}

const DIFFERENT: readonly Case[] = [
  [{}],
  [{ method: 'PUT' }],
  [{}, { url: 'http://a/b' }],
  [{ body: '' }],
  [{ body: 'one' }],
  [{ body: 'two' }],
  [{ method: 'PUT', body: 'one' }],
  [{ headers: { authorization: 'Bearer good' } }],
  [{ headers: { authorization: 'Bearer bad' } }],
  [{ headers: { authorization: 'Bearer bad', accept: 'text/html' } }],
  [{ headers: { 'x-authorization': 'Bearer bad' } }],
  [{}, { id: 'one' }],
  [{}, { id: 'two' }],
  [{}, { id: '\u0142' }],
  [{}, { id: '\ud800' }],
  [{}, { id: 'one', save: 'one' }],
  [{}, { save: 'one' }],
  [{}, expecting({})],
  [{}, expecting({ contains: 'one' })],
  [{}, expecting({ notContains: 'one' })],
  [{}, expecting({ matches: 'one' })],
  [{}, expecting({ matches: 'two' })],
  [{}, expecting({ header: 'One: 1' })],
  [{}, expecting({ status: '404' })],
  [{}, expecting({ status: '4xx' })],
  [{}, expecting({ time: '1s' })],
];

test('JobHasher depends on everything that decides the result of a job', () => {
  const hasher = new JobHasher(SEED, '');
  const hashes = DIFFERENT.map((one) => hashIn(hasher, one));
  expect(new Set(hashes).size).toBe(DIFFERENT.length);
  // The order does not matter, nor does what the hasher was used for before.
  expect(DIFFERENT.map((one) => hashIn(new JobHasher(SEED, ''), one))).toEqual(hashes);
  expect(DIFFERENT.toReversed().map((one) => hashIn(hasher, one))).toEqual(hashes.toReversed());
});

test('JobHasher does not depend on the place of the job, the user agent, or the order of headers', () => {
  const same: readonly Case[] = [
    [{ headers: { a: '1', b: '2' } }],
    [{ headers: { b: '2', a: '1' } }],
    [{ headers: { b: '2', a: '1', 'user-agent': 'other/1' } }],
    [{ headers: { a: '1', b: '2' } }, { index: 7, line: 9, source: 'other', input: 'HTTP://a' }],
  ];
  const hasher = new JobHasher(SEED, '');
  expect(new Set(same.map((one) => hashIn(hasher, one))).size).toBe(1);
});

test('JobHasher returns the same hash for a body as a string and as bytes', () => {
  const hasher = new JobHasher(SEED, '');
  expect(hashIn(hasher, [{ body: Buffer.from('\u00e4') }])).toBe(hashIn(hasher, [{ body: '\u00e4' }]));
});

test('JobHasher returns another hash for each seed and for other rules of the run', () => {
  const hashes = [
    [SEED, ''],
    [{ first: 2, second: 1 }, ''],
    [{ first: 1, second: 3 }, ''],
    [SEED, 'rules'],
  ] as const;
  expect(new Set(hashes.map(([seed, rules]) => hashIn(new JobHasher(seed, rules), [{}]))).size).toBe(4);
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
