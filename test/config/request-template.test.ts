import { describe, expect, it } from 'vitest';
import { type FanoutOptions, resolveRunOptions } from '../../src/config/library-options.ts';
import {
  createRequestTemplate,
  parseNetrc,
  type RequestTemplate,
  readData,
} from '../../src/config/request-template.ts';
import { UsageError } from '../../src/model/errors.ts';

function request(options: FanoutOptions, body?: Uint8Array): RequestTemplate {
  return createRequestTemplate(resolveRunOptions(options, '1'), body);
}

describe('parseNetrc()', () => {
  it.each<[string, ...string[]]>([
    [''],
    ['# machine a login me'],
    ['machine a login me password pw', 'a me:pw'],
    ['machine a\n\tlogin me\r\n  password\n\npw\n', 'a me:pw'],
    ['\ufeffmachine a password pw login me', 'a me:pw'],
    ['machine a login me account team', 'a me:'],
    ['machine a login me machine B.test login you password pw', 'a me:', 'b.test you:pw'],
    ['machine a login me machine a login you', 'a me:', 'a you:'],
    ['machine a login me login you', 'a you:'],
    ['machine a password pw'],
    ['login me password pw'],
    ['default login me machine a password pw'],
    ['machine a default login me'],
    ['machine a login me default login you password pw', 'a me:'],
    ['machine a:b:c login me machine [::1] login you', '[::1] you:'],
    ['machine a login me # password pw "', 'a me:'],
    ['machine a login me #password pw', 'a me:'],
    ['machine a login me password\n # the password:\n pw', 'a me:pw'],
    ['machine a password #pw login "#"', 'a #:#pw'],
    ['machine a login a"b password c\\n', 'a a"b:c\\n'],
    ['machine "a" login "m \\"e" password "\\\\ \\t\\n\\r\\x"', 'a m "e:\\ \t\n\rx'],
    ['machine a login "" password ""', 'a :'],
    ['macdef init\nmachine a login me\n  \nmachine b login you', 'b you:'],
    ['machine a macdef init\nrubbish\n\nlogin me', 'a me:'],
    ['machine a login me macdef init\nmachine b login you', 'a me:'],
  ])('finds in %j', (text, ...expected) => {
    expect(parseNetrc(text).map(({ host, user }) => `${host} ${user}`)).toEqual(expected);
  });

  it.each([
    ['machine a\nlogin me passwd s3cret', 'line 2 has a word that is not machine, login or password'],
    ['s3cret', 'line 1 has a word that is not machine, login or password'],
    ['machine a login me\n\npassword "s3cret', 'line 3 has a quotation mark without its end'],
    ['machine a password "s3cret\nx"', 'line 1 has a quotation mark without its end'],
    ['machine a login me password', 'password at its end has no value'],
    ['machine a login s3cret machine\n', 'machine at its end has no value'],
    ['"', 'line 1 has a quotation mark without its end'],
  ])('refuses %j without a secret', (text, fault) => {
    expect(() => parseNetrc(text)).toThrow(new UsageError(`invalid netrc file: ${fault}`));
  });
});

/** The headers for one host each, with this netrc file. */
function logins(options: FanoutOptions, netrc = ''): Readonly<Record<string, unknown>> {
  const { hostHeaders } = createRequestTemplate(resolveRunOptions(options, '1'), undefined, netrc);
  return Object.fromEntries(hostHeaders ?? []);
}

describe('createRequestTemplate() with settings for hosts', () => {
  const [ME, YOU] = ['me:pw', 'you:pw'].map((user) => `Basic ${Buffer.from(user).toString('base64')}`);

  it.each<[FanoutOptions, string, Readonly<Record<string, unknown>>]>([
    [{ hosts: { a: { user: 'me:pw' } } }, '', { a: { authorization: ME } }],
    [{ hosts: { a: { headers: { 'X-A': '1' } } } }, '', { a: { 'x-a': '1' } }],
    [{ hosts: { a: { perHost: 2 } } }, '', {}],
    [
      { hosts: { a: { user: 'me:pw', headers: { Authorization: 'mine', 'X-A': '1' } } } },
      '',
      { a: { authorization: 'mine', 'x-a': '1' } },
    ],
    [
      {
        hosts: { a: { user: 'me:pw', headers: { 'X-A': '1' } } },
        headerFor: { a: { 'X-A': '2', 'X-B': '3' } },
      },
      '',
      { a: { authorization: ME, 'x-a': '2', 'x-b': '3' } },
    ],
    [
      { hosts: { a: { user: 'me:pw' } } },
      'machine a login you password pw machine b login you password pw',
      { a: { authorization: ME }, b: { authorization: YOU } },
    ],
  ])('reads %j and the netrc file %j', (options, netrc, expected) => {
    expect(logins(options, netrc)).toEqual(expected);
  });
});

describe('createRequestTemplate() with a netrc file', () => {
  const NETRC = 'machine a login me password pw machine a login second machine b login you';
  const [ME, YOU] = ['me:pw', 'you:'].map((user) => `Basic ${Buffer.from(user).toString('base64')}`);

  it.each<[FanoutOptions, Readonly<Record<string, unknown>>]>([
    [{}, { a: { authorization: ME }, b: { authorization: YOU } }],
    [{ user: 'x:y' }, {}],
    [{ headers: { authorization: 'mine' } }, {}],
    [
      { headerFor: { a: { authorization: 'mine' }, b: { x: '1' } } },
      { a: { authorization: 'mine' }, b: { authorization: YOU, x: '1' } },
    ],
  ])('adds its logins to %j', (options, expected) => {
    expect(logins(options, NETRC)).toEqual(expected);
  });
});

describe('createRequestTemplate()', () => {
  it('is a GET with a user agent by default', () => {
    expect(request({})).toEqual({ method: 'GET', headers: { 'user-agent': 'fanout/1' } });
  });

  it('sends data as a form by POST', () => {
    expect(request({ data: 'a=1' })).toEqual({
      method: 'POST',
      headers: { 'user-agent': 'fanout/1', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=1',
    });
  });

  it('sends empty data as an empty body', () => {
    expect(request({ data: '' })).toMatchObject({ method: 'POST', body: '' });
  });

  it('keeps a content type that is given', () => {
    expect(
      request({ data: '{}', headers: { 'Content-Type': 'application/json' } }).headers['content-type'],
    ).toBe('application/json');
    expect(request({ data: '{}', headers: 'Content-Type:' }).headers['content-type']).toBe('');
  });

  it('sends JSON with content-type and accept, unless these headers are given', () => {
    const json = 'application/json';
    expect(request({ jsonBody: '[1]', userAgent: '' })).toMatchObject({
      method: 'POST',
      headers: { 'content-type': json, accept: json },
      body: '[1]',
    });
    const { headers } = request({ jsonBody: '1', headers: ['Accept: text/x', 'Content-Type: text/y'] });
    expect(headers).toMatchObject({ accept: 'text/x', 'content-type': 'text/y' });
  });

  it('sends the bytes of a file instead of the data', () => {
    const bytes = Uint8Array.of(0, 255);
    expect(request({ data: '@file', method: 'PUT' }, bytes)).toMatchObject({ method: 'PUT', body: bytes });
  });

  it('prefers a user-agent header, and sends none for an empty option', () => {
    expect(request({ userAgent: 'option', headers: 'User-Agent: header' }).headers).toEqual({
      'user-agent': 'header',
    });
    expect(request({ userAgent: '' }).headers).toEqual({});
  });

  it('joins headers of one name, cookies with a semicolon', () => {
    expect(
      request({ userAgent: '', headers: ['A: 1', 'Cookie: x=1', 'a: 2', 'cookie: y=2'] }).headers,
    ).toEqual({
      a: '1, 2',
      cookie: 'x=1; y=2',
    });
  });

  it('logs in with the credentials in UTF-8, unless an authorization header was given', () => {
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    expect(request({ user: 'mé:p:w' }).headers.authorization).toBe(basic('mé:p:w'));
    expect(request({ user: ':' }).headers.authorization).toBe('Basic Og==');
    expect(request({ user: 'me:pw', headers: 'Authorization: mine' }).headers.authorization).toBe('mine');
  });

  it('groups the headers for one host by host, and joins those of one name', () => {
    const { headers, hostHeaders } = request({
      userAgent: '',
      headerFor: [
        'a.test A: 1',
        'b.test A: 2',
        'A.TEST a: 3',
        'a.test:81 B: 4',
        'a.test Cookie: x=1',
        'a.test cookie: y=2',
      ],
    });
    expect([headers, hostHeaders]).toEqual([
      {},
      new Map([
        ['a.test', { a: '1, 3', cookie: 'x=1; y=2' }],
        ['b.test', { a: '2' }],
        ['a.test:81', { b: '4' }],
      ]),
    ]);
  });

  it('treats __proto__ as a plain header', () => {
    const { headers } = request({ userAgent: '', headers: '__proto__: x' });
    expect(Object.entries(headers)).toEqual([['__proto__', 'x']]);
  });
});

describe('readData()', () => {
  const never = () => Promise.reject(new Error('not to be read'));

  it('takes text as it is', async () => {
    expect(await readData({ data: 'a@b', jsonBody: undefined }, never)).toBe('a@b');
    expect(await readData({ data: '', jsonBody: undefined }, never)).toBe('');
  });

  it('gives the bytes of the file after @', async () => {
    const bytes = Uint8Array.of(13, 10, 0);
    const read = async (path: string) => (path === 'dir/b.bin' ? bytes : Uint8Array.of());
    expect(await readData({ data: '@dir/b.bin', jsonBody: undefined }, read)).toBe(bytes);
  });

  it.each(['@', '@-'])('refuses %s', async (data) => {
    await expect(readData({ data, jsonBody: undefined }, never)).rejects.toThrow(
      new UsageError(`invalid value "${data}" for --data: must name a file after the @`),
    );
  });

  it('reads the file of --json-body, and names that flag in its messages', async () => {
    const options = { data: undefined, jsonBody: '@a.json' };
    const bytes = Uint8Array.of(123, 125);
    expect(await readData(options, async () => bytes)).toBe(bytes);
    await expect(readData(options, () => Promise.reject(new Error('gone')))).rejects.toThrow(
      new UsageError('cannot read a.json for --json-body: gone'),
    );
    expect(await readData({ data: undefined, jsonBody: undefined }, never)).toBeUndefined();
  });

  it('says why a file cannot be read', async () => {
    await expect(
      readData({ data: '@a\n', jsonBody: undefined }, () => Promise.reject(new Error('ENOENT: gone'))),
    ).rejects.toThrow(new UsageError('cannot read a\\u{a} for --data: ENOENT: gone'));
  });
});
