import { writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resolveRunOptions } from '../../../src/config/library-options.ts';
import { createRequestTemplate } from '../../../src/config/request-template.ts';
import { type LoadMeter, systemClock, systemLoad } from '../../../src/core/clock.ts';
import { ThreadNeed } from '../../../src/fetch/process-resources.ts';
import { Run } from '../../../src/fetch/run.ts';
import { createThreads } from '../../../src/fetch/threads/threaded-transport.ts';
import type { Job } from '../../../src/model/job.ts';
import type { Result } from '../../../src/model/result.ts';
import type { RunEvent } from '../../../src/model/run-event.ts';
import { filesIn } from '../../bodies/a-saver.ts';
import { anOrigin, urls } from '../../cli/an-origin.ts';
import { running } from '../../http/client.ts';
import { listen } from '../../origin/listen.ts';
import { tempDir } from '../../origin/temp-dir.ts';

const WORKER = new URL('../../../dist/fetch/threads/worker.js', import.meta.url);

describe('ThreadNeed', () => {
  it.each<[string, (readonly [busyShare: number, idleCores: number])[], boolean[]]>([
    ['busy twice', [[1, 1], [0.9, 0.75]], [false, true]],
    ['busy once', [[1, 1], [0.89, 1], [1, 1]], [false, false, false]],
    ['busy without an idle core', [[1, 0], [1, 0.7], [1, 0.1]], [false, false, false]],
    ['idle', [[0, 2], [0.5, 2]], [false, false]],
    ['busy for long: one thread for two looks', [[1, 1], [1, 1], [1, 1], [1, 1]], [false, true, false, true]],
  ])('%s', (_, loads, needs) => {
    const need = new ThreadNeed();
    expect(loads.map(([busyShare, idleCores]) => need.update(busyShare, idleCores))).toEqual(needs);
  }); // biome-ignore format: a table
});

it('systemLoad() measures a busy loop and cores', () => {
  const load = systemLoad();
  load.busyShare();
  load.idleCores();
  const end = performance.now() + 50;
  while (performance.now() < end);
  expect(load.cores).toBeGreaterThanOrEqual(1);
  expect(load.busyShare()).toBeGreaterThan(0.9);
  const idle = load.idleCores();
  expect(idle).toBeGreaterThanOrEqual(0);
  expect(idle).toBeLessThanOrEqual(load.cores);
});

/** A machine that is always like this. `onLook` gets the number of looks at it. */
function always(
  busyShare: number,
  idleCores: number,
  cores = 2,
  onLook?: (looks: number) => void,
): LoadMeter {
  let looks = 0;
  return {
    cores,
    busyShare: () => {
      looks += 1;
      onLook?.(looks);
      return busyShare;
    },
    idleCores: () => idleCores,
  };
}

interface Setup {
  readonly load: LoadMeter;
  readonly options?: Parameters<typeof resolveRunOptions>[0];
  readonly onThreads?: (count: number) => void;
  readonly worker?: URL;
}

/** Fetches the URLs with `--threads auto`. Returns the results, in order, and the numbers of threads that were reported. */
async function fetchAuto(
  list: readonly string[],
  { load, options: given, onThreads, worker = WORKER }: Setup,
) {
  const options = resolveRunOptions({ concurrency: 8, retries: 0, threads: 'auto', ...given }, '1.2.3');
  const counts: number[] = [];
  const results: Result[] = [];
  const run = new Run({
    options,
    defaults: createRequestTemplate(options),
    tls: {},
    proxies: undefined,
    jobs: (async function* (): AsyncGenerator<Job[]> {
      yield list.map((url, index) => ({ index, source: 'test', line: index + 1, url }));
    })(),
    clock: systemClock,
    random: () => 0.5,
    reportsUnfetched: true,
    log: {
      hasRequests: false,
      write: (event: RunEvent) => {
        if (event.kind !== 'threads') return;
        counts.push(event.count);
        onThreads?.(event.count);
      },
    },
    transport: createThreads({ threads: 'auto', worker, load, lookMs: 5 }),
  });
  for await (const result of run.results()) results.push(result);
  return { results: results.sort((one, two) => one.index - two.index), counts };
}

/** An origin that holds each response until `release()` is called. */
async function aHoldingOrigin() {
  const held: ServerResponse[] = [];
  let isReleased = false;
  /** The connections before and after the release. */
  const [before, after] = [new Set<object>(), new Set<object>()];
  const server = createServer((request, response) => {
    (isReleased ? after : before).add(request.socket);
    if (isReleased) response.end('ok');
    else held.push(response);
  });
  const { authority } = await running(listen(server));
  return {
    url: `http://${authority}`,
    before,
    after,
    release() {
      isReleased = true;
      for (const response of held) response.end('ok');
    },
  };
}

describe('--threads auto', () => {
  it('sends requests from a thread when the program is busy and a core is idle', async () => {
    const origin = await aHoldingOrigin();
    // Busy as soon as all workers wait for the origin.
    const load = { ...always(1, 1), busyShare: () => (origin.before.size === 8 ? 1 : 0) };
    const { results, counts } = await fetchAuto(urls(origin, '/a', 48), { load, onThreads: origin.release });
    expect(counts).toEqual([1]);
    expect(results.map(({ ok }) => ok)).toEqual(results.map(() => true));
    expect(results).toHaveLength(48);
    expect(origin.before.size).toBe(8);
    expect(origin.after.size).toBeGreaterThan(0);
    expect([...origin.after].filter((socket) => origin.before.has(socket))).toEqual([]);
  });

  it.each([
    ['the program is not busy', 0.5, 1],
    ['no core is idle', 1, 0.5],
  ])('starts no thread if %s', async (_, busyShare, idleCores) => {
    const origin = await aHoldingOrigin();
    const load = always(busyShare, idleCores, 2, (looks) => looks === 5 && origin.release());
    const { results, counts } = await fetchAuto(urls(origin, '/a', 48), { load });
    expect(counts).toEqual([]);
    expect(results.map(({ ok }) => ok)).toEqual(Array.from({ length: 48 }, () => true));
  });

  it('does not look at the load of a machine with one core', async () => {
    const origin = await anOrigin();
    const load = always(1, 1, 1, () => expect.unreachable());
    const { results, counts } = await fetchAuto(urls(origin, '/ok', 48), { load });
    expect([counts, results.filter(({ ok }) => ok).length]).toEqual([[], 48]);
  });

  it('saves a URL that is in the list many times to one file, also while it starts a thread', async () => {
    const origin = await aHoldingOrigin();
    const saveDir = join(await tempDir(), 'out');
    const list = Array.from({ length: 40 }, () => `${origin.url}/same`);
    const load = always(1, 1);
    const { results, counts } = await fetchAuto(list, {
      load,
      onThreads: origin.release,
      options: { saveDir },
    });
    expect([counts, results.filter(({ ok }) => ok).length]).toEqual([[1], 40]);
    const paths = new Set(results.map(({ body }) => body?.path));
    expect([paths.size, (await filesIn(saveDir)).length]).toEqual([1, 1]);
  });

  it('goes on without threads when the one that it has started dies again and again', async () => {
    const origin = await aHoldingOrigin();
    const file = join(await tempDir(), 'dying.mjs');
    await writeFile(file, 'process.exit(7);');
    const { results, counts } = await fetchAuto(urls(origin, '/a', 48), {
      load: always(1, 1),
      onThreads: origin.release,
      worker: pathToFileURL(file),
    });
    expect(counts[0]).toBe(1);
    expect(results.map(({ ok, failure }) => ok || failure?.kind === 'internal')).toEqual(
      results.map(() => true),
    );
    expect(results).toHaveLength(48);
  });
});
