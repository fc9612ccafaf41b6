import { expect, test } from 'vitest';
import { hostOf, originOf, pathOf } from '../../src/model/url.ts';

const URLS = [
  'http://example.com/',
  'https://example.com/a/b?c=d#e',
  'https://example.com:8443/a?b=https://other.example/#f?g',
  'http://[::1]:8080/x',
  'https://xn--bcher-kva.example/%20?#',
  'https://example.com//double//slash',
  'http://example.com/#/route?x=1',
];

test.each(URLS)('originOf(%s) is the origin that the URL parser gives', (url) => {
  expect(originOf(url)).toBe(new URL(url).origin);
});

test.each(URLS)('hostOf(%s) is the host that the URL parser gives', (url) => {
  expect(hostOf(url)).toBe(new URL(url).host);
});

test.each(URLS.slice(0, 4))('pathOf(%s) is the path with the query', (url) => {
  const { pathname, search } = new URL(url);
  expect(pathOf(url)).toBe(pathname + search);
});

test('pathOf() keeps an empty query, as it was written', () => {
  expect(pathOf('https://example.com/a?#f')).toBe('/a?');
});

test('a URL without a path is its own origin', () => {
  expect(originOf('https://example.com')).toBe('https://example.com');
  expect(hostOf('https://example.com')).toBe('example.com');
});
