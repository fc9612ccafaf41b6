import { describe, expect, it } from 'vitest';
import { isComment, jobText, parseLine } from '../../src/input/parse-job.ts';

const json = (value: unknown): string => JSON.stringify(value);
const invalid = (reason: string): object =>
  expect.objectContaining({ invalid: expect.stringContaining(reason) });

describe('jobText()', () => {
  it.each([
    ['  https://example.com \t\r', 'https://example.com'],
    ['\ufeffhttps://example.com', 'https://example.com'],
    ['https://example.com/#x', 'https://example.com/#x'],
    ['', undefined],
    [' \t\u00a0', undefined],
    ['# note', undefined],
    ['  #note', undefined],
  ])('of %j is %j', (line, text) => {
    expect(jobText(line)).toBe(text);
  });
});

describe('isComment()', () => {
  it('looks at the first character that is no white space', () => {
    expect(isComment('  # a')).toBe(true);
    expect(isComment('a #')).toBe(false);
    expect(isComment('   ')).toBe(false);
  });
});

describe('parseLine()', () => {
  it('reads a URL', () => {
    expect(parseLine('https://example.com')).toEqual({ url: 'https://example.com/' });
  });

  it('makes a header of user info', () => {
    expect(parseLine('https://user:pass@example.com')).toEqual({
      url: 'https://example.com/',
      headers: { authorization: 'Basic dXNlcjpwYXNz' },
    });
  });

  it('shows what was read, as one word, when it is no URL', () => {
    expect(parseLine('not a url')).toEqual({
      url: 'not%20a%20url',
      invalid: 'Cannot use "not a url" as a URL: it must start with http:// or https://',
    });
  });

  it('shows no password of a line it refuses', () => {
    const job = parseLine('http://user:secret@example.com:0/');
    expect(job).toEqual({ url: 'http://***@example.com:0/', invalid: expect.stringContaining('port 0') });
    expect(json(job)).not.toContain('secret');
  });

  it('puts the default scheme before a URL that has none', () => {
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

  it('needs the URL alone, and leaves out what is not there', () => {
    expect(Object.keys(parseLine('{"url":" https://example.com "}'))).toEqual(['url']);
    expect(Object.keys(parseLine('{"url":"https://example.com","headers":{}}'))).toEqual(['url']);
  });

  it('takes the name of a file, and refuses one that leads out of the directory', () => {
    expect(parseLine('{"url":"http://h/","save":"a/b.html"}')).toEqual({
      url: 'http://h/',
      save: 'a/b.html',
    });
    expect(parseLine('{"url":"http://h/","save":"../b.html"}')).toEqual({
      url: 'http://h/',
      invalid: 'Cannot use "../b.html" for "save": it must not hold the parts "." and ".."',
    });
    expect(parseLine('{"url":"http://h/","save":7}').invalid).toBe(
      'Cannot use a number for "save": it must be a string',
    );
  });

  it('keeps an empty body, which is not the same as none', () => {
    expect(parseLine('{"url":"https://example.com","body":""}').body).toBe('');
  });

  it('allows a body with GET', () => {
    expect(parseLine('{"url":"http://h/","method":"GET","body":"x"}')).toEqual({
      url: 'http://h/',
      method: 'GET',
      body: 'x',
    });
  });

  it('makes a header of user info, unless the job has one', () => {
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
  ])('refuses %s, which is no JSON', (text) => {
    expect(parseLine(text)).toEqual(invalid('it must be one JSON object'));
  });

  it('refuses an object without a URL, and shows it', () => {
    expect(parseLine('{"id": "a b"}')).toEqual({
      url: '{"id":%20"a%20b"}',
      id: 'a b',
      invalid: 'Cannot use "{"id": "a b"}" as a job: it must have a "url"',
    });
  });

  it.each([
    ['url', 1, 'Cannot use a number for "url": it must be a string'],
    ['url', null, 'Cannot use null for "url": it must be a string'],
    ['method', true, 'Cannot use a boolean for "method": it must be a string'],
    ['method', null, 'Cannot use null for "method": it must be a string'],
    ['body', { a: 1 }, 'Cannot use an object for "body": it must be a string'],
    ['id', 7, 'Cannot use a number for "id": it must be a string'],
    ['headers', 'a: b', 'Cannot use a string for "headers": it must be an object of strings'],
    ['headers', ['a: b'], 'Cannot use an array for "headers": it must be an object of strings'],
    ['headers', null, 'Cannot use null for "headers": it must be an object of strings'],
    ['headers', { a: 1 }, 'Cannot use the header "a": its value must be a string'],
    ['headers', { a: null }, 'Cannot use the header "a": its value must be a string'],
  ])('refuses %s of the wrong type: %j', (key, value, reason) => {
    expect(parseLine(json({ url: 'http://h/', [key]: value })).invalid).toBe(reason);
  });

  it.each([
    ['metod', 'did you mean "method"?'],
    ['URL', 'did you mean "url"?'],
    ['header', 'did you mean "headers"?'],
    ['later', 'a job has url, method, headers, body, id, save, expect'],
    ['', 'a job has url'],
  ])('refuses the key %j', (key, wish) => {
    expect(parseLine(json({ url: 'http://h/', [key]: 'x' }))).toEqual({
      url: 'http://h/',
      invalid: expect.stringContaining(`Cannot use the key "${key}" in a job: ${wish}`),
    });
  });

  it('refuses the key __proto__, rather than obey it', () => {
    expect(parseLine('{"url":"http://h/","__proto__":{"method":"POST"}}')).toEqual(
      invalid('key "__proto__"'),
    );
    expect(parseLine('{"__proto__":{"url":"http://h/"}}')).toEqual(invalid('as a job'));
  });

  it('shows the URL of a job that is refused for another reason, without its password', () => {
    expect(parseLine('{"url":"http://u:secret@h","id":"7","nope":1}')).toEqual({
      url: 'http://h/',
      id: '7',
      invalid: expect.stringContaining('"nope"'),
    });
    expect(parseLine('{"url":"http://u:secret@h:0","body":"secret"}')).toEqual({
      url: 'http://***@h:0',
      invalid: expect.not.stringContaining('secret'),
    });
  });

  it('gives a reason without control characters', () => {
    const job = parseLine(json({ url: 'http://h/', 'a\u001b[2J\nb': 1 }));
    expect(job.invalid).toContain('"a\\u{1b}[2J b"');
  });

  it('refuses JSON that is too deep for the parser or for anything else', () => {
    expect(parseLine(`{"url":${'['.repeat(500_000)}`)).toEqual(invalid('JSON'));
    expect(parseLine(`{"url":${'['.repeat(400_000)}${']'.repeat(400_000)}}`)).toEqual(invalid('Cannot'));
  });
});

describe('the "expect" of a JSON job', () => {
  const line = '{"url":"http://h/","expect":{"contains":"a"}}';

  it('is what it is read as', () => {
    const expected = { contains: ['a'], notContains: [], matches: [], headers: [] };
    expect(parseLine(line, { parseExpectation: () => expected })).toEqual({
      url: 'http://h/',
      expect: expected,
    });
  });

  it('makes the job invalid when it cannot be read', () => {
    const syntax = { parseExpectation: () => ({ fault: 'Cannot use it' }) };
    expect(parseLine(line, syntax)).toEqual({ url: 'http://h/', invalid: 'Cannot use it' });
    expect(parseLine(line).invalid).toBe('Cannot use "expect" here');
  });
});
