import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resolveRunOptions } from '../../../src/config/library-options.ts';
import { createRequestTemplate } from '../../../src/config/request-template.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { Run } from '../../../src/fetch/run.ts';
import { createThreadBackend } from '../../../src/fetch/threads/coordinator.ts';
import type { Job } from '../../../src/model/job.ts';
import type { Result } from '../../../src/model/result.ts';
import { tempDir } from '../../origin/temp-dir.ts';
import { originsOfTwoThreads } from './origins-of-threads.ts';

const WORKER = new URL('../../../dist/fetch/threads/worker.js', import.meta.url);

/** What a thread runs that dies of a URL with `crash` in it. */
const DYING = `
import { parentPort } from 'node:worker_threads';
const on = parentPort.on.bind(parentPort);
parentPort.on = (name, listener) =>
  on(name, (message) => {
    const { jobs = [], job } = message;
    if ([...jobs, ...(job ? [job] : [])].some(({ job }) => job.url.includes('crash'))) throw new RangeError('a bug');
    listener(message);
  });
await import(${JSON.stringify(WORKER.href)});
`;

/** What a thread runs that gives a result of each job, and dies in the same breath. */
const LAST_WORDS = `
import { parentPort } from 'node:worker_threads';
const status = { inFlight: 0, exhausted: 0, hosts: 0, pausedHosts: 0, dropped: 0 };
parentPort.on('message', ({ jobs = [] }) => {
  if (jobs.length === 0) return;
  const results = jobs.map(({ job }) => ({ ...job, method: 'GET', ok: true, attempts: 1, redirects: [] }));
  parentPort.postMessage({ ...status, results, documents: [], transferred: [], warnings: [], events: [], hasEnded: false });
  throw new RangeError('a bug');
});
`;

interface RunSetup {
  readonly warnings?: string[];
  readonly thread?: string;
  readonly method?: string;
}

async function aRun(jobs: AsyncIterable<Job[]>, setup: RunSetup = {}): Promise<Run> {
  const { warnings = [], thread = DYING, method = 'GET' } = setup;
  const file = join(await tempDir(), 'dying.mjs');
  await writeFile(file, thread);
  const options = resolveRunOptions({ concurrency: 4, method }, '1.2.3');
  return new Run({
    options,
    defaults: createRequestTemplate(options),
    tls: {},
    proxies: undefined,
    jobs,
    clock: systemClock,
    random: Math.random,
    warn: (message) => warnings.push(message),
    backend: createThreadBackend(2, pathToFileURL(file)),
  });
}

function jobsOf(urls: readonly string[], first = 0): Job[] {
  return urls.map((url, at) => ({ index: first + at, source: 'test', line: at + 1, url }));
}

describe('a thread that dies', () => {
  it('fails the document that it was fetching', async () => {
    const jobs = async function* () {
      documents.push(await run.fetchDocument({ url: 'http://127.0.0.1:1/crash' }));
      yield [];
    };
    const documents: Result[] = [];
    const run: Run = await aRun(jobs());
    for await (const _ of run.results()) throw new Error('There is no result');
    expect(documents).toMatchObject([{ ok: false, failure: { kind: 'internal' } }]);
  });

  it('costs the jobs that it held, and another thread takes its hosts', async () => {
    const [a, b] = await originsOfTwoThreads();
    let died = () => {};
    const dead = new Promise<void>((resolve) => {
      died = resolve;
    });
    const warnings: string[] = [];
    const run = await aRun(
      (async function* () {
        const first = [`${a.url}/hang`, `${b.url}/ok?1`, `${a.url}/crash`, `${b.url}/ok?2`, `${a.url}/ok?3`];
        yield jobsOf(first);
        await dead;
        yield jobsOf([`${a.url}/ok?4`, `${b.url}/ok?5`], first.length);
      })(),
      { warnings },
    );
    const results: Result[] = [];
    for await (const result of run.results()) {
      results.push(result);
      if (result.failure !== undefined) died();
    }
    results.sort((one, two) => one.index - two.index);
    expect(results.map(({ index, failure }) => [index, failure?.kind])).toEqual([
      [0, 'internal'],
      [1, undefined],
      [2, 'internal'],
      [3, undefined],
      [4, 'internal'],
      [5, undefined],
      [6, undefined],
    ]);
    expect(results[2]?.failure?.message).toBe('the thread of its host has ended: a bug');
    expect(warnings).toEqual(['a thread has ended, and another takes its hosts: a bug']);
    expect(a.hits('/ok')).toBe(1);
  });

  it('ends the run with its error when it is the last, and every job has its result before', async () => {
    const [a, b] = await originsOfTwoThreads();
    const run = await aRun(
      (async function* () {
        yield jobsOf([`${a.url}/crash`, `${b.url}/crash`]);
        await new Promise(() => {}); // an input that never says another word
      })(),
    );
    const kinds: unknown[] = [];
    const reading = (async () => {
      for await (const { failure } of run.results()) kinds.push(failure?.kind);
    })();
    await expect(reading).rejects.toThrow('every thread has ended; last error: a bug');
    expect(kinds).toEqual(['internal', 'internal']);
  });

  it('has given the results that it told of before', async () => {
    const urls = Array.from({ length: 100 }, (_, n) => `http://${n}.test/`);
    for (let round = 0; round < 5; round += 1) {
      const run = await aRun(
        (async function* () {
          yield jobsOf(urls);
          await new Promise(() => {});
        })(),
        { thread: LAST_WORDS },
      );
      const results: Result[] = [];
      const reading = (async () => {
        for await (const result of run.results()) results.push(result);
      })();
      await expect(reading).rejects.toThrow('every thread has ended');
      expect(results.map(({ index, ok }) => [index, ok]).sort(([a], [b]) => Number(a) - Number(b))).toEqual(
        urls.map((_, index) => [index, true]),
      );
    }
  });

  it('leaves failures with the method of the run', async () => {
    const run = await aRun(
      (async function* () {
        yield jobsOf(['http://a.test/crash']);
        await new Promise(() => {});
      })(),
      { method: 'DELETE' },
    );
    const results: Result[] = [];
    for await (const result of run.results()) {
      results.push(result);
      break;
    }
    expect(results.map(({ method, failure }) => [method, failure?.kind])).toEqual([['DELETE', 'internal']]);
  });
});
