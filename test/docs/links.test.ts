import { expect, test } from 'vitest';
import { anchorsOf, linksOf } from './links.ts';

test('linksOf() returns links to files and headings of the repository, and none to the web', () => {
  const text = '[a](b.md#c-d) ![e](../f.svg) [g](#h) [i](https://example.com/j) `[k](l.md)`';
  expect(linksOf({ path: 'docs/here.md', text })).toEqual([
    { path: 'docs/b.md', anchor: 'c-d' },
    { path: 'f.svg', anchor: undefined },
    { path: 'docs/here.md', anchor: 'h' },
  ]);
});

test('anchorsOf() names headings as GitHub does', () => {
  const text = '# A `b`: c, d\n\n## Same\n\n## Same\n\n```\n# not one\n```\n';
  expect([...anchorsOf({ path: 'x.md', text })]).toEqual(['a-b-c-d', 'same', 'same-1']);
});
