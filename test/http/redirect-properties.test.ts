import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Hop, HostHeaders } from '../../src/http/hop.ts';
import { isRedirect, nextHop } from '../../src/http/redirect.ts';
import { originOf } from '../../src/model/url.ts';
import { fetchableUrl, urlText } from '../arbitrary/jobs.ts';
import { runs } from '../arbitrary/runs.ts';
import { hostileText } from '../arbitrary/texts.ts';
import { UNPRINTABLE } from '../output/hostile.ts';

const SECRETS = {
  authorization: 'Basic hunter2',
  cookie: 'a=hunter2',
  'proxy-authorization': 'hunter2',
  host: 'example.com',
};

/** As in a header: each character is a byte. */
const location = fc
  .oneof(
    urlText,
    fetchableUrl,
    hostileText,
    fc.constantFrom('/', '//', '?', '#', '\\\\a', 'https:/b', 'http:b', '//u:p@[::1]:9/'),
  )
  .map((text) => Buffer.from(text).toString('latin1'));

const hop: fc.Arbitrary<Hop> = fc
  .tuple(fetchableUrl, fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PURGE'), fc.boolean())
  .map(([url, method, hasBody]) => ({
    url,
    method,
    headers: { ...SECRETS, 'x-a': 'b', 'content-type': 'text/plain' },
    body: hasBody ? 'body' : undefined,
  }));

const status = fc.constantFrom(301, 302, 303, 307, 308);

test('any Location leads to a URL that can be fetched, or is refused in words', () => {
  fc.assert(
    fc.property(hop, status, location, (from, code, to) => {
      const next = nextHop(from, code, to);
      if ('refused' in next) {
        expect(next.refused).not.toMatch(UNPRINTABLE);
        return;
      }
      const { protocol, username, password, href } = new URL(next.url);
      expect([/^https?:$/.test(protocol), username, password, href]).toEqual([true, '', '', next.url]);
    }),
    runs(300),
  );
});

test('credentials of an origin are sent to no other one, over any number of redirects', () => {
  const table: HostHeaders = new Map([
    ['example.com', { 'x-key': 'hunter2' }],
    ['a_80:8080', { cookie: 'hunter2' }],
  ]);
  fc.assert(
    fc.property(hop, fc.array(fc.tuple(status, location), { maxLength: 4 }), (first, way) => {
      let current: Hop = {
        ...first,
        headers: { ...first.headers, ...table.get(new URL(first.url).hostname) },
        portable: first.headers,
      };
      let hasLeft = false;
      for (const [code, to] of way) {
        const next = nextHop(current, code, to, table);
        if ('refused' in next) return;
        hasLeft ||= originOf(next.url) !== originOf(current.url);
        current = next;
        if (!hasLeft) continue;
        const { hostname, port, protocol } = new URL(current.url);
        const own = { ...table.get(hostname), ...table.get(`${hostname}:${port}`) };
        const allowed = protocol === 'https:' || !current.isDowngraded ? own : {};
        for (const [name, value] of Object.entries(current.headers)) {
          if (value.includes('hunter2')) expect(Object.entries(allowed)).toContainEqual([name, value]);
        }
        expect(current.headers).not.toHaveProperty('host');
      }
    }),
    runs(500),
  );
});

test('a body is sent again if the status preserves the method, and not otherwise', () => {
  fc.assert(
    fc.property(hop, status, location, (from, code, to) => {
      const next = nextHop(from, code, to);
      if ('refused' in next) return;
      const isKept =
        code >= 307 || (code < 303 && from.method !== 'POST') || (code === 303 && from.method === 'HEAD');
      expect(isRedirect(code)).toBe(true);
      expect([next.method, next.body]).toEqual(isKept ? [from.method, from.body] : ['GET', undefined]);
      expect('content-type' in next.headers).toBe(isKept);
    }),
    runs(300),
  );
});
