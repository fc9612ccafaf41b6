import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBypass } from '../../src/http/proxy.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText, nearly } from '../arbitrary/texts.ts';

const HOSTS = [
  'example.com',
  'a.example.com',
  'xexample.com',
  'localhost',
  '10.1.2.3',
  '::1',
  'fe80::1',
  '::ffff:10.1.2.3',
];

const host = fc.constantFrom(...HOSTS);

const port = fc.integer({ min: 1, max: 65_535 });

test('parseBypass() of any list matches what one of its items matches', () => {
  const item = nearly([
    'example.com',
    '.example.com',
    '*.example.com',
    '10.0.0.0/8',
    '[::1]:80',
    '::1/128',
    'fe80::1%eth0',
    'a:8080',
    '1.2.3.4/33',
  ]);
  fc.assert(
    fc.property(fc.array(item, { maxLength: 4 }), fc.oneof(host, hostileText), port, (items, name, at) => {
      const all = parseBypass(items.join(','))(name, at);
      // A list does what its items do.
      const one = items.flatMap((text) => text.split(/[\s,]+/)).some((text) => parseBypass(text)(name, at));
      expect(all).toBe(one);
    }),
    runs(500),
  );
});

test('a name in a bypass list matches itself and names below it, and no other name with the same end', () => {
  fc.assert(
    fc.property(fc.domain(), fc.domain(), fc.constantFrom('', '.', '*.'), port, (name, other, mark, at) => {
      const bypass = parseBypass(`${mark}${name}`);
      expect([bypass(name, at), bypass(`x.${name}`, at), bypass(`x${name}`, at)]).toEqual([
        true,
        true,
        false,
      ]);
      expect(bypass(other, at)).toBe(other === name || other.endsWith(`.${name}`));
    }),
    runs(200),
  );
});
