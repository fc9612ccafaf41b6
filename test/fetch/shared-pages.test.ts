import { describe, expect, it } from 'vitest';
import type { RunOptions } from '../../src/config/run-options.ts';
import { SharedPages } from '../../src/fetch/shared-pages.ts';
import { unsentResult } from '../../src/fetch/task-result.ts';
import type { Job } from '../../src/model/job.ts';
import type { Result } from '../../src/model/result.ts';

const job = (index: number, url: string, more: Partial<Job> = {}): Job => ({
  index,
  source: 'list',
  line: index + 1,
  url,
  ...more,
});
const resultOf = (one: Job): Result => unsentResult(one, 'GET', { kind: 'reset', message: '' }, 0);

/** The pages of a run with room for four jobs that wait. */
function createPages(parts: Partial<ConstructorParameters<typeof SharedPages>[0]> = {}, options = {}) {
  return new SharedPages({
    options: { queueSize: 4, ...options } as RunOptions, // no other option is used
    defaults: { method: 'GET', headers: {} },
    isUnshared: false,
    ...parts,
  });
}

/** Takes the jobs that are to be fetched as the run does, until it would have to wait. */
async function take(source: AsyncGenerator<Iterable<Job>>, taken: Job[]): Promise<void> {
  for await (const batch of source) for (const one of batch) taken.push(one);
}

/** The list, which counts the jobs that were read. */
function aList(urls: readonly string[]) {
  const read: Job[] = [];
  async function* batches() {
    function* all() {
      for (const [index, url] of urls.entries()) {
        const one = job(index, url);
        read.push(one);
        yield one;
      }
    }
    yield all();
  }
  return { read, batches: batches() };
}

const turns = async () => {
  for (let count = 0; count < 20; count += 1) await Promise.resolve();
};

describe('SharedPages', () => {
  it('fetches the first job of a page without its fragment, and gives a result to each', async () => {
    const pages = createPages();
    const taken: Job[] = [];
    await take(pages.jobs(aList(['http://a/#1', 'http://a/#2', 'http://b/', 'http://a/']).batches), taken);
    expect(taken.map(({ url }) => url)).toEqual(['http://a/', 'http://b/']);
    const [page] = taken;
    const results = page === undefined ? [] : [...pages.resultsOf(resultOf(page))];
    expect(results.map(({ url, index, line }) => [url, index, line])).toEqual([
      ['http://a/#1', 0, 1],
      ['http://a/#2', 1, 2],
      ['http://a/', 3, 4],
    ]);
    expect(page && pages.isPage(resultOf(page))).toBe(false);
  });

  it('stops reading while as many jobs wait as the queue holds', async () => {
    const pages = createPages();
    const list = aList(Array.from({ length: 100 }, (_, at) => `http://a/#${at}`));
    const taken: Job[] = [];
    const taking = take(pages.jobs(list.batches), taken);
    await turns();
    expect([list.read.length, taken.length]).toEqual([5, 1]);
    expect([...pages.resultsOf(resultOf(job(0, 'http://a/')))]).toHaveLength(5);
    await taking;
    // The page is known now.
    expect([list.read.length, taken.length]).toEqual([100, 96]);
    expect(taken.slice(1).every((one) => pages.recall(one)?.url === one.url)).toBe(true);
  });

  it('ends the wait when the run stops, and names the jobs without a result', async () => {
    const pages = createPages();
    const taken: Job[] = [];
    const taking = take(pages.jobs(aList(Array(100).fill('http://a/#1')).batches), taken);
    await turns();
    pages.stop();
    await taking;
    expect(pages.withoutResult(taken).map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
  });

  it('waits for the admission of each job, and names one that was not admitted', async () => {
    const admitted: number[] = [];
    let release = () => {};
    const pages = createPages({
      admit: ({ index }) => {
        admitted.push(index);
        return index === 2 ? new Promise<void>((resolve) => (release = resolve)) : undefined;
      },
    });
    const taken: Job[] = [];
    const urls = ['http://a/#1', 'http://a/#2', 'http://a/#3', 'http://b/'];
    const taking = take(pages.jobs(aList(urls).batches), taken);
    await turns();
    expect([admitted, taken.length]).toEqual([[0, 1, 2], 1]);
    expect(pages.withoutResult(taken).map(({ index }) => index)).toEqual([0, 1, 2]);
    release();
    await taking;
    expect([admitted, taken.map(({ url }) => url)]).toEqual([
      [0, 1, 2, 3],
      ['http://a/', 'http://b/'],
    ]);
  });

  it('asks for earlier results once for each job, with its fragment, in order', async () => {
    const asked: string[] = [];
    const pages = createPages({
      recall: (one) => {
        asked.push(one.url);
        return one.index === 1 ? { ...resultOf(one), isResumed: true } : undefined;
      },
    });
    const taken: Job[] = [];
    await take(pages.jobs(aList(['http://a/#1', 'http://a/#2', 'http://a/#3']).batches), taken);
    expect(asked).toEqual(['http://a/#1', 'http://a/#2', 'http://a/#3']);
    expect(taken.map((one) => [one.url, pages.recall(one)?.isResumed])).toEqual([
      ['http://a/', undefined],
      ['http://a/#2', true],
    ]);
  });

  it.each([
    ['whose bodies are saved', {}, { saveDir: 'out' }],
    ['whose bodies are kept', {}, { keepsBuffers: true }],
    ['of a cluster', { isUnshared: true }, {}],
    ['that are POST requests', { defaults: { method: 'POST', headers: {} } }, {}],
  ])('leaves jobs %s as they are', async (_, parts, options) => {
    const urls = ['http://a/#1', 'http://a/#2'];
    const taken: Job[] = [];
    await take(createPages(parts, options).jobs(aList(urls).batches), taken);
    expect(taken.map(({ url }) => url)).toEqual(urls);
  });

  it('remembers a limited number of pages', async () => {
    const pages = createPages();
    const urls = Array.from({ length: 1_001 }, (_, at) => `http://a/${at}`);
    const taken: Job[] = [];
    await take(pages.jobs(aList(urls).batches), taken);
    for (const one of taken) expect([...pages.resultsOf(resultOf(one))]).toHaveLength(1);
    const again: Job[] = [];
    await take(pages.jobs(aList(['http://a/0#b', 'http://a/1000#b']).batches), again);
    expect(again.map((one) => pages.recall(one)?.url)).toEqual([undefined, 'http://a/1000#b']);
  });
});
