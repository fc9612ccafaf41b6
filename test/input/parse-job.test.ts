import { describe, expect, it } from 'vitest';
import { isComment, jobText, parseJobInput, parseLine } from '../../src/input/parse-job.ts';

const json = (value: unknown): string => JSON.stringify(value);
const invalid = (reason: string): object =>
  expect.objectContaining({ invalid: expect.stringContaining(reason) });

describe('jobText()', () => {
  it.each([
    ['  https://example.com \t\r', 'https://example.com'],
    ['\ufeffhttps://example.com', 'https://example.com'],
    ['https://example.com/#x', 'https://example.com/#x'],
    ['https://example.com/ # note', 'https://example.com/'],
    ['https://example.com/#x \t#note', 'https://example.com/#x'],
    ['https://example.com/a b', 'https://example.com/a b'],
    ['<https://example.com/>', 'https://example.com/'],
    ['"https://example.com/"  # note', 'https://example.com/'],
    ["' https://example.com/ '", 'https://example.com/'],
    ['"https://example.com/', '"https://example.com/'],
    ['<>', '<>'],
    ['"', '"'],
    ['{"url":"http://a/ # b"}', '{"url":"http://a/ # b"}'],
    ['', undefined],
    [' \t\u00a0', undefined],
    ['# note', undefined],
    ['  #note', undefined],
  ])('of %j is %j', (line, text) => {
    expect(jobText(line)).toBe(text);
  });
});

describe('isComment()', () => {
  it('checks the first character that is not white space', () => {
    expect(isComment('  # a')).toBe(true);
    expect(isComment('a #')).toBe(false);
    expect(isComment('   ')).toBe(false);
  });
});

describe('parseLine()', () => {
  it('reads a URL', () => {
    expect(parseLine('https://example.com')).toEqual({ url: 'https://example.com/' });
  });

  it('makes an authorization header of user info', () => {
    expect(parseLine('https://user:pass@example.com')).toEqual({
      url: 'https://example.com/',
      headers: { authorization: 'Basic dXNlcjpwYXNz' },
    });
  });

  it('shows the text as one word when it is not a URL', () => {
    expect(parseLine('not a url')).toMatchObject({
      url: 'not%20a%20url',
      invalid: 'invalid URL "not a url": must start with http:// or https://',
    });
  });

  it('redacts the password of a line that it refuses', () => {
    const job = parseLine('http://user:secret@example.com:0/');
    expect(job).toMatchObject({
      url: 'http://***@example.com:0/',
      invalid: expect.stringContaining('the port must be'),
    });
    expect(json(job)).not.toContain('secret');
  });

  it('prepends the default scheme to a URL without a scheme', () => {
    expect(parseLine('example.com', { defaultScheme: 'https' })).toEqual({ url: 'https://example.com/' });
    expect(parseLine('{"url":"example.com"}', { defaultScheme: 'http' })).toEqual({
      url: 'http://example.com/',
    });
  });
});

describe('parseLine() of a JSON job', () => {
  it('reads every key', () => {
    const headers = { 'X-One': 'a', accept: '*/*' };
    const job = { url: 'https://example.com', method: 'post', headers, body: 'text', id: 'mine' };
    expect(parseLine(json(job))).toEqual({
      url: 'https://example.com/',
      method: 'POST',
      headers: { 'x-one': 'a', accept: '*/*' },
      body: 'text',
      id: 'mine',
    });
  });

  it('requires the URL only, and leaves out missing keys', () => {
    expect(Object.keys(parseLine('{"url":" https://example.com "}'))).toEqual(['url']);
    expect(Object.keys(parseLine('{"url":"https://example.com","headers":{}}'))).toEqual(['url']);
  });

  it('accepts a file name, and refuses one that leads out of the directory', () => {
    expect(parseLine('{"url":"http://h/","save":"a/b.html"}')).toEqual({
      url: 'http://h/',
      save: 'a/b.html',
    });
    expect(parseLine('{"url":"http://h/","save":"../b.html"}')).toMatchObject({
      url: 'http://h/',
      invalid: 'invalid value "../b.html" for "save": must not contain the parts "." and ".."',
    });
    expect(parseLine('{"url":"http://h/","save":7}').invalid).toBe(
      'invalid value for "save": must be a string, not a number',
    );
  });

  it('keeps an empty body, which differs from no body', () => {
    expect(parseLine('{"url":"https://example.com","body":""}')).toMatchObject({ method: 'POST', body: '' });
  });

  it('allows a body with GET', () => {
    expect(parseLine('{"url":"http://h/","method":"GET","body":"x"}')).toEqual({
      url: 'http://h/',
      method: 'GET',
      body: 'x',
    });
  });

  it('makes an authorization header of user info, unless the job has one', () => {
    expect(parseLine('{"url":"http://u:p@h/","headers":{"x":"y"}}').headers).toEqual({
      x: 'y',
      authorization: 'Basic dTpw',
    });
    expect(parseLine('{"url":"http://u:p@h/","headers":{"Authorization":"mine"}}')).toEqual({
      url: 'http://h/',
      headers: { authorization: 'mine' },
    });
  });

  it.each([
    '{',
    '{"url":"http://h/"',
    '{"url":"http://h/"} x',
    "{'url':'http://h/'}",
    '{"url":"http://h/",}',
    '{}{}',
  ])('refuses %s, which is not JSON', (text) => {
    expect(parseLine(text)).toEqual(invalid('must be one JSON object on one line'));
  });

  it('refuses an object without a URL, and shows it', () => {
    expect(parseLine('{"id": "a b"}')).toMatchObject({
      url: '{"id":%20"a%20b"}',
      id: 'a b',
      invalid: 'invalid job "{"id": "a b"}": "url" is missing',
    });
  });

  it.each([
    ['url', 1, 'invalid value for "url": must be a string, not a number'],
    ['url', null, 'invalid value for "url": must be a string, not null'],
    ['method', true, 'invalid value for "method": must be a string, not a boolean'],
    ['method', null, 'invalid value for "method": must be a string, not null'],
    ['body', { a: 1 }, 'invalid value for "body": must be a string, not an object'],
    ['id', 7, 'invalid value for "id": must be a string, not a number'],
    ['headers', 'a: b', 'invalid value for "headers": must be an object of strings, not a string'],
    ['headers', ['a: b'], 'invalid value for "headers": must be an object of strings, not an array'],
    ['headers', null, 'invalid value for "headers": must be an object of strings, not null'],
    ['body', 'a\ud800', 'invalid value for "body": must be valid Unicode'],
    ['headers', { a: 1 }, 'invalid header "a": the value must be a string'],
    ['headers', { a: null }, 'invalid header "a": the value must be a string'],
  ])('refuses %s of the wrong type: %j', (key, value, reason) => {
    expect(parseLine(json({ url: 'http://h/', [key]: value })).invalid).toBe(reason);
  });

  it.each([
    ['metod', 'did you mean "method"?'],
    ['URL', 'did you mean "url"?'],
    ['header', 'did you mean "headers"?'],
    ['later', 'use url, method, headers, body, json, id, save, expect'],
    ['', 'use url'],
  ])('refuses the key %j', (key, hint) => {
    expect(parseLine(json({ url: 'http://h/', [key]: 'x' }))).toMatchObject({
      url: 'http://h/',
      invalid: expect.stringContaining(`unknown key "${key}" in a job: ${hint}`),
    });
  });

  it.each([
    ['url', '"url":"http://h/a"', 'invalid job: "url"'],
    ['id', '"id":"1","id":"1"', 'invalid job: "id"'],
    ['json', '"json":1,"json":2', 'invalid job: "json"'],
    ['body', '"body":"}","body":"{"', 'invalid job: "body"'],
    ['body in escapes', String.raw`"body":"a","b\u006fdy":"b"`, 'invalid job: "body"'],
    ['headers', '"headers":{},"headers":{}', 'invalid job: "headers"'],
    ['header', '"headers":{"a":"1","a":"2"}', 'invalid value for "headers": "a"'],
    ['expectation', '"expect":{"time":"1s","time":"2s"}', 'invalid value for "expect": "time"'],
  ])('refuses a line that has the same %s twice', (_, members, subject) => {
    expect(parseLine(`{${members},"url":"http://h/"}`)).toMatchObject({
      url: 'http://h/',
      invalid: `${subject} must be given only once`,
    });
  });

  it('accepts the same key in different objects', () => {
    const line = '{"url":"http://h/","headers":{"id":"1","url":"2"},"id":"3","json":{"url":{"url":1}}}';
    expect(parseLine(line).invalid).toBeUndefined();
  });

  it('refuses the key __proto__', () => {
    expect(parseLine('{"url":"http://h/","__proto__":{"method":"POST"}}')).toEqual(
      invalid('key "__proto__"'),
    );
    expect(parseLine('{"__proto__":{"url":"http://h/"}}')).toEqual(invalid('"url" is missing'));
  });

  it('shows the URL of a job that is refused for another reason, without its password', () => {
    expect(parseLine('{"url":"http://u:secret@h","id":"7","nope":1}')).toMatchObject({
      url: 'http://h/',
      id: '7',
      invalid: expect.stringContaining('"nope"'),
    });
    expect(parseLine('{"url":"http://u:secret@h:0","body":"secret"}')).toMatchObject({
      url: 'http://***@h:0',
      invalid: expect.not.stringContaining('secret'),
    });
  });

  it('escapes control characters in the reason', () => {
    const job = parseLine(json({ url: 'http://h/', 'a\u001b[2J\nb': 1 }));
    expect(job.invalid).toContain('"a\\u{1b}[2J\\u{a}b"');
  });

  it('refuses JSON that is nested too deeply', () => {
    expect(parseLine(`{"url":${'['.repeat(500_000)}`)).toEqual(invalid('JSON'));
    expect(parseLine(`{"url":${'['.repeat(400_000)}${']'.repeat(400_000)}}`)).toEqual(invalid('invalid'));
  });
});

describe('the input of a job', () => {
  const keeps = { keepsInput: true };

  it.each([
    ['HTTP://h/a/../b', 'http://h/b'],
    ['http://h', 'http://h/'],
    ['{"url":" HTTP://h/ "}', 'http://h/', 'HTTP://h/'],
    ['http://bücher.example/', 'http://xn--bcher-kva.example/'],
    ['http://u:secret@h/', 'http://h/', 'http://***@h/'],
    ['no url', 'no%20url'],
  ])('of %s is what was read, without a password', (text, url, input = text) => {
    expect(parseLine(text, keeps)).toMatchObject({ url, input });
    expect(parseLine(text)).not.toHaveProperty('input');
  });

  it('is left out if it is the URL', () => {
    expect(parseLine('http://h/#ü'.replace('ü', '%C3%BC'), keeps)).toEqual({ url: 'http://h/#%C3%BC' });
  });

  it.each(['http://h/a\tb', '{"url":"http://h/a\\tb"}'])(
    'is always kept of %j, whose url is another text',
    (text) => {
      expect(parseLine(text)).toMatchObject({ url: 'http://h/a\\u{9}b', input: 'http://h/a\tb' });
    },
  );
});

describe('the body of a JSON job', () => {
  const job = (fields: object, options = {}) => parseLine(json({ url: 'http://h/', ...fields }), options);

  it.each([
    [{ a: [1, 'ü'] }, '{"a":[1,"ü"]}'],
    [[], '[]'],
    ['text', '"text"'],
    [0, '0'],
    [false, 'false'],
    [null, 'null'],
  ])('may be the JSON value %j', (value, body) => {
    expect(job({ json: value })).toEqual({
      url: 'http://h/',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  });

  it.each([
    '12345678901234567890',
    '{"id":12345678901234567890,"f":1.0,"e":1e400,"z":-0}',
    '[ 1.10 , {"a" : [ ] } ]',
    '{"b":1,"a":2,"10":3,"2":4,"a":5}',
    String.raw`"\u00e9 \" \\"`,
    String.raw`{"a\\":"\\\"}],{","json":[0]}`,
    'null',
  ])('is sent as it is written in a line: %s', (value) => {
    const expected = { method: 'POST', headers: { 'content-type': 'application/json' }, body: value };
    for (const line of [
      `{"url":"http://h/","json":${value}}`,
      `{ "json" : ${value} , "url" : "http://h/" }`,
      String.raw`{"\u006ason":\t${value}\t,"url":"http://h/"}`.replaceAll(String.raw`\t`, '\t'),
    ]) {
      expect(parseLine(line)).toEqual({ url: 'http://h/', ...expected });
    }
  });

  it('is valid Unicode also if a character is half', () => {
    expect(parseLine('{"url":"http://h/","json":"\ud800"}').body).toBe(String.raw`"\ud800"`);
  });

  it('keeps the content type that a job has itself', () => {
    const headers = { 'Content-Type': 'application/vnd.api+json' };
    expect(job({ json: {}, headers }).headers).toEqual({ 'content-type': 'application/vnd.api+json' });
  });

  it.each([
    [{ body: 'x' }, undefined, 'POST'],
    [{ json: 1 }, 'GET', 'POST'],
    [{ body: 'x' }, 'PUT', undefined],
    [{ body: 'x', method: 'get' }, 'GET', 'GET'],
    [{}, 'GET', undefined],
  ])('decides the method of %j in a run with %s: %s', (fields, defaultMethod, method) => {
    expect(job(fields, { defaultMethod }).method).toBe(method);
  });

  it('is either text or JSON', () => {
    expect(job({ body: '', json: 1 })).toMatchObject({
      url: 'http://h/',
      invalid: 'invalid job: "body" and "json" must not be used together',
    });
  });

  it.each([() => 1, Symbol('x'), 10n])('cannot be %s of the library', (value) => {
    expect(parseJobInput({ url: 'http://h/', json: value }, '').invalid).toBe(
      'invalid value for "json": must be a JSON value',
    );
  });
});

describe('the "expect" of a JSON job', () => {
  const line = '{"url":"http://h/","expect":{"contains":"a"}}';

  it('is the parsed expectation', () => {
    const expected = { contains: ['a'], notContains: [], matches: [], headers: [] };
    expect(parseLine(line, { parseExpectation: () => expected })).toEqual({
      url: 'http://h/',
      expect: expected,
    });
  });

  it('makes the job invalid when it cannot be parsed', () => {
    const options = { parseExpectation: () => ({ fault: 'Cannot use it' }) };
    expect(parseLine(line, options)).toEqual({
      url: 'http://h/',
      invalid: 'Cannot use it',
      given: line,
    });
    expect(parseLine(line).invalid).toBe('"expect" is not supported here');
  });
});

describe('the method of parseJobInput()', () => {
  const withMethod = (method: string) => parseJobInput({ url: 'http://h/', method }, '');

  it.each(['GET', 'get', 'PROPFIND', 'x-my_method!'])('may be %s', (method) => {
    expect(withMethod(method).invalid).toBeUndefined();
  });

  it.each(['', 'G T', 'GET\r\nX: y', 'GET/', 'ÄT', '"GET"'])(
    'may not be %j, which is not a token',
    (method) => {
      expect(withMethod(method).invalid).toMatch(/^invalid method ".*": must be one word/);
    },
  );

  it.each(['CONNECT', 'connect'])('may not be %s', (method) => {
    expect(withMethod(method).invalid).toContain('it opens a tunnel');
  });

  it.each(['get', 'head', 'post', 'put', 'delete', 'options', 'trace', 'patch'])(
    'is upper case for %s',
    (method) => {
      expect(withMethod(method).method).toBe(method.toUpperCase());
    },
  );

  it('keeps its case if it is not a standard one, since methods are case-sensitive', () => {
    expect(withMethod('Purge').method).toBe('Purge');
  });
});

describe('the headers of parseJobInput()', () => {
  const withHeaders = (headers: object) => parseJobInput({ url: 'http://h/', headers }, '');

  it('may be ordinary ones', () => {
    const headers = { Host: 'other.example', 'X-Empty': '', 'x-tab': 'a\tb', 'x-latin': 'é' };
    expect(withHeaders(headers).invalid).toBeUndefined();
  });

  it.each(['Transfer-Encoding', 'connection', 'Keep-Alive', 'upgrade', 'Expect', 'content-length'])(
    'may not include %s, which fanout sets',
    (name) => {
      expect(withHeaders({ [name]: 'x' }).invalid).toBe(`invalid header "${name}": fanout sets it`);
    },
  );

  it.each(['a.test', 'a.test:8443', '[::1]:80', '127.0.0.1', 'a_b.test', ' a.test '])(
    'may name the host %j',
    (host) => {
      expect(withHeaders({ host }).invalid).toBeUndefined();
    },
  );

  it.each([
    ...[
      '',
      'a b',
      'a/b',
      'a?b',
      'a#b',
      'u:pw@a.test',
      'a\\b',
      'a:',
      'a:99999',
      'a:b',
      '[::1',
      '[x]',
      'ä.test',
      'a,b',
    ],
    ...['a.test\tb', '<a>', 'a%00'],
  ])('may not name the host %j', (host) => {
    expect(withHeaders({ Host: host }).invalid).toContain('invalid header "Host": the value must be a host');
  });

  it.each(['', 'a b', 'a:', ':path', 'a\r\nb', 'ä', 'a\u0000'])('may not have the name %j', (name) => {
    expect(withHeaders({ [name]: 'x' }).invalid).toContain('the name must be one word');
  });

  it.each(['a\r\nInjected: b', 'a\nb', 'a\rb', 'a\u0000b', 'a\u007fb', 'a\u001bb', 'Ā', '€', '𝄞'])(
    'may not have the value %j',
    (value) => {
      expect(withHeaders({ a: value }).invalid).toContain('latin1 text without control characters');
    },
  );

  it('are refused without their values, which may be secret', () => {
    const { invalid } = withHeaders({ authorization: 'Bearer s3cret\n' });
    expect(invalid).toBeDefined();
    expect(invalid).not.toContain('s3cret');
  });

  it('may not have the same name twice in different case', () => {
    expect(withHeaders({ 'X-A': '1', 'x-a': '2' }).invalid).toBe(
      'invalid header "x-a": must be given only once',
    );
  });

  it('get lower-case names', () => {
    expect(withHeaders({ 'X-A': 'B' }).headers).toEqual({ 'x-a': 'B' });
  });

  it('may include one named __proto__ like any other', () => {
    const { headers } = withHeaders(JSON.parse('{"__proto__":"x"}'));
    expect(Object.entries(headers ?? {})).toEqual([['__proto__', 'x']]);
  });
});
