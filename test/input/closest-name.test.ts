import { expect, it } from 'vitest';
import { closestName } from '../../src/input/closest-name.ts';

const NAMES = ['url', 'method', 'headers'];

it.each([
  ['methd', 'method'],
  ['metohd', 'method'],
  ['HEADERS', 'headers'],
  ['uri', 'url'],
  ['u', 'url'],
])('closestName() of %s is %s', (word, name) => {
  expect(closestName(word, NAMES)).toBe(name);
});

it.each(['', 'x', 'timeout', 'm', 'headerless', 'x'.repeat(1_000_000)])(
  'closestName() of a far word is none (case %#)',
  (word) => {
    expect(closestName(word, NAMES)).toBeUndefined();
  },
);

it('closestName() takes the nearest of several', () => {
  expect(closestName('hosts', ['hints', 'host', 'posts1'])).toBe('host');
});
