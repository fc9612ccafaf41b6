import { chmod, lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CookieJar,
  cookiesOfChain,
  openCookieFile,
  takeCookies,
  withCookies,
} from '../../src/http/cookies.ts';
import { OutputError, UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../origin/temp-dir.ts';

const FILE = [
  '# Netscape HTTP Cookie File',
  '',
  '.example.com\tTRUE\t/\tFALSE\t0\tall\t1',
  'example.com\tFALSE\t/\tFALSE\t4000000000\tone\t2',
  '#HttpOnly_example.com\tFALSE\t/in\tTRUE\t4000000000\tsecure\t3',
  'example.com\tFALSE\t/\tFALSE\t1000000000\told\t4',
];

function jarOf(lines: readonly string[]): CookieJar {
  const jar = new CookieJar();
  expect(jar.read(lines.join('\n'))).toBeUndefined();
  return jar;
}

describe('cookiesOfChain()', () => {
  const chain = (url: string, ...lines: string[]) => [{ url, lines }];

  it.each<[string, string, string, string | undefined]>([
    ['the same host', 'a=1', 'http://a.test/', 'a=1'],
    ['another host', 'a=1', 'http://b.test/', undefined],
    ['a host below, without Domain', 'a=1', 'http://www.a.test/', undefined],
    ['a host below, with Domain', 'a=1; Domain=a.test', 'http://www.a.test/', 'a=1'],
    ['another port', 'a=1', 'http://a.test:8080/', 'a=1'],
    ['a Path that it is not in', 'a=1; Path=/x', 'http://a.test/', undefined],
    ['http, with Secure', 'a=1; Secure', 'http://a.test/', undefined],
    ['another host that it names', 'a=1; Domain=b.test', 'http://b.test/', undefined],
    ['a public suffix', 'a=1; Domain=co.uk', 'http://a.co.uk/', undefined],
    ['one that has expired', 'a=1; Max-Age=0', 'http://a.test/', undefined],
    ['no cookie', '', 'http://a.test/', undefined],
    ['control characters', 'a=1\u0001', 'http://a.test/', undefined],
  ])('for %s', (_, line, url, header) => {
    expect(cookiesOfChain(chain('https://a.test/', line), url)).toBe(header);
  });

  it('takes the last value of a cookie, and bounds their number', () => {
    const chainOfTwo = [...chain('http://a.test/', 'a=1', 'b=1'), ...chain('http://a.test/x', 'a=2')];
    expect(cookiesOfChain(chainOfTwo, 'http://a.test/')).toBe('a=2; b=1');
    const many = Array.from({ length: 1000 }, (_, index) => `c${index}=1`);
    const taken = (header?: string | string[]) =>
      takeCookies('chain', 'http://a.test/', { 'set-cookie': header });
    expect(taken(many)?.lines.length).toBe(50);
    expect([taken(`a=${'x'.repeat(5000)}`), taken()]).toEqual([undefined, undefined]);
    expect(takeCookies(undefined, 'http://a.test/', { 'set-cookie': 'a=1' })).toBeUndefined();
  });
});

describe('withCookies()', () => {
  it('adds cookies to those of the user', () => {
    const chain = [{ url: 'http://a.test/', lines: ['a=1'] }];
    const sent = (headers: Readonly<Record<string, string>>, url = 'http://a.test/') =>
      withCookies({ url, method: 'GET', headers }, 'chain', chain).headers;
    expect(sent({ cookie: 'mine=1' })).toEqual({ cookie: 'mine=1; a=1' });
    expect(sent({ x: '1' })).toEqual({ x: '1', cookie: 'a=1' });
    expect(sent({ x: '1' }, 'http://b.test/')).toEqual({ x: '1' });
  });
});

describe('CookieJar', () => {
  it.each([
    ['http://example.com/', 'all=1; one=2'],
    ['https://example.com/in/x', 'secure=3; all=1; one=2'],
    ['http://www.example.com/', 'all=1'],
    ['http://other.test/', undefined],
  ])('sends to %s what a file has for it', (url, header) => {
    expect(jarOf(FILE).headerFor(url)).toBe(header);
  });

  it('writes what it reads', () => {
    const text = jarOf(FILE).toText();
    expect(text.split('\n').filter((line) => line.includes('\t'))).toEqual(FILE.slice(2, 5));
    expect(jarOf([text]).toText()).toBe(text);
  });

  it.each([['a=1'], ['example.com\tFALSE\t/\tFALSE\tsoon\ta\tb'], ['{"cookies": []}']])(
    'refuses %j',
    (line) => {
      expect(new CookieJar().read(`# cookies\n${line}`)).toBe(2);
    },
  );
});

describe('openCookieFile()', () => {
  it('creates the file for its owner, and writes the cookies of the run', async () => {
    const path = join(await tempDir(), 'cookies.txt');
    const file = await openCookieFile({ cookies: path });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    file?.jar.store({ url: 'http://a.test/', lines: ['a=1'] });
    await file?.write();
    expect(await readFile(path, 'utf8')).toContain('a.test\tFALSE\t/\tFALSE\t0\ta\t1\n');
  });

  it('keeps the permissions of a file, and a link to it', async () => {
    const directory = await tempDir();
    const [path, link] = [join(directory, 'file'), join(directory, 'link')];
    await writeFile(path, FILE.join('\n'));
    await chmod(path, 0o640);
    await symlink(path, link);
    await (await openCookieFile({ cookies: link }))?.write();
    expect([(await stat(path)).mode & 0o777, (await lstat(link)).isSymbolicLink()]).toEqual([0o640, true]);
  });

  it('opens none for no name', async () => {
    expect(await openCookieFile({ cookies: undefined })).toBeUndefined();
    expect(await openCookieFile({ cookies: false })).toBeUndefined();
  });

  it('refuses what it cannot read or write, and shows no cookie', async () => {
    const directory = await tempDir();
    const path = join(directory, 'file');
    await writeFile(path, 'session=secret');
    const error = (cookies: string) => openCookieFile({ cookies }).catch((thrown: unknown) => thrown);
    expect(await error(path)).toBeInstanceOf(UsageError);
    expect(`${await error(path)}`).toMatch(
      /line 1 of ".*file" for --cookies: must be a cookie in the Netscape/,
    );
    expect(`${await error(path)}`).not.toContain('secret');
    expect(await readFile(path, 'utf8')).toBe('session=secret');
    expect(await error(directory)).toBeInstanceOf(UsageError);
    expect(await error(join(directory, 'missing', 'file'))).toBeInstanceOf(OutputError);
  });
});
