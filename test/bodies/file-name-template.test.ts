import { describe, expect, it, test } from 'vitest';
import { FileNamer } from '../../src/bodies/file-name-template.ts';
import { nameTemplate } from '../../src/config/parse/names.ts';
import type { Job } from '../../src/model/job.ts';
import { fileNameFault } from '../../src/model/safe-name.ts';
import { seededRandom } from '../seeded-random.ts';
import { aJob } from './a-job.ts';

function nameOf(url: string, template = '{host}{path}', fields: Partial<Job> = {}): string {
  const namer = new FileNamer({ template: nameTemplate.parse(template), defaultMethod: 'GET' });
  return namer.fileNameFor(aJob(url, fields), 200, undefined);
}

function typedNameOf(url: string, contentType: string | undefined, template = '{host}{path}'): string {
  const namer = new FileNamer({ template: nameTemplate.parse(template), defaultMethod: 'GET' });
  return namer.fileNameFor(aJob(url, { index: 10 }), 200, contentType).replace(MARKED, '~HASH');
}

const MARKED = /~[0-9a-f]{20}/;

describe('the name of a URL', () => {
  it.each([
    ['https://example.com/docs/guide.html', 'example.com/docs/guide.html'],
    ['https://example.com/', 'example.com/index.html'],
    ['https://example.com/docs/', 'example.com/docs/index.html'],
    ['http://example.com/a.txt', 'example.com_80/a.txt'],
    ['http://127.0.0.1:8080/x.txt', '127.0.0.1_8080/x.txt'],
    ['https://example.com:8443/x.txt', 'example.com_8443s/x.txt'],
    ['https://[::1]/x.txt', '[--1]/x.txt'],
    ['https://example.com/annual%20report.pdf', 'example.com/annual report.pdf'],
    ['https://example.com/.well-known/security.txt', 'example.com/.well-known/security.txt'],
    ['https://example.com/(a)+[b]=!$.js', 'example.com/(a)+[b]=!$.js'],
  ])('%s is readable: %s', (url, name) => {
    expect(nameOf(url)).toBe(name);
  });

  it.each([
    ['https://example.com/docs', 'example.com/docs.body'],
    ['https://example.com/docs/guide', 'example.com/docs/guide.body'],
    ['https://example.com/v1.2/a.js', 'example.com/v1.2.d/a.js'],
    ['https://example.com/v1.2', 'example.com/v1.2.body'],
    ['https://example.com/conf.d/a.js', 'example.com/conf.d.d/a.js'],
    ['https://example.com/conf.d', 'example.com/conf.d.body'],
    ['https://example.com/.profile', 'example.com/.profile.body'],
  ])('%s is a file that a directory may be beside: %s', (url, name) => {
    expect(nameOf(url)).toBe(name);
  });

  it.each([
    ['a capital letter in a query', 'https://example.com/a.html?B=1', 'example.com/a@B=1~HASH.html'],
    ['a slash in a query', 'https://example.com/a.html?b=c/d', 'example.com/a@b=c_d~HASH.html'],
    ['a query that ends in ~', 'https://example.com/a.html?b~', 'example.com/a@b~~HASH.html'],
    ['a path that looks like a query', 'https://example.com/a@b=1.html', 'example.com/a@b=1~HASH.html'],
    ['a path that looks like a type', 'https://example.com/docs~.html', 'example.com/docs~~HASH.html'],
    ['the index without an extension', 'https://example.com/index', 'example.com/index~HASH.body'],
    ['a fragment', 'https://example.com/a.html#b', 'example.com/a~HASH.html'],
    ['a capital letter', 'https://example.com/README.md', 'example.com/README~HASH.md'],
    ['a capital letter in a directory', 'https://example.com/Docs/a.md', 'example.com/Docs/a~HASH.md'],
    ['a page called like the index', 'https://example.com/index.html', 'example.com/index~HASH.html'],
    ['a name that ends in our suffix', 'https://example.com/docs.body', 'example.com/docs~HASH.body'],
    ['an empty part', 'https://example.com/a//b.html', 'example.com/a/_/b~HASH.html'],
    ['a letter outside ASCII', 'https://example.com/%C3%A9.html', 'example.com/é~HASH.html'],
    ['letters that are not composed', 'https://example.com/e%CC%81.html', 'example.com/é~HASH.html'],
    ['bytes that are not UTF-8', 'https://example.com/%FF.html', 'example.com/%FF~HASH.html'],
    ['what stays encoded', 'https://example.com/100%2525.html', 'example.com/100%25~HASH.html'],
    ['a character that is encoded without need', 'https://example.com/%61.html', 'example.com/a~HASH.html'],
    ['a name that looks shortened', 'https://example.com/longna~1.txt', 'example.com/longna~1~HASH.txt'],
    ['the name of a device', 'https://example.com/aux.c', 'example.com/aux_~HASH.c'],
    ['the name of a device as directory', 'https://example.com/con/a.c', 'example.com/con_/a~HASH.c'],
    ['the name of a device as host', 'https://nul/a.c', 'nul_/a~HASH.c'],
    ['a dot at the end', 'https://example.com/a./b.', 'example.com/a_/b_~HASH.body'],
    ['a space at the end', 'https://example.com/a%20', 'example.com/a_~HASH.body'],
    ['the suffix of an unfinished body', 'https://example.com/a.part', 'example.com/a.part_~HASH.body'],
    ['a host that ends like a port', 'https://a_80/x.c', 'a_80/x~HASH.c'],
  ])('has a mark for %s', (_what, url, name) => {
    expect(nameOf(url).replace(MARKED, '~HASH')).toBe(name);
  });

  it.each([
    ['..%2f..%2fetc%2fpasswd', '.._.._etc_passwd.body'],
    ['..%5c..%5cboot.ini', '.._.._boot.ini'],
    ['%2e%2e/%2e%2e/x.c', 'x.c'],
    ['.%252e/x.c', '.%2e/x.c'],
    ['a%00b.c', 'a_b.c'],
    ['a%0a%1b%5b2Jb.c', 'a__[2Jb.c'],
    ['C:%5Cx.c', 'C__x.c'],
    ['a%3Cb%3E%3A%22%7C%3F*.c', 'a_b______.c'],
    ['%E2%80%AEgpj.exe', '_gpj.exe'],
    ['%E2%80%8B.c', '_.c'],
    ['%F3%BF%BF%BF.c', '_.c'],
  ])('does not leave the directory and has no invisible characters: %s', (path, name) => {
    const file = nameOf(`https://h.example/${path}`);
    expect(file.replace(MARKED, '')).toBe(`h.example/${name}`);
  });

  it('is the same in each run', () => {
    expect(nameOf('https://example.com/a#b')).toBe('example.com/a~55a436c150a86e39ae40.body');
  });

  it.each([
    ['https://example.com/list?page=2', 'example.com/list@page=2.body'],
    ['https://example.com/a.html?b=1&c=2', 'example.com/a@b=1&c=2.html'],
    ['https://example.com/a.html?', 'example.com/a@.html'],
    ['https://example.com/?q=a%20b', 'example.com/index@q=a b.html'],
    ['https://example.com/@user', 'example.com/@user.body'],
    ['https://example.com/@user?tab=1', 'example.com/@user@tab=1.body'],
    ['https://example.com/pkg@1/a.js?v=1.2', 'example.com/pkg@1/a@v=1.2.js'],
  ])('of %s shows its query: %s', (url, name) => {
    expect(nameOf(url)).toBe(name);
  });

  it('shows the start of a long query', () => {
    const name = nameOf(`https://example.com/a.html?${'b=1&'.repeat(100)}`);
    expect(name.replace(MARKED, '~HASH')).toBe(`example.com/a@${'b=1&'.repeat(20)}~HASH.html`);
  });

  it.each([
    ['/docs', 'text/html; charset=utf-8', 'docs~.html'],
    ['/docs', 'TEXT/HTML', 'docs~.html'],
    ['/docs', 'text/html, text/html', 'docs~.html'],
    ['/api/users', 'application/json', 'api/users~.json'],
    ['/api/users', 'application/problem+json', 'api/users~.json'],
    ['/image', 'image/jpeg', 'image~.jpg'],
    ['/v1.2', 'application/json', 'v1.2~.json'],
    ['/conf.d', 'text/plain', 'conf.d~.txt'],
    ['/search?q=cats', 'text/html', 'search@q=cats~.html'],
    ['/search?q=CATS', 'text/html', 'search@q=CATS~HASH.html'],
    ['/Docs', 'text/html', 'Docs~HASH.html'],
    ['/docs#a', 'text/html', 'docs~HASH.html'],
    ['/', 'application/json', 'index~.json'],
    ['/', 'text/html', 'index.html'],
    ['/a.php', 'text/html', 'a.php'],
    ['/docs', 'application/octet-stream', 'docs.body'],
    ['/docs', 'nonsense', 'docs.body'],
    ['/docs', 'constructor', 'docs.body'],
    ['/docs', '../../etc+json/x', 'docs.body'],
    ['/docs', '', 'docs.body'],
    ['/docs', undefined, 'docs.body'],
  ])('of %s with the type %s is %s', (path, contentType, name) => {
    expect(typedNameOf(`https://example.com${path}`, contentType)).toBe(`example.com/${name}`);
  });

  it('depends on method, body, headers and user, not on a password', () => {
    const basic = (text: string) => ({ headers: { authorization: `Basic ${btoa(text)}` } });
    const jobs: Partial<Job>[] = [
      {},
      { method: 'PUT' },
      { method: 'PATCH' },
      { body: '' },
      { body: 'a' },
      { headers: { accept: 'a' } },
      { headers: { accept: 'b' } },
      { headers: { x: 'a' } },
      basic('me:secret'),
      basic('you:secret'),
    ];
    const names = jobs.map((fields) => nameOf('https://example.com/a.c', undefined, fields));
    expect(new Set(names).size).toBe(jobs.length);
    expect(nameOf('https://example.com/a.c', undefined, basic('me:other'))).toBe(names[8]);
    expect(nameOf('https://example.com/a.c', undefined, { headers: { cookie: 'a' } })).toBe(names[0]);
    expect(nameOf('https://example.com/a.c', undefined, { method: 'GET' })).toBe(names[0]);
    expect(nameOf('https://example.com/a.c', undefined, { headers: { y: 'b', x: 'a' } })).toBe(
      nameOf('https://example.com/a.c', undefined, { headers: { x: 'a', y: 'b' } }),
    );
  });

  it('is the value of save if the job has one', () => {
    expect(nameOf('https://example.com/a.c', '{index}', { save: 'Mine/a.c' })).toBe('Mine/a.c');
  });
});

describe('a template', () => {
  const fields = { index: 7, id: 'my id' };

  it.each([
    ['{index}.{ext}', '7.gz'],
    ['{index}0', '70'],
    ['page-{index}.html', 'page-7.html'],
    ['{index}{path}', '7/a/b.tar.gz'],
    ['{id}-{index}', 'my id-7'],
    ['{index}-{id}-{hash}', '7-my id-HASH'],
    ['{hash}.{ext}', 'HASH.gz'],
    ['{hash}{ext}', 'HASHgz'],
    ['{status}/{host}{path}', '200/example.com/a/b.tar.gz'],
    ['{host}/files{path}', 'example.com/files/a/b.tar.gz'],
    ['{host}/{path}', 'example.com/a/b.tar.gz'],
    ['{host}{path}-{status}.txt', 'example.com/a/b.tar.gz-200.txt'],
    ['{id}/{host}{path}', 'my id/example.com/a/b.tar.gz'],
    ['{host}{path}{query}', 'example.com/a/b.tar.gz'],
  ])('%s distinguishes URLs without a mark: %s', (template, name) => {
    const made = nameOf('https://example.com/a/b.tar.gz', template, fields);
    expect(made.replace(/[0-9a-f]{20}/, 'HASH')).toBe(name);
  });

  it.each([
    ['{path}', 'a/b.tar~HASH.gz'],
    ['{host}', 'example~HASH.com'],
    ['{id}.html', 'my id~HASH.html'],
    ['{host}{index}', 'example~HASH.com7'],
    ['{index}{host}', '7example~HASH.com'],
    ['{path}{index}', 'a/b.tar~HASH.gz7'],
    ['same.html', 'same~HASH.html'],
    ['{id}{host}{path}', 'my idexample.com/a/b.tar~HASH.gz'],
    ['{query}.html', '.html~HASH'],
    ['{index}{ext}', '7gz~HASH'],
    ['{host}{path}.{ext}', 'example.com/a/b.tar.gz~HASH.gz'],
  ])('%s has a mark, since it leaves something out or is ambiguous: %s', (template, name) => {
    const made = nameOf('https://example.com/a/b.tar.gz', template, fields);
    expect(made.replace(MARKED, '~HASH')).toBe(name);
  });

  it.each([
    ['{index}.{ext}', '/a.txt', undefined, '10.txt'],
    ['{index}.{ext}', '/a.TXT?b.c', undefined, '10.TXT'],
    ['{index}.{ext}', '/a', 'image/png', '10.png'],
    ['{index}.{ext}', '/v1.2', 'image/png', '10.png'],
    ['{index}.{ext}', '/a.php;id=1', 'text/html', '10.html'],
    ['{index}.{ext}', '/', undefined, '10.html'],
    ['{index}.{ext}', '/', 'application/json', '10.json'],
    ['{index}.{ext}', '/a', undefined, '10'],
    ['{index}.{ext}', '/a.', undefined, '10'],
    ['{index}-{ext}', '/a', undefined, '10-'],
    ['{ext}/{index}', '/a', 'image/png', 'png/10'],
    ['{index}{path}', '/docs', 'text/html', '10/docs.html'],
    ['{index}{path}', '/docs?a=1', 'text/html', '10/docs@a=1.html'],
    ['{index}', '/a', 'text/html', '10'],
    ['{host}{path}-{status}.txt', '/a', 'text/html', 'example.com/a-200.txt'],
    ['{host}{path}{query}', '/a?b', 'text/html', 'example.com/ab~HASH.html'],
  ])('%s of %s with the type %s is %s', (template, path, contentType, name) => {
    expect(typedNameOf(`https://example.com${path}`, contentType, template)).toBe(name);
  });

  it.each([
    ['{host}{path}', '/docs', 'example.com/docs~.{ext}'],
    ['{host}{path}', '/a.txt', 'example.com/a.txt'],
    ['{host}{path}', '/', 'example.com/index.html'],
    ['{index}.{ext}', '/docs', '10.{ext}'],
    ['{status}/{index}', '/docs', '{status}/10'],
  ])('%s of %s is shown as %s before there is a response', (template, path, name) => {
    const namer = new FileNamer({ template: nameTemplate.parse(template), defaultMethod: 'GET' });
    expect(namer.previewFor(aJob(`https://example.com${path}`, { index: 10 }))).toBe(name);
  });
});

test('no part and no name is too long, and a long name keeps its extension', () => {
  const long = 'x'.repeat(3000);
  const deep = 'dir/'.repeat(1000);
  const wide = '%F0%9F%98%80'.repeat(500);
  for (const path of [
    long,
    `${long}.html`,
    `a/${long}/b.html`,
    `${deep}b.html`,
    wide,
    `${wide}/${wide}.html`,
  ]) {
    const name = nameOf(`https://example.com/${path}`);
    expect(name).toMatch(MARKED);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(700);
    for (const part of name.split('/')) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(240);
    expect(name).not.toContain('\ufffd');
    if (path.endsWith('.html')) expect(name).toMatch(/\.html$/);
  }
  expect(nameOf('https://example.com/a', '{id}/{index}', { id: long })).toMatch(/^x{100}\/0~[0-9a-f]{20}$/);
});

test.each(['.part', '.PART', '.part.json'])('a name that is cut after %s does not end in it', (end) => {
  for (let shift = 0; shift < end.length; shift += 1) {
    const id = `${'x'.repeat(shift)}${end.repeat(60)}y`;
    for (const template of ['{id}/{index}', '{id}', '{host}/{id}.d/{index}']) {
      expect(fileNameFault(nameOf('https://example.com/a', template, { id }))).toBeUndefined();
    }
  }
});

test('a directory of replacement characters is truncated between two of them', () => {
  const [directory, ...more] = nameOf(`https://example.com/${'%EF%BF%BD'.repeat(50)}/`, '{path}').split('/');
  expect(directory).toBe('\ufffd'.repeat(33));
  expect(more).toEqual([expect.stringMatching(/^index~[0-9a-f]{20}\.html$/)]);
});

const HOSTS = [
  'example.com',
  'example.org.',
  'a',
  'a_80',
  'a_80s',
  'con',
  'con.com',
  '[::1]',
  '[1:2::3]',
  '--1',
  'xn--bcher-kva.de',
];
const ENDS = ['', ':80', ':443', ':8080', ':8080'];
const PARTS = [
  '', 'a', 'A', 'b', 'a.b', 'a.B', 'a.d', 'A.D', 'a.body', 'a.b.body', 'a.d.d', 'a.d.body', 'index.html', 'Index.html',
  'index.body', '.a', '.a.b', '..a', 'a..', 'a.', '%20', '%20a', 'a%20', 'a%20b', '_', '__', 'a_', 'a_b', 'a%2Fb', 'a%2fb',
  'a%5Cb', '%2e', 'a%2e', '%61', '%41', '%C3%A9', '%c3%a9', 'e%CC%81', '%E2%84%AB', '%C3%85', 'A%CC%8A', '%C3%9F', 'ss', 'SS', '%E1%BA%9E',
  '%EF%AC%81', 'fi', '%C4%B0', 'i%CC%87', '%E2%84%AA', 'k', 'K', '%FF', '%ff', '%', '%zz', '%25ff', '%00', '%7F', '%E2%80%8D', 'a%E2%80%8D',
  '%3A', '%3a', ':', '%2A', '*', '%3F', '%7C', '|', 'nul', 'nul_', 'nul.a', 'nul_.a', 'com1', 'COM1.a', 'com%C2%B9', 'x.part', 'x.part_',
  'index', 'a~.html', 'a~.b', 'a~', 'a~.json', 'a.html', 'a.json', 'a@a', 'a@a.html', '@a', '@a@a', 'a@', 'a@a~.html', 'a@.body', 'v1.2',
  'a.html.d', 'x.part.json', 'x.part.json_', 'a~1', 'a~1.b', 'a~0123456789abcdef0123', 'a~0123456789abcdef0123.b', 'x'.repeat(98), 'x'.repeat(99),
  'x'.repeat(100), 'x'.repeat(101), `${'x'.repeat(98)}.b`, `${'x'.repeat(300)}.b`, `${'x'.repeat(301)}.b`, `${'x'.repeat(235)}.b`, '%E3%81%82'.repeat(40),
]; // biome-ignore format: a table
const QUERIES = [
  '', '', '', '', '?', '?a', '?A', '?a=b/c', '#', '#a', '?a#a', '?a~', '?a.b', '?a.html', '?a~.html', '?@a', '?a@b', '?a%20', '?a.body',
]; // biome-ignore format: a table
const TYPES = [undefined, 'text/html', 'application/json'];
const EXTRAS: Partial<Job>[] = [
  {},
  {},
  {},
  {},
  {},
  {},
  { method: 'PUT' },
  { body: 'a' },
  { method: 'PUT', body: 'a' },
  { headers: { x: 'y' } },
];

/** Jobs that differ in method, URL, body or headers, many of them in little. */
function manyJobs(count: number): Job[] {
  const random = seededRandom(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T; // lists are not empty
  const jobs = new Map<string, Job>();
  while (jobs.size < count) {
    const depth = Math.floor(random() * 4);
    const path = Array.from({ length: depth }, () => pick(PARTS)).join('/');
    const scheme = random() < 0.7 ? 'https' : 'http';
    const url = `${scheme}://${pick(HOSTS)}${random() < 0.8 ? '' : pick(ENDS)}/${path}${pick(QUERIES)}`;
    add(jobs, url, pick(EXTRAS));
  }
  return [...jobs.values()];
}

function add(jobs: Map<string, Job>, url: string, extra: Partial<Job>): void {
  if (!URL.canParse(url)) return;
  const job = aJob(url, { ...extra, index: jobs.size, id: `Id ${jobs.size % 10}` });
  const key = JSON.stringify([job.url, extra]);
  if (!jobs.has(key)) jobs.set(key, job);
}

/** A name as file systems compare it that ignore case and Unicode forms. */
function folded(name: string): string {
  return name
    .normalize('NFKD')
    .toUpperCase()
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u200b-\u200f\ufeff]/g, '');
}

const UNSAFE = /[<>:"|?*\\\u0000-\u001f\u007f]|^\.{1,2}$|[. ]$|^ |^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

describe.each([
  '{host}{path}',
  '{path}',
  '{id}{path}{host}',
  '{host}/{status}{path}/{id}',
  '{index}{path}',
  '{hash}.{ext}',
  '{index}',
  '{index}.{ext}',
  '{host}{path}.{ext}',
  '{host}/{query}{path}',
  '{query}',
])('the names by %s', (template) => {
  const namer = new FileNamer({ template: nameTemplate.parse(template), defaultMethod: 'GET' });
  const jobs = manyJobs(3_000);
  const namesOf = (job: Job) => TYPES.map((type) => namer.fileNameFor(job, 200, type));
  const first = jobs.flatMap(namesOf);
  // The name for one URL is the path of another.
  const again = new Map<string, Job>();
  const urls = new Set(jobs.map(({ url }) => url));
  for (const name of first) {
    for (const url of [
      `https://${encodeURI(name)}`,
      `https://a/${encodeURI(name.replace(/^[^/]*\//, ''))}`,
    ]) {
      if (URL.canParse(url) && !urls.has(new URL(url).href)) add(again, url, {});
    }
  }
  const others = [...again.values()].map((job) => ({ ...job, index: job.index + jobs.length }));
  const names = [...first, ...others.flatMap(namesOf)];

  it('are different for each job, whatever its type, even if case and Unicode forms are ignored', () => {
    expect(names.length).toBeGreaterThan(10_000);
    const all = [...jobs, ...others];
    const owners = new Map<string, Job | undefined>();
    const clashes = names.flatMap((name, index) => {
      const job = all[Math.floor(index / TYPES.length)];
      const owner = owners.get(folded(name)) ?? job;
      owners.set(folded(name), owner);
      return owner === job ? [] : [[name, owner?.url, job?.url]];
    });
    expect(clashes.slice(0, 5)).toEqual([]);
  });

  it('are never used for a file and a directory', () => {
    const files = new Set(names.map(folded));
    const directories = new Set(
      names.flatMap((name) => {
        const parts = folded(name).split('/').slice(0, -1);
        return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
      }),
    );
    expect([...directories].filter((name) => files.has(name)).slice(0, 5)).toEqual([]);
    const unfinished = [...files].flatMap((name) => [`${name}.part`, `${name}.part.json`, `${name}.2.part`]);
    expect(unfinished.filter((name) => files.has(name) || directories.has(name)).slice(0, 5)).toEqual([]);
  });

  it('are valid on every file system', () => {
    const unsafe = names.filter((name) => name.split('/').some((part) => part === '' || UNSAFE.test(part)));
    expect(unsafe.slice(0, 5)).toEqual([]);
    const long = names.filter((name) => name.split('/').some((part) => Buffer.byteLength(part) > 240));
    expect(long.slice(0, 5)).toEqual([]);
  });
});
