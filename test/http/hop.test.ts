import { describe, expect, test } from 'vitest';
import { firstHop, headersFor } from '../../src/http/hop.ts';
import type { Job } from '../../src/model/job.ts';

const TABLE = new Map([
  ['a.test', { x: 'any port' }],
  ['a.test:443', { x: '443', y: '443' }],
  ['a.test:8080', { x: '8080' }],
  ['b.test:80', { x: 'b' }],
  ['[::1]', { x: 'six' }],
  ['[::1]:8080', { y: 'six, 8080' }],
  ['*.w.test', { x: 'wild', z: 'wild' }],
  ['*.w.test:81', { z: 'wild 81' }],
  ['a.w.test', { x: 'own' }],
  ['*.b.w.test', { x: 'longer' }],
]);

test.each([
  ['http://a.test/', { x: 'any port' }],
  ['http://a.test:81/a:443/', { x: 'any port' }],
  ['http://a.test:443/', { x: '443', y: '443' }],
  ['https://a.test/', { x: '443', y: '443' }],
  ['https://a.test:444/', { x: 'any port' }],
  ['http://a.test:8080/', { x: '8080' }],
  ['http://b.test/', { x: 'b' }],
  ['https://b.test/', undefined],
  ['http://b.test:8080/', undefined],
  ['http://[::1]/', { x: 'six' }],
  ['http://[::1]:8080/', { x: 'six', y: 'six, 8080' }],
  ['http://c.test/', undefined],
  ['http://www.a.test/', undefined],
  ['http://a.test.evil.test/', undefined],
  ['http://c.test/a.test', undefined],
  ['http://w.test/', undefined],
  ['http://c.w.test/', { x: 'wild', z: 'wild' }],
  ['http://a.w.test:81/', { x: 'own', z: 'wild 81' }],
  ['http://c.b.w.test/', { x: 'longer', z: 'wild' }],
  ['http://xw.test/', undefined],
])('headersFor() %s is %j', (url, expected) => {
  expect(headersFor(TABLE, url)).toEqual(expected);
});

describe('firstHop()', () => {
  const defaults = {
    method: 'GET',
    headers: { accept: '*/*', 'x-key': 'default', 'x-job': 'default' },
    hostHeaders: new Map([['a.test', { 'x-key': 'host', 'x-job': 'host', 'x-own': 'host' }]]),
  };
  const job = (part: Partial<Job>): Job => ({
    index: 0,
    source: 'list',
    line: 1,
    url: 'http://a.test/',
    ...part,
  });

  test('prefers headers of the host to the defaults, and those of the job to both', () => {
    expect(firstHop(job({ headers: { 'x-job': 'job' } }), defaults)).toEqual({
      url: 'http://a.test/',
      method: 'GET',
      headers: { accept: '*/*', 'x-key': 'host', 'x-job': 'job', 'x-own': 'host' },
      portable: { accept: '*/*', 'x-key': 'default', 'x-job': 'job' },
    });
  });

  test('copies nothing for another host', () => {
    const hop = firstHop(job({ url: 'http://b.test/' }), defaults);
    expect(hop.headers).toBe(defaults.headers);
    expect(hop.portable).toBeUndefined();
  });
});
