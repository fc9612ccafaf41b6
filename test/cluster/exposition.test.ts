import { describe, expect, it } from 'vitest';
import { exposition } from './exposition.ts';

const GOOD = '# HELP a Help.\n# TYPE a counter\na_total{b="c\\"d",e="f"} 1\na_total 2.5e-3\n# EOF\n';

describe('exposition()', () => {
  it('gives the samples of a page that is right', () => {
    expect([...exposition(GOOD)]).toEqual([
      ['a_total{b="c\\"d",e="f"}', 1],
      ['a_total', 0.0025],
    ]);
  });

  it.each([
    ['no end', GOOD.replace('# EOF\n', '')],
    ['an empty line', GOOD.replace('# EOF', '\n# EOF')],
    ['no help', GOOD.replace('# HELP a Help.\n', '')],
    ['no type', GOOD.replace('# TYPE a counter\n', '')],
    ['a family twice', GOOD.replace('# EOF', '# HELP a Help.\n# TYPE a counter\n# EOF')],
    ['a series twice', GOOD.replace('a_total 2', 'a_total 3\na_total 2')],
    ['a counter without _total', GOOD.replaceAll('a_total', 'a')],
    ['a label without quotes', GOOD.replace('"f"', 'f')],
    ['no number', GOOD.replace('2.5e-3', 'many')],
    ['a negative counter', GOOD.replace('2.5e-3', '-1')],
  ])('refuses a page with %s', (_, page) => {
    expect(() => exposition(page)).toThrow();
  });
});
