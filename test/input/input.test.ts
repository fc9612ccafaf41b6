import { expect, it } from 'vitest';
import { classifyInput, inputName } from '../../src/input/input.ts';

it('classifyInput() takes a dash for standard input', () => {
  expect(classifyInput('-')).toEqual({ kind: 'stdin' });
});

it.each(['http://example.com', 'https://example.com/x', 'HTTPS://example.com', 'http://'])(
  'classifyInput() takes %s for a URL',
  (url) => {
    expect(classifyInput(url)).toEqual({ kind: 'url', url });
  },
);

it.each(['urls.txt', '/dev/stdin', 'http', 'http:/x', 'ftp://x', './-', '', 'example.com'])(
  'classifyInput() takes %j for a file',
  (path) => {
    expect(classifyInput(path)).toEqual({ kind: 'file', path });
  },
);

it.each([
  ['-', '-'],
  ['dir/urls.txt', 'dir/urls.txt'],
  ['https://example.com/sitemap.xml', 'https://example.com/sitemap.xml'],
  ['https://me:s3cret@example.com/sitemap.xml', 'https://example.com/sitemap.xml'],
  ['https://me:s3cret@example.com:99999/', 'https://***@example.com:99999/'],
])('inputName() of %s is %s, without a password', (argument, name) => {
  expect(inputName(classifyInput(argument))).toBe(name);
});
