import { expect, it } from 'vitest';
import { didYouMean } from '../../src/model/did-you-mean.ts';

const KEYS = ['url', 'method', 'headers'];

it.each([
  ['retris', ['retryOn', 'retries', 'unique'], 'retries'],
  ['headd', ['head', 'header'], 'head'],
  ['headd', ['header', 'head'], 'head'],
  ['MAX_REDIRECTS', ['maxRedirects'], 'maxRedirects'],
  ['--max-redirects', ['maxRedirects'], 'maxRedirects'],
  ['ab', ['ac'], 'ac'],
  ['methd', KEYS, 'method'],
  ['metohd', KEYS, 'method'],
  ['HEADERS', KEYS, 'headers'],
  ['headerless', KEYS, 'headers'],
  ['uri', KEYS, 'url'],
  ['hosts', ['hints', 'host', 'posts1'], 'host'],
])('didYouMean(%j, %j) is %j', (word, names, name) => {
  expect(didYouMean(word, names)).toBe(name);
});

it.each([
  ['home', ['head', 'queue']],
  ['ab', ['cd']],
  ['head', []],
  ['', ['head']],
  ['', KEYS],
  ['x', KEYS],
  ['x', ['y']],
  ['m', KEYS],
  ['timeout', KEYS],
  ['x'.repeat(1_000_000), KEYS],
])('didYouMean() is undefined if no name is close (case %#)', (word, names) => {
  expect(didYouMean(word, names)).toBeUndefined();
});
