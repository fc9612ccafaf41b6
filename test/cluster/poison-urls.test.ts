import { expect, it } from 'vitest';
import { LeasedChunk } from '../../src/cluster/chunk.ts';
import { fetchSerially } from '../../src/cluster/poison-urls.ts';
import type { Job } from '../../src/model/job.ts';
import { okResult } from '../model/a-result.ts';

const JOBS: readonly Job[] = [0, 1, 2].map((index) => ({
  index,
  source: 'urls.txt',
  line: index + 1,
  url: `https://example.com/${index}`,
}));

/** The state of a chunk that was redelivered again and again, and the workers that got it. */
function aSuspectedChunk() {
  const states = new Map<string, unknown>();
  const deadLetters: number[] = [];
  const engine = {
    state: async (key: string) => states.get(key),
    setState: async (key: string, value: unknown) => void states.set(key, value),
    addDeadLetter: async ({ index }: { readonly index: number }) => void deadLetters.push(index),
  };
  /** A worker that dies at the job `deadly`, or is stopped at `last`. Resolves to whether each of its results is OK. */
  const work = async ({ deadly, last }: { readonly deadly?: number; readonly last?: number } = {}) => {
    const delivery = { id: 7, partition: 0, deliveries: 9, body: new Uint8Array() };
    const chunk = new LeasedChunk(
      { ...delivery, extend: async () => {}, ack: async () => {}, giveBack: () => {}, bury: async () => {} },
      JOBS,
      'host-1',
    );
    const leaving = new AbortController();
    await fetchSerially(chunk, { engine, now: () => 0 }, leaving.signal, async ({ index }) => {
      if (index === deadly) throw new Error('killed');
      if (index !== last) return chunk.add(okResult({ index }));
      leaving.abort();
      chunk.isLost = true;
    }).catch(() => {});
    return chunk.results.map(({ ok }) => ok);
  };
  return { work, deadLetters };
}

it('fetchSerially() gives up a URL at which two workers died, and fetches the others', async () => {
  const { work, deadLetters } = aSuspectedChunk();
  for (let deaths = 0; deaths < 2; deaths++) expect(await work({ deadly: 1 })).toEqual([true]);
  expect(await work()).toEqual([true, false, true]);
  expect(deadLetters).toEqual([1]);
});

it('fetchSerially() blames no URL for a worker that had fetched all and could not store them', async () => {
  const { work, deadLetters } = aSuspectedChunk();
  for (let round = 0; round < 5; round++) expect(await work()).toEqual([true, true, true]);
  expect(deadLetters).toEqual([]);
});

it('fetchSerially() blames no URL for a worker that was stopped while it fetched it', async () => {
  const { work, deadLetters } = aSuspectedChunk();
  for (let round = 0; round < 5; round++) expect(await work({ last: 1 })).toEqual([true]);
  expect(await work()).toEqual([true, true, true]);
  expect(deadLetters).toEqual([]);
});
