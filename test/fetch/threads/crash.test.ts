import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ResourceLimits } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { resolveRunOptions } from '../../../src/config/library-options.ts';
import { createRequestTemplate } from '../../../src/config/request-template.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { Run } from '../../../src/fetch/run.ts';
import { createThreads } from '../../../src/fetch/threads/threaded-transport.ts';
import type { Job } from '../../../src/model/job.ts';
import type { Result } from '../../../src/model/result.ts';
import { anOrigin } from '../../cli/an-origin.ts';
import { tempDir } from '../../origin/temp-dir.ts';

const WORKER = new URL('../../../dist/fetch/threads/worker.js', import.meta.url);

/** What a thread runs that ends in `HOW` when it is to send a request to a URL with `crash` in it. */
function dying(how: string): string {
  return `
import { parentPort } from 'node:worker_threads';
const on = parentPort.on.bind(parentPort);
parentPort.on = (name, listener) =>
  on(name, (message) => {
    const { attempts = [] } = message;
    if (attempts.some((cell) => String(cell).includes('crash'))) { ${how} }
    listener(message);
  });
await import(${JSON.stringify(WORKER.href)});
`;
}

const FILLS_MEMORY = 'const all = []; for (;;) all.push(Array.from({ length: 1000 }, () => ({})));';
const THROWS = `throw new RangeError('a bug');`;

/** What a thread runs that ends when it is to complete or discard a body. */
const DYING_OF_BODIES = `
import { parentPort } from 'node:worker_threads';
import { existsSync, writeFileSync } from 'node:fs';
const on = parentPort.on.bind(parentPort);
parentPort.on = (name, listener) =>
  on(name, (message) => {
    const mark = new URL('./died-once', import.meta.url);
    if (message.bodies.length > 0 && !existsSync(mark)) { writeFileSync(mark, ''); ${THROWS} }
    listener(message);
  });
await import(${JSON.stringify(WORKER.href)});
`;

interface RunSetup {
  readonly warnings?: string[];
  readonly thread?: string;
  readonly options?: Parameters<typeof resolveRunOptions>[0];
  readonly threads?: number;
  readonly resourceLimits?: ResourceLimits;
}

async function aRun(jobs: AsyncIterable<Job[]>, setup: RunSetup = {}): Promise<Run> {
  const { warnings = [], thread = dying(THROWS), options: given, threads = 2, resourceLimits = {} } = setup;
  const file = join(await tempDir(), 'dying.mjs');
  await writeFile(file, thread);
  let chance = 0;
  const options = resolveRunOptions({ concurrency: 8, retries: 0, ...given }, '1.2.3');
  return new Run({
    options,
    defaults: createRequestTemplate(options),
    tls: {},
    proxies: undefined,
    jobs,
    clock: systemClock,
    random: () => {
      chance = (chance + 0.37) % 1;
      return chance;
    },
    reportsUnfetched: true,
    warn: (message) => warnings.push(message),
    transport: createThreads({ threads, worker: pathToFileURL(file), resourceLimits }),
  });
}

async function* listOf(urls: readonly string[]): AsyncGenerator<Job[]> {
  yield urls.map((url, index) => ({ index, source: 'test', line: index + 1, url }));
}

async function resultsOf(run: Run): Promise<Result[]> {
  const results: Result[] = [];
  for await (const result of run.results()) results.push(result);
  return results.sort((one, two) => one.index - two.index);
}

describe('a thread that dies', () => {
  it.each([
    ['an error that nobody catches', THROWS, 'a bug'],
    ['process.exit()', 'process.exit(7);', 'it has ended with 7'],
    ['a lack of memory', FILLS_MEMORY, 'memory limit'],
  ])('of %s costs only a retry of what was in flight in it, and is replaced: %s', async (_, how, reason) => {
    const origin = await anOrigin();
    const warnings: string[] = [];
    const others = Array.from({ length: 7 }, (_, n) => `${origin.url}/ok?${n}`);
    const run = await aRun(listOf([`${origin.url}/crash`, ...others]), {
      warnings,
      thread: dying(how),
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    const results = await resultsOf(run);
    expect(results.map(({ ok, attempts, failure }) => [ok, attempts, failure?.kind])).toEqual([
      [false, 1, 'internal'],
      ...others.map(() => [true, 1, undefined]),
    ]);
    expect(results[0]?.failure?.message).toContain(`the thread of its connection has ended: `);
    expect(results[0]?.failure?.message).toContain(reason);
    expect(warnings).toHaveLength(4);
    expect(warnings[0]).toContain('a thread has ended and is replaced; its requests are sent again: ');
  });

  it('takes no other request with it again and again, also if it starts so slowly that all reach it together', async () => {
    const origin = await anOrigin();
    const others = Array.from({ length: 7 }, (_, n) => `${origin.url}/ok?${n}`);
    const thread = `await new Promise((resolve) => setTimeout(resolve, 2_500));${dying(THROWS)}`;
    const run = await aRun(listOf([`${origin.url}/crash`, ...others]), { thread, threads: 1 });
    const results = await resultsOf(run);
    expect(results.map(({ ok }) => ok)).toEqual([false, ...others.map(() => true)]);
  });

  it('has a document fetched again', async () => {
    const origin = await anOrigin();
    const jobs = async function* () {
      documents.push(await run.fetchDocument({ url: `${origin.url}/ok` }));
      yield [];
    };
    const documents: Result[] = [];
    const run: Run = await aRun(jobs(), { thread: DYING_OF_BODIES });
    for await (const _ of run.results()) throw new Error('There is no result');
    expect(documents).toMatchObject([{ ok: true, attempts: 1 }]);
  });

  it('has a body saved again that it kept, and leaves no other file', async () => {
    const origin = await anOrigin();
    const saveDir = join(await tempDir(), 'out');
    const warnings: string[] = [];
    const options = { saveDir } as object;
    const run = await aRun(listOf([`${origin.url}/bytes/1000`]), {
      thread: DYING_OF_BODIES,
      options,
      warnings,
    });
    expect(await resultsOf(run)).toMatchObject([{ ok: true, body: { bytes: 1000 } }]);
    expect([warnings.length, origin.requests]).toEqual([1, 2]);
  });

  it('fails a request that must not be sent twice', async () => {
    const origin = await anOrigin();
    const run = await aRun(listOf([`${origin.url}/crash`]), { options: { method: 'POST' } });
    expect(await resultsOf(run)).toMatchObject([
      { ok: false, method: 'POST', attempts: 1, failure: { kind: 'internal' } },
    ]);
  });

  it('ends the run with its error when no more are replaced, and every job is accounted for', async () => {
    const origin = await anOrigin();
    const urls = Array.from({ length: 40 }, (_, n) => `${origin.url}/crash?${n}`);
    const warnings: string[] = [];
    const run = await aRun(listOf(urls), { warnings, options: { concurrency: 1 } });
    const kinds: unknown[] = [];
    const reading = (async () => {
      for await (const { failure } of run.results()) kinds.push(failure?.kind);
    })();
    await expect(reading).rejects.toThrow('every thread has ended; last error: a bug');
    expect([kinds.length, kinds.every((kind) => kind === 'internal' || kind === 'aborted')]).toEqual([
      40,
      true,
    ]);
    expect(warnings.map((text) => text.split(':')[0])).toEqual([
      ...Array.from({ length: 16 }, () => 'a thread has ended and is replaced; its requests are sent again'),
      'a thread has ended, and others take its hosts',
    ]);
  });
});
