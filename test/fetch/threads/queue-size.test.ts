import { expect, it } from 'vitest';
import { resolveRunOptions } from '../../../src/config/library-options.ts';
import { createRequestTemplate } from '../../../src/config/request-template.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { Run } from '../../../src/fetch/run.ts';
import { createThreads } from '../../../src/fetch/threads/threaded-transport.ts';
import type { Job } from '../../../src/model/job.ts';
import { running } from '../../http/client.ts';
import { startOrigin } from '../../origin/origin.ts';

const WORKER = new URL('../../../dist/fetch/threads/worker.js', import.meta.url);
const MIB = 1024 ** 2;

it('threads have at most 32 jobs of 1 MiB without a result', async () => {
  const origin = await running(startOrigin());
  const id = 'x'.repeat(MIB);
  let [read, done, most] = [0, 0, 0];
  function* jobs(): Generator<Job> {
    for (; read < 100; read += 1) {
      most = Math.max(most, read - done);
      yield { index: read, source: 'test', line: read + 1, url: `${origin.url}/ok?${read}`, id };
    }
  }
  const options = resolveRunOptions({ concurrency: 2 }, '1.2.3');
  const run = new Run({
    options,
    defaults: createRequestTemplate(options),
    tls: {},
    proxies: undefined,
    jobs: (async function* () {
      yield jobs();
    })(),
    clock: systemClock,
    random: () => 0.5,
    transport: createThreads({ threads: 2, worker: WORKER }),
  });
  for await (const { ok } of run.results()) {
    expect(ok).toBe(true);
    done += 1;
  }
  expect([done, most]).toEqual([100, expect.closeTo(32, -1)]);
});
