import { expect, test } from 'vitest';
import { Fetcher } from '../../src/fetch/fetcher.ts';
import { RequestTask } from '../../src/fetch/request-task.ts';
import { HostRegistry } from '../../src/hosts/host-registry.ts';
import type { AttemptOutcome } from '../../src/http/attempt.ts';
import type { RunEvent } from '../../src/model/run-event.ts';
import { aValidator } from './a-validator.ts';
import { FakeTransport, stepOf } from './fake-transport.ts';

/** The events of one URL with these outcomes, one after the other. */
async function logged(outcomes: readonly Partial<AttemptOutcome>[], hasRequests: boolean) {
  const events: RunEvent[] = [];
  const log = { write: (event: RunEvent) => events.push(event), hasRequests };
  const unlimited = Number.POSITIVE_INFINITY;
  const limits = { perHost: 9, concurrency: 9, perMs: unlimited, totalPerMs: unlimited };
  const hosts = new HostRegistry({ ...limits, breakerThreshold: 0, giveUpAfterMs: 30_000, window: 9 });
  const fetcher = new Fetcher({
    transport: new FakeTransport(...outcomes),
    hosts,
    policy: {
      maxRedirects: 10,
      retries: 9,
      retryStatuses: new Set([503]),
      retriesNetworkFailures: true,
      retriesAllMethods: false,
      isLenient: true,
      headFallsBack: true,
      maxRetryAfterMs: 60_000,
    },
    validator: aValidator(),
    hasMore: () => true,
    isStopping: () => false,
    now: () => 0,
    random: () => 0.5,
    log,
  });
  const job = { index: 0, source: 'list', line: 1, url: 'http://a.test/x' };
  const task = new RequestTask(job, { method: 'GET', headers: {} });
  for (const _ of outcomes) {
    hosts.onDispatch(task.host, 0);
    await stepOf(fetcher, task);
  }
  return events;
}

const responded = (status: number, statusText: string): Partial<AttemptOutcome> => ({
  response: { status, statusText, headers: {}, bytes: 0, isTruncated: false },
});

const REFUSED: Partial<AttemptOutcome> = {
  failed: { failure: { kind: 'connect', message: 'connect ECONNREFUSED' }, isRetryable: true },
};

const OUTCOMES = [responded(503, 'Service Unavailable'), REFUSED, responded(200, 'OK')];

test('the log has each retry with its reason and delay', async () => {
  const url = 'http://a.test/x';
  expect(await logged(OUTCOMES, false)).toEqual([
    { kind: 'retry', url, reason: '503 Service Unavailable', delayMs: expect.any(Number) },
    { kind: 'retry', url, reason: 'connect ECONNREFUSED', delayMs: expect.any(Number) },
  ]);
});

test('the log has each request if it is wanted', async () => {
  const events = await logged(OUTCOMES, true);
  const requests = events.flatMap((event) =>
    event.kind === 'request' ? [[event.method, event.url, event.outcome]] : [],
  );
  expect(requests).toEqual([
    ['GET', 'http://a.test/x', '503'],
    ['GET', 'http://a.test/x', 'connect ECONNREFUSED'],
    ['GET', 'http://a.test/x', '200'],
  ]);
});
