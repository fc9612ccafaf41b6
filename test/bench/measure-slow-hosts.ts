import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row } from './row.ts';
import { runProcess } from './run-process.ts';

export interface SlowHostsBench {
  readonly program: string;
  readonly dir: string;
  readonly rounds: number;
  log(text: string): void;
}

const LIMIT_MS = 120_000;

/** Hosts that are slow, hang or push back, and what they cost the others. */
export async function measureSlowHosts(bench: SlowHostsBench): Promise<Row[]> {
  const origins = await startOrigins();
  try {
    const rows = [
      ...(await measureOrder(bench, origins)),
      ...(await measureHanging(bench, origins)),
      ...(await measureLimited(bench, origins)),
    ];
    for (const { what, figure } of rows) bench.log(`${what}: ${figure}`);
    return rows;
  } finally {
    origins.close();
  }
}

/** 10 hosts with 40 URLs of 200 ms each: the floor is 4 s with two at once to a host. */
async function measureOrder(bench: SlowHostsBench, { slowPort }: Origins): Promise<Row[]> {
  const [hosts, each] = [10, 40];
  const url = (host: number, n: number) => `http://127.0.1.${host}:${slowPort}/slow/200?${n}`;
  const sorted = Array.from({ length: hosts * each }, (_, i) => url(Math.floor(i / each), i));
  const mixed = Array.from({ length: hosts * each }, (_, i) => url(i % hosts, i));
  const flags = ['-c', '20', '--per-host', '2', '--queue-size', '400'];
  const rows: Row[] = [];
  for (const [order, urls] of Object.entries({ sorted, mixed })) {
    let bestMs = Number.POSITIVE_INFINITY;
    for (let round = 1; round <= bench.rounds; round += 1) {
      const { results, wallMs } = await fetchList(bench, urls, flags);
      if (results.some(({ ok }) => !ok)) throw new Error(`a URL of ${order} hosts failed`);
      bestMs = Math.min(bestMs, wallMs);
    }
    rows.push({
      what: `10 hosts × 40 URLs of 200ms, 2 a host, ${order}`,
      figure: seconds(bestMs),
      value: bestMs / 1000,
      target: { is: 'at most', value: 4.4, unit: 's' },
    });
  }
  return rows;
}

/** 2,000 URLs of 20 fast hosts, alone and among 200 of a host that never answers. */
async function measureHanging(bench: SlowHostsBench, { slowPort }: Origins): Promise<Row[]> {
  const flags = ['-c', '32', '--timeout', '2s'];
  const fast = Array.from({ length: 2000 }, (_, i) => `http://127.0.1.${i % 20}:${slowPort}/slow/20?${i}`);
  const mixed = fast.flatMap((url, i) =>
    i % 10 === 0 ? [`http://127.0.2.1:${slowPort}/hang?${i}`, url] : [url],
  );
  const alone = await fetchList(bench, fast, flags);
  const among = await fetchList(bench, mixed, flags);
  for (const { results } of [alone, among]) {
    if (results.filter(({ ok }) => ok).length !== fast.length) throw new Error('a URL of a fast host failed');
  }
  const aloneMs = spanOf(alone.results, ({ ok }) => ok);
  const amongMs = spanOf(among.results, ({ ok }) => ok);
  const afterMs = spanOf(among.results) - amongMs;
  const what = '2,000 fast URLs among 200 that hang';
  return [
    {
      what,
      figure: seconds(amongMs),
      beside: `alone ${seconds(aloneMs)}`,
      value: amongMs / aloneMs,
      target: { is: 'at most', value: 1.3 },
    },
    {
      what: `${what}: the run ends after them`,
      figure: seconds(afterMs),
      value: afterMs / 1000,
      target: { is: 'at most', value: 33, unit: 's' }, // --give-up-after, a pause and a timeout
    },
  ];
}

/** 400 URLs of a host that answers 429 to what is above four at once. */
async function measureLimited(bench: SlowHostsBench, origins: Origins): Promise<Row[]> {
  const urls = Array.from({ length: 400 }, (_, i) => `http://127.0.0.1:${origins.limitedPort}/?${i}`);
  const { results, wallMs } = await fetchList(bench, urls, ['-c', '64']);
  const { requests, refused } = await origins.counts();
  const what = '400 URLs of a host that takes 4 at once';
  return [
    {
      what: `${what}: failed`,
      figure: `${results.filter(({ ok }) => !ok).length} in ${seconds(wallMs)}`,
      value: results.filter(({ ok }) => !ok).length,
      target: { is: 'at most', value: 0 },
    },
    {
      what: `${what}: refused`,
      figure: `${refused} of ${requests}`,
      value: (100 * refused) / requests,
      target: { is: 'at most', value: 15, unit: '%' },
    },
  ];
}

interface FetchedRecord {
  readonly ok: boolean;
  readonly startedAt: string;
  readonly durationMs: number;
}

async function fetchList(bench: SlowHostsBench, urls: readonly string[], flags: readonly string[]) {
  const list = join(bench.dir, 'slow-hosts.txt');
  const output = join(bench.dir, 'slow-hosts.jsonl');
  await writeFile(list, urls.map((url) => `${url}\n`).join(''));
  const { wallMs, stderr } = await runProcess(
    [process.execPath, bench.program, 'fetch', list, ...flags, '--json', '-o', output, '--no-progress'],
    { limitMs: LIMIT_MS },
  );
  const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
  if (lines.length !== urls.length) {
    throw new Error(`fanout wrote ${lines.length} results for ${urls.length} URLs: ${stderr.slice(0, 500)}`);
  }
  return { results: lines.map((line): FetchedRecord => JSON.parse(line)), wallMs };
}

/** Time in ms from the start of the first to the end of the last that counts. */
function spanOf(
  results: readonly FetchedRecord[],
  counts: (one: FetchedRecord) => boolean = () => true,
): number {
  const starts = results.map(({ startedAt }) => Date.parse(startedAt));
  const ends = results.filter(counts).map((one) => Date.parse(one.startedAt) + one.durationMs);
  return Math.max(...ends) - Math.min(...starts);
}

interface Origins {
  readonly slowPort: number;
  readonly limitedPort: number;
  counts(): Promise<{ readonly requests: number; readonly refused: number }>;
  close(): void;
}

async function startOrigins(): Promise<Origins> {
  const child = fork(fileURLToPath(new URL('origin-process.ts', import.meta.url)));
  const [ports] = await once(child, 'message');
  return {
    ...ports,
    counts: async () => {
      child.send('counts');
      return (await once(child, 'message'))[0];
    },
    close: () => child.disconnect(),
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}
