import { describe, expect, it } from 'vitest';
import { FileNamer } from '../../src/bodies/file-name-template.ts';
import { nameTemplate } from '../../src/config/parse/names.ts';
import type { Job } from '../../src/model/job.ts';
import { seededRandom } from '../seeded-random.ts';
import { aJob } from './a-job.ts';

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
  'x.part.json', 'x.part.json_', 'a~1', 'a~1.b', 'a~0123456789abcdef0123', 'a~0123456789abcdef0123.b', 'x'.repeat(98), 'x'.repeat(99),
  'x'.repeat(100), 'x'.repeat(101), `${'x'.repeat(98)}.b`, `${'x'.repeat(300)}.b`, `${'x'.repeat(301)}.b`, `${'x'.repeat(235)}.b`, '%E3%81%82'.repeat(40),
]; // biome-ignore format: a table
const QUERIES = ['', '', '', '', '?', '?a', '?A', '?a=b/c', '#', '#a', '?a#a'];
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

/** Jobs that differ in method, URL, body or headers, many of them in next to nothing. */
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

/** What file systems that do not care for case, or for forms of Unicode, make of a name. */
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
  '{hash}{ext}',
  '{index}',
  '{query}',
])('the names by %s', (template) => {
  const maker = new FileNamer({ template: nameTemplate.parse(template), defaultMethod: 'GET' });
  const jobs = manyJobs(6_000);
  const first = jobs.map((job) => maker.nameOf(job, 200));
  // What was made of one URL is the path of another.
  const again = new Map<string, Job>();
  const known = new Set(jobs.map(({ url }) => url));
  for (const name of first) {
    for (const url of [
      `https://${encodeURI(name)}`,
      `https://a/${encodeURI(name.replace(/^[^/]*\//, ''))}`,
    ]) {
      if (URL.canParse(url) && !known.has(new URL(url).href)) add(again, url, {});
    }
  }
  const others = [...again.values()].map((job) => ({ ...job, index: job.index + jobs.length }));
  const names = [...first, ...others.map((job) => maker.nameOf(job, 200))];

  it('are different for each job, also where case and forms of Unicode do not count', () => {
    expect(names.length).toBeGreaterThan(7_000);
    const all = [...jobs, ...others];
    const seen = new Map<string, number>();
    const clashes = names.flatMap((name, index) => {
      const before = seen.get(folded(name));
      seen.set(folded(name), index);
      return before === undefined ? [] : [[name, all[before]?.url, all[index]?.url]];
    });
    expect(clashes.slice(0, 5)).toEqual([]);
  });

  it('are nowhere a file and a directory', () => {
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

  it('are taken by every file system', () => {
    const unsafe = names.filter((name) => name.split('/').some((part) => part === '' || UNSAFE.test(part)));
    expect(unsafe.slice(0, 5)).toEqual([]);
    const long = names.filter((name) => name.split('/').some((part) => Buffer.byteLength(part) > 240));
    expect(long.slice(0, 5)).toEqual([]);
  });
});
