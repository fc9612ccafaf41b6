import fc from 'fast-check';
import { hostileText, nearly } from './texts.ts';

const URLS = [
  'https://example.com/', 'http://example.com:8080/a/b?c=d#e', 'https://user:hunter2@example.com/', 'HTTP://EXAMPLE.com', 'https://[::1]:8443/x',
  'http://127.1/', 'https://bücher.de/ä?ö', 'https://example.com/%zz/%C3%A4', '//example.com', 'example.com/x', 'ftp://example.com/', 'https://a@/', 'http://x:0/',
]; // biome-ignore format: a table

/** URLs, and texts that look like URLs. */
export const urlText: fc.Arbitrary<string> = nearly(URLS);

/** Serialised URLs that can be fetched, with any text in path and query. */
export const fetchableUrl: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('http', 'https'),
    fc.constantFrom(
      'example.com',
      'a.b.example',
      'xn--bcher-kva.de',
      '127.0.0.1',
      '[::1]',
      'con',
      'a_80',
      'x'.repeat(60),
    ),
    fc.constantFrom('', ':8080', ':81'),
    fc.array(
      fc.oneof(
        hostileText.map(encoded),
        hostileText,
        fc.constantFrom('', '.', '..', 'index.html', 'a.d', 'x.part'),
      ),
      { maxLength: 5 },
    ),
    fc.oneof(
      fc.constant(''),
      hostileText.map((text) => `?${text}`),
    ),
  )
  .map(([scheme, host, port, path, query]) => `${scheme}://${host}${port}/${path.join('/')}${query}`)
  .filter((text) => URL.canParse(text))
  .map((text) => new URL(text).href);

/** The value of a key: mostly valid, otherwise hostile text or any JSON. */
function value(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: valid },
    { weight: 1, arbitrary: hostileText },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
}

const headers = fc.dictionary(
  fc.oneof(
    fc.constantFrom('x-a', 'Accept', 'authorization', 'host', 'content-length', '__proto__', 'constructor'),
    hostileText,
  ),
  fc.oneof(fc.string(), hostileText),
  { maxKeys: 4 },
);

const expectation = fc.record(
  {
    status: value(fc.constantFrom('200', '2xx,301', 404, ['200-299', 301])),
    contains: value(fc.oneof(fc.string({ minLength: 1 }), fc.array(fc.string({ minLength: 1 })))),
    notContains: value(fc.string({ minLength: 1 })),
    matches: value(fc.constantFrom('^a+$', '(', '[a-', 'x/y', '\\d{2}')),
    header: value(fc.constantFrom('x: y', 'x:', 'x', ['a: b', 'c: d'])),
    time: value(fc.constantFrom('2s', '1.5m', 200, '0ms')),
    finalUrl: value(fc.constantFrom('https://a.test/x?y#z', 'HTTP://A.test', '/x', '')),
    sha256: value(fc.constantFrom('ab'.repeat(32), 'AB'.repeat(32), 'ab', '')),
  },
  { requiredKeys: [] },
);

/** Objects that are roughly jobs. */
export const jobObject: fc.Arbitrary<object> = fc
  .tuple(
    fc.record(
      {
        url: value(urlText),
        method: value(fc.constantFrom('GET', 'post', 'PATCH', 'purge', 'CONNECT', '')),
        headers: value(headers),
        body: value(fc.string({ unit: 'binary' })),
        json: fc.oneof(
          { weight: 4, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.jsonValue() },
        ),
        id: value(hostileText),
        save: value(fc.constantFrom('a.html', 'a/b', '../a', '/a', 'con', 'a.part', '')),
        expect: value(expectation),
      },
      { requiredKeys: [] },
    ),
    fc.oneof(
      { weight: 5, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(hostileText, fc.jsonValue(), { maxKeys: 2 }) },
    ),
  )
  .map(([keys, more]) => ({ ...keys, ...more }));

function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
