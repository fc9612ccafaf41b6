import { expect, test } from 'vitest';
import type { Hop } from '../../src/http/hop.ts';
import { isRedirect, nextHop } from '../../src/http/redirect.ts';

const HERE = 'http://a.test/dir/page?q=1';
const BODY_HEADERS = { 'content-type': 'text/plain', 'content-language': 'en', 'content-length': '4' };

function hop(part: Partial<Hop> = {}): Hop {
  return { url: HERE, method: 'GET', headers: {}, ...part };
}

function follow(from: Hop, location: string, status = 302): Hop {
  const next = nextHop(from, status, location);
  if ('refused' in next) throw new Error(`The redirect to ${location} was refused: ${next.refused}`);
  return next;
}

test.each([
  [301, true],
  [302, true],
  [303, true],
  [307, true],
  [308, true],
  [200, false],
  [300, false],
  [304, false],
  [305, false],
  [306, false],
  [309, false],
])('isRedirect(%i) is %s', (status, expected) => {
  expect(isRedirect(status)).toBe(expected);
});

test.each([
  [301, 'GET', 'GET'],
  [301, 'HEAD', 'HEAD'],
  [301, 'POST', 'GET'],
  [301, 'PUT', 'PUT'],
  [302, 'GET', 'GET'],
  [302, 'HEAD', 'HEAD'],
  [302, 'POST', 'GET'],
  [302, 'PUT', 'PUT'],
  [303, 'GET', 'GET'],
  [303, 'HEAD', 'HEAD'],
  [303, 'POST', 'GET'],
  [303, 'PUT', 'GET'],
  [303, 'DELETE', 'GET'],
  [307, 'GET', 'GET'],
  [307, 'HEAD', 'HEAD'],
  [307, 'POST', 'POST'],
  [307, 'PUT', 'PUT'],
  [308, 'POST', 'POST'],
  [308, 'PUT', 'PUT'],
  [308, 'PATCH', 'PATCH'],
])('%i after %s becomes %s', (status, method, expected) => {
  const from = hop({ method, body: 'text', headers: { ...BODY_HEADERS, accept: '*/*' } });
  const next = follow(from, '/next', status);
  expect(next.method).toBe(expected);
  if (expected === method && !(status === 303 && method === 'GET')) {
    expect([next.body, next.headers], 'body and headers are kept').toEqual(['text', from.headers]);
  } else {
    expect([next.body, next.headers], 'the body and its headers are dropped').toEqual([
      undefined,
      { accept: '*/*' },
    ]);
  }
});

const SECRETS = { authorization: 'Basic x', cookie: 'a=b', 'proxy-authorization': 'Basic y', host: 'a.test' };

test.each([
  ['the same origin', 'http://a.test/x', true],
  ['the same origin, with its default port', 'http://a.test:80/x', true],
  ['the same origin, in capitals', 'HTTP://A.TEST/x', true],
  ['the same origin, by a path', '/x', true],
  ['another host', 'http://b.test/x', false],
  ['a subdomain', 'http://www.a.test/x', false],
  ['a name with the same start', 'http://a.test.evil.test/x', false],
  ['another port', 'http://a.test:8080/x', false],
  ['another scheme', 'https://a.test/x', false],
  ['another host, without its scheme', '//b.test/x', false],
  ['another host, with backslashes', '\\\\b.test/x', false],
])('credentials after a redirect to %s (%s): kept %s', (_name, location, areKept) => {
  const headers = { ...SECRETS, 'x-api-key': 'k', accept: '*/*' };
  const next = follow(hop({ headers }), location, 307);
  expect(next.headers).toEqual(areKept ? headers : { 'x-api-key': 'k', accept: '*/*' });
});

test('credentials are not sent again when a later hop returns to the first origin', () => {
  const away = follow(hop({ headers: SECRETS }), 'http://b.test/');
  expect(follow(away, HERE).headers).toEqual({});
});

test('the redirected hop is not modified', () => {
  const from = Object.freeze(
    hop({ method: 'POST', body: 'x', headers: Object.freeze({ ...SECRETS, ...BODY_HEADERS }) }),
  );
  follow(from, 'http://b.test/');
  expect(from.headers).toEqual({ ...SECRETS, ...BODY_HEADERS });
});

test.each([
  ['the same origin', 'http://user:p%40ss@a.test/x', `Basic ${btoa('user:p@ss')}`],
  ['another origin', 'http://user:p%40ss@b.test/x', undefined],
  ['another port', 'http://user:p%40ss@a.test:8080/x', undefined],
  ['another scheme', 'https://user:p%40ss@a.test/x', undefined],
  ['a user without password', 'http://user@a.test/x', `Basic ${btoa('user:')}`],
  ['a user that looks like this origin', 'http://a.test@b.test/x', undefined],
  ['none at the same origin', '/x', SECRETS.authorization],
  ['none at another origin', 'http://b.test/x', undefined],
])(
  'credentials in the Location are sent to the origin of the URL only, as by curl: %s',
  (_name, location, authorization) => {
    const next = follow(hop({ headers: SECRETS }), location);
    expect(next.headers.authorization).toBe(authorization);
    expect(next.url).not.toContain('@');
    const away = follow(next, 'http://c.test/');
    expect(away.headers.authorization, 'to no further origin').toBeUndefined();
    const back = follow(away, 'http://user:p%40ss@a.test/x');
    expect([back.url, back.headers.authorization], 'after a redirect back').toEqual([
      'http://a.test/x',
      undefined,
    ]);
  },
);

test.each([
  [['/x', 'http://a.test/y'], undefined],
  [['http://b.test/'], true],
  [['https://a.test/'], true],
  [['http://a.test:81/'], true],
  [['http://b.test/', '/x', HERE], true],
])('after redirects to %j the origin was left: %s', (locations, hasLeft) => {
  expect(locations.reduce((before, location) => follow(before, location), hop()).hasLeftOrigin).toBe(hasLeft);
});

const FOR_HOSTS = new Map([
  ['a.test', { 'x-key': 'a' }],
  ['b.test', { 'x-key': 'b', authorization: 'for b' }],
  ['b.test:8080', { 'x-port': '8080' }],
]);

/** The last hop of these redirects, which start with headers for `a.test` and headers for every host. */
function sentAfter(from: string, ...locations: readonly string[]): Hop {
  const portable = { accept: '*/*', 'x-key': 'any', authorization: 'any' };
  const first = hop({ url: from, headers: { ...portable, 'x-key': 'a' }, portable });
  return locations.reduce((before, location) => {
    const next = nextHop(before, 307, location, FOR_HOSTS);
    if ('refused' in next) throw new Error(next.refused);
    return next;
  }, first);
}

const TO_ANY = { accept: '*/*', 'x-key': 'any' };
const TO_A = { accept: '*/*', 'x-key': 'a' };
const TO_B = { accept: '*/*', 'x-key': 'b', authorization: 'for b' };

test.each([
  ['are sent within the origin', 'http://a.test/', ['/x', '/y'], { ...TO_A, authorization: 'any' }],
  ['are not sent to another host', 'http://a.test/', ['http://c.test/'], TO_ANY],
  ['are not sent to a subdomain', 'http://a.test/', ['http://www.a.test/'], TO_ANY],
  ['are not sent again after another host', 'http://a.test/', ['http://c.test/', '/x'], TO_ANY],
  ['are replaced by those of the new host', 'http://a.test/', ['http://b.test/'], TO_B],
  [
    'are replaced by those of the new port',
    'http://a.test/',
    ['http://b.test:8080/'],
    { ...TO_B, 'x-port': '8080' },
  ],
  [
    'are not sent to another port than theirs',
    'http://a.test/',
    ['http://b.test:8080/', 'http://b.test/'],
    TO_B,
  ],
  ['are sent to other ports of the host', 'http://a.test/', ['http://a.test:81/'], TO_A],
  ['are sent again when a redirect leads back', 'http://a.test/', ['http://c.test/', 'http://a.test/'], TO_A],
  ['are sent from http to https', 'http://a.test/', ['https://a.test/'], TO_A],
  ['are not sent from https to http', 'https://a.test/', ['http://a.test/'], TO_ANY],
  ['are not sent from https to http at another host', 'https://a.test/', ['http://b.test/'], TO_ANY],
  ['are not sent by http after https', 'https://a.test/', ['http://c.test/', 'http://a.test/'], TO_ANY],
  [
    'are not sent within http after https',
    'https://a.test/',
    ['http://c.test/', '/x', 'http://a.test/'],
    TO_ANY,
  ],
  [
    'are not sent to https after https and http',
    'https://a.test/',
    ['http://c.test/', 'https://a.test/'],
    TO_ANY,
  ],
  [
    'are not sent within https after https and http',
    'https://a.test/',
    ['http://c.test/', 'https://c.test/', '/x', 'https://a.test/'],
    TO_ANY,
  ],
])('headers for one host %s', (_name, from, locations, headers) => {
  expect(sentAfter(from, ...locations).headers).toEqual(headers);
});

test('headers for one host that describe the body are dropped with the body', () => {
  const portable = { accept: '*/*', 'content-type': 'any' };
  const from = hop({ method: 'POST', body: 'x', headers: { ...portable, 'content-type': 'own' }, portable });
  const next = follow(from, '/x', 303);
  expect([next.headers, next.portable]).toEqual([{ accept: '*/*' }, { accept: '*/*' }]);
  expect(follow(next, 'http://c.test/').headers).toEqual({ accept: '*/*' });
});

const latin1 = (text: string) => Buffer.from(text).toString('latin1');

test.each([
  ['next', 'http://a.test/dir/next'],
  ['../up', 'http://a.test/up'],
  ['../../../up', 'http://a.test/up'],
  ['?z', 'http://a.test/dir/page?z'],
  ['//b.test/x', 'http://b.test/x'],
  ['https://b.test', 'https://b.test/'],
  ['b.test/x', 'http://a.test/dir/b.test/x'],
  ['\\x\\y', 'http://a.test/x/y'],
  ['http:/x', 'http://a.test/x'],
  [' \t/x \t', 'http://a.test/x'],
  ['/a b', 'http://a.test/a%20b'],
  ['/a\tb', 'http://a.test/ab'],
  ['/%2e%2e/x', 'http://a.test/x'],
  [latin1('/café'), 'http://a.test/caf%C3%A9'],
  ['/caf\u00e9', 'http://a.test/caf%E9'],
  [latin1('http://bücher.test/'), 'http://xn--bcher-kva.test/'],
  ['http://user:hunter2@b.test/x', 'http://b.test/x'],
  ['http://user@a.test/x', 'http://a.test/x'],
  ['/caf\u00e9?\u00fc=\u00ff', 'http://a.test/caf%E9?%FC=%FF'],
  [`${latin1('/é')}\u00e9`, 'http://a.test/%C3%A9%E9'],
  [latin1('/\ufffd'), 'http://a.test/%EF%BF%BD'],
  ['/a%E9b', 'http://a.test/a%E9b'],
  ['/a%zz', 'http://a.test/a%zz'],
  ['//b.test/caf\u00e9', 'http://b.test/caf%E9'],
  [`/${'l'.repeat(20_000)}`, `http://a.test/${'l'.repeat(20_000)}`],
  ['http://[::1]:8080/x', 'http://[::1]:8080/x'],
])('Location "%.40s" leads to %.60s', (location, url) => {
  expect(follow(hop(), location).url).toBe(url);
});

test.each([
  ['#old', '/x', '#old'],
  ['#old', '/x#new', '#new'],
  ['#old', '/x#', '#'],
  ['#old', '#new', '#new'],
  ['', '/x', ''],
  ['', '/x#new', '#new'],
  ['#old', 'http://b.test/', '#old'],
])('a URL with fragment "%s", redirected to %s, ends in "%s"', (before, location, after) => {
  const { url } = follow(hop({ url: HERE + before }), location);
  expect(url.includes('#') ? url.slice(url.indexOf('#')) : '').toBe(after);
});

test.each([
  ['javascript:alert(1)', 'the Location leads to "javascript:"'],
  ['ftp://a.test/', 'the Location leads to "ftp:"'],
  ['file:///etc/passwd', 'the Location leads to "file:"'],
  ['data:text/plain,x', 'the Location leads to "data:"'],
  ['mailto:x@a.test', 'the Location leads to "mailto:"'],
  ['a.test:80', 'the Location leads to "a.test:"'],
  ['http://', 'the Location "http://" is not a URL'],
  ['http://me:hunter2@a.test:99999/', 'the Location "***@a.test:99999/" is not a URL'],
  ['http://me:hunt@er2@a b/', 'the Location "***@a b/" is not a URL'],
  ['http://a.test:99999/', 'the Location "http://a.test:99999/" is not a URL'],
  ['http://a b/', 'the Location "http://a b/" is not a URL'],
  ['http://\u001b[31m/', 'the Location "http://\\u{1b}[31m/" is not a URL'],
  ['http://a.test:0/', 'the Location "http://a.test:0/" has the port 0'],
  ['//me:hunter2@a.test:00/', 'the Location "***@a.test:00/" has the port 0'],
  ['', 'the Location is empty'],
  ['  ', 'the Location is empty'],
])('Location "%s" is refused: %s', (location, refused) => {
  expect(nextHop(hop(), 302, location)).toEqual({ refused });
});

test('a Location outside ASCII is followed 20,000 times', () => {
  const from = { url: 'http://h.test/', method: 'GET', headers: {} };
  const location = Buffer.from('http://bücher.test/').toString('latin1');
  let refused = 0;
  for (let times = 0; times < 20_000; times += 1) {
    if ('refused' in nextHop(from, 302, location)) refused += 1;
  }
  expect(refused).toBe(0);
});
