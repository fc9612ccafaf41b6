import { describe, expect, it } from 'vitest';
import { reports } from '../../../src/config/parse/texts.ts';
import { refused } from './refused.ts';

describe('reports', () => {
  it.each([
    ['junit=a.xml', [{ kind: 'junit', file: 'a.xml' }]],
    [
      ['html=a=b.html', 'csv=c'],
      [
        { kind: 'html', file: 'a=b.html' },
        { kind: 'csv', file: 'c' },
      ],
    ],
    [
      { markdown: 'a.md', json: 'b.json' },
      [
        { kind: 'markdown', file: 'a.md' },
        { kind: 'json', file: 'b.json' },
      ],
    ],
  ])('are read from %j', (value, list) => {
    expect(reports.parse(value)).toEqual(list);
    expect(reports.parse(reports.print(reports.parse(value)))).toEqual(list);
  });

  it.each([['junit'], ['=a'], ['xml=a'], ['JUnit=a'], [7], [['junit=a', 7]], [null], [{ xml: 'a' }]])(
    'are refused when they are no KIND=FILE: %j',
    (value) => {
      expect(refused(reports, value)).toBe(
        'it must look like KIND=FILE, with a kind out of junit, json, markdown, html, csv',
      );
    },
  );

  it('need the name of a file', () => {
    expect(refused(reports, 'junit=')).toBe('it must be the name of a file');
    expect(refused(reports, { junit: 7 })).toBe('it must be the name of a file');
    expect(refused(reports, 'junit=-')).toMatch(/^it must name a file: "fanout report"/);
  });
});
