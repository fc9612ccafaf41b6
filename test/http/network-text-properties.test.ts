import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeResumeRecord, encodeResumeRecord, parseContentRange } from '../../src/bodies/resume.ts';
import { blockedBy } from '../../src/fetch/bot-protection.ts';
import { retryAfterMs } from '../../src/hosts/retry-policy.ts';
import { parseHostsFile } from '../../src/http/dns/lookup.ts';
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

test('any Retry-After is a wait of no less than 0, or says nothing', () => {
  const dates = [
    'Wed, 21 Oct 2015 07:28:00 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    '120',
    '0',
    '1.5',
    '-1',
  ];
  fc.assert(
    fc.property(
      fc.oneof(
        nearly(dates),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
      fc.maxSafeNat(),
      (text, now) => {
        const waitMs = retryAfterMs(text, now);
        if (waitMs !== undefined) expect(waitMs >= 0 && Number.isFinite(waitMs)).toBe(true);
      },
    ),
    runs(500),
  );
});

test('Retry-After in seconds is that, and a date is as far away as it is', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.integer({ min: 0, max: 4e9 }), (seconds, at) => {
      expect(retryAfterMs(` ${seconds} `, 0)).toBe(seconds * 1000);
      const now = 1e12;
      expect(retryAfterMs(new Date(at * 1000).toUTCString(), now)).toBe(Math.max(0, at * 1000 - now));
    }),
    runs(200),
  );
});

test('any list of hosts without a proxy can be asked for any host', () => {
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

test('a name in the list stands for itself and what is below it, and for no name that ends as it does', () => {
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

test('any text is a hosts file whose names have addresses alone', () => {
  const line = fc.tuple(
    nearly(['127.0.0.1', '::1', 'fe80::1%lo0', '10.0.0.1']),
    fc.array(nearly(['localhost', 'A.b.', '#x', '__proto__']), { maxLength: 3 }),
  );
  const text = fc
    .array(
      line.map(([address, names]) => [address, ...names].join(' ')),
      { maxLength: 6 },
    )
    .map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(fc.oneof(text, hostileText), (file) => {
      for (const [name, addresses] of parseHostsFile(file)) {
        expect(name).toBe(name.toLowerCase());
        expect(addresses.length > 0 && addresses.every((address) => isIP(address) !== 0)).toBe(true);
        expect(new Set(addresses).size).toBe(addresses.length);
      }
    }),
    runs(300),
  );
});

test('any answer says that it is a refusal in a few words, or is none', () => {
  const headers = fc.dictionary(
    fc.constantFrom('server', 'cf-mitigated', 'x-cache'),
    fc.oneof(hostileText, fc.array(hostileText)),
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), headers, hostileText, (status, given, start) => {
      const says = blockedBy(status, given, start);
      expect(says === undefined || /^[\w ()-]{5,60}$/.test(says)).toBe(true);
    }),
    runs(300),
  );
});

test('any Content-Range is a range within its whole, or none', () => {
  fc.assert(
    fc.property(
      nearly(['bytes 0-1/2', 'bytes 10-20/*', 'bytes */5', 'bytes 5-4/9', 'BYTES 0-0/1']),
      (text) => {
        const range = parseContentRange(text);
        if (range !== undefined) expect(range.first <= range.last && range.last < range.total).toBe(true);
      },
    ),
    runs(300),
  );
});

test('what is kept of a body that broke off is read as it was written, and any other text is nothing or two texts', () => {
  fc.assert(
    fc.property(
      fc.record({ url: hostileText, validator: hostileText }),
      fc.oneof(hostileText, fc.json()),
      (record, text) => {
        expect(decodeResumeRecord(encodeResumeRecord(record))).toEqual(record);
        const found = decodeResumeRecord(text);
        if (found !== undefined)
          expect([typeof found.url, typeof found.validator]).toEqual(['string', 'string']);
      },
    ),
    runs(200),
  );
});
