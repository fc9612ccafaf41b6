import { expect, it } from 'vitest';
import { eventText, type RunEvent } from '../../src/model/run-event.ts';

it.each<[RunEvent, string]>([
  [
    { kind: 'request', method: 'GET', url: 'http://a/', outcome: '200', durationMs: 33.7 },
    'GET http://a/: 200 in 34ms',
  ],
  [
    { kind: 'retry', url: 'http://a/', reason: '503 Service Unavailable', delayMs: 1240 },
    'retrying http://a/ in 1.2s: 503 Service Unavailable',
  ],
  [{ kind: 'pause', host: 'http://a', pauseMs: 5000 }, 'pausing http://a for 5.0s, as the server asks'],
  [{ kind: 'limit', host: 'http://a', limit: 1 }, 'limiting http://a to 1 request at once'],
  [{ kind: 'limit', host: 'http://a', limit: 5 }, 'limiting http://a to 5 requests at once'],
  [
    { kind: 'breaker', host: 'http://a', pauseMs: 1000, reason: 'connect ECONNREFUSED' },
    'pausing http://a for 1.0s, since its requests fail: connect ECONNREFUSED',
  ],
  [
    { kind: 'threads', count: 1 },
    'sending requests from 1 thread now: the program was busy, and a core idle',
  ],
  [
    { kind: 'threads', count: 2 },
    'sending requests from 2 threads now: the program was busy, and a core idle',
  ],
  [{ kind: 'down', host: 'http://a', reason: 'no such name' }, 'giving up http://a: no such name'],
])('eventText() of %j', (event, text) => {
  expect(eventText(event)).toBe(text);
});

it('eventText() has no control characters', () => {
  expect(eventText({ kind: 'down', host: 'http://a', reason: 'x\n\u001b[31m' })).toMatch(/^[\x20-\x7e]+$/);
});
