import { expect, it } from 'vitest';
import { classifyInput } from '../../src/input/input.ts';

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
