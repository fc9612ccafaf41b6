import { expect, test } from 'vitest';
import { KeyMaker } from '../../src/journal/job-key.ts';

const SEED = { first: 1, second: 2 };

function keyOf(maker: KeyMaker, method: string, url: string, body?: string | Uint8Array): string {
  const key = { first: 0, second: 0 };
  maker.keyOf(method, url, body, key);
  return `${key.first} ${key.second}`;
}

test('the key of a request is told by its method, its URL and its body, and by whether it has one', () => {
  const requests = [
    ['GET', 'http://a/'],
    ['PUT', 'http://a/'],
    ['GET', 'http://a/b'],
    ['GET', 'http://a/', ''],
    ['GET', 'http://a/', 'one'],
    ['GET', 'http://a/', 'two'],
    ['PUT', 'http://a/', 'one'],
  ] as const;
  const maker = new KeyMaker(SEED);
  const keys = requests.map(([method, url, body]) => keyOf(maker, method, url, body));
  expect(new Set(keys).size).toBe(requests.length);
  // In any order, and by a maker that has seen nothing else.
  expect(requests.map(([method, url, body]) => keyOf(new KeyMaker(SEED), method, url, body))).toEqual(keys);
  expect(requests.toReversed().map(([method, url, body]) => keyOf(maker, method, url, body))).toEqual(
    keys.toReversed(),
  );
});

test('a body has one key as text and as bytes', () => {
  const maker = new KeyMaker(SEED);
  expect(keyOf(maker, 'POST', 'http://a/', Buffer.from('ä'))).toBe(keyOf(maker, 'POST', 'http://a/', 'ä'));
});

test('the same request has another key in each journal', () => {
  const keys = [SEED, { first: 2, second: 1 }, { first: 1, second: 3 }].map((seed) =>
    keyOf(new KeyMaker(seed), 'GET', 'http://a/'),
  );
  expect(new Set(keys).size).toBe(3);
});
