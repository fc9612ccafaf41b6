import { expect, test } from 'vitest';
import { type FanoutOptions, fanout } from '../../src/index.ts';
import { running } from '../http/client.ts';
import { startOrigin } from '../origin/origin.ts';

const MIB = 1024 ** 2;
const WORKERS = 2;
/** Those that workers have, and one that waits for room. */
const OTHERS = WORKERS + 1;

test.each<[string, number, FanoutOptions, number]>([
  ['small jobs', 200, {}, 200],
  ['jobs of 1 MiB', MIB, {}, 32],
  ['jobs of 1 MiB, and twice the length', MIB, { queueSize: 40_000 }, 64],
  ['small jobs, and a length of 50', 200, { queueSize: 50 }, 50],
])('the queue holds few enough %s', async (_, size, options, held) => {
  const origin = await running(startOrigin());
  const id = 'x'.repeat(size);
  let [read, done, most] = [0, 0, 0];
  function* jobs() {
    for (; read < 200; read += 1) {
      most = Math.max(most, read - done);
      yield { url: `${origin.url}/ok?${read}`, id };
    }
  }
  for await (const result of fanout(jobs(), { concurrency: WORKERS, ...options })) {
    expect(result.ok).toBe(true);
    done += 1;
  }
  expect(most).toBeLessThanOrEqual(held + OTHERS);
});
