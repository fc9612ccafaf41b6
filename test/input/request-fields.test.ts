import { describe, expect, it } from 'vitest';
import { headersFault, methodFault, sentHeaders } from '../../src/input/parse-job.ts';
import { sentMethod } from '../../src/model/request-rules.ts';

describe('methodFault()', () => {
  it.each(['GET', 'get', 'PROPFIND', 'x-my_method!'])('has nothing against %s', (method) => {
    expect(methodFault(method)).toBeUndefined();
  });

  it.each(['', 'G T', 'GET\r\nX: y', 'GET/', 'ÄT', '"GET"'])('refuses %j, which is no token', (method) => {
    expect(methodFault(method)).toMatch(/^Cannot use ".*" as a method: it must be one word/);
  });

  it.each(['CONNECT', 'connect'])('refuses %s', (method) => {
    expect(methodFault(method)).toContain('it opens a tunnel');
  });
});

describe('sentMethod()', () => {
  it.each(['get', 'head', 'post', 'put', 'delete', 'options', 'trace', 'patch'])(
    'writes %s in upper case',
    (method) => {
      expect(sentMethod(method)).toBe(method.toUpperCase());
    },
  );

  it('leaves a method of your own as it is, since methods are case-sensitive', () => {
    expect(sentMethod('Purge')).toBe('Purge');
  });
});

describe('headersFault()', () => {
  it('has nothing against ordinary headers', () => {
    expect(
      headersFault({ Host: 'other.example', 'X-Empty': '', 'x-tab': 'a\tb', 'x-latin': 'é' }),
    ).toBeUndefined();
  });

  it.each(['Transfer-Encoding', 'connection', 'Keep-Alive', 'upgrade', 'Expect', 'content-length'])(
    'refuses %s, which is not for a job to set',
    (name) => {
      expect(headersFault({ [name]: 'x' })).toBe(
        `Cannot use the header "${name}": fanout sets it, a job must not`,
      );
    },
  );

  it.each(['', 'a b', 'a:', ':path', 'a\r\nb', 'ä', 'a\u0000'])('refuses the name %j', (name) => {
    expect(headersFault({ [name]: 'x' })).toContain('its name must be one word');
  });

  it.each(['a\r\nInjected: b', 'a\nb', 'a\rb', 'a\u0000b', 'a\u007fb', 'a\u001bb', 'Ā', '€', '𝄞'])(
    'refuses the value %j',
    (value) => {
      expect(headersFault({ a: value })).toContain('latin1 text without control characters');
    },
  );

  it('never names a value, which may be secret', () => {
    expect(headersFault({ authorization: 'Bearer s3cret\n' })).not.toContain('s3cret');
  });

  it('refuses a name that is given twice in different case', () => {
    expect(headersFault({ 'X-A': '1', 'x-a': '2' })).toBe(
      'Cannot use the header "x-a": it must be given once',
    );
  });
});

describe('sentHeaders()', () => {
  it('writes names in lower case', () => {
    expect(sentHeaders({ 'X-A': 'B' })).toEqual({ 'x-a': 'B' });
  });

  it('sends a header named __proto__ like any other', () => {
    const headers = sentHeaders(JSON.parse('{"__proto__":"x"}'));
    expect(Object.entries(headers)).toEqual([['__proto__', 'x']]);
  });
});
