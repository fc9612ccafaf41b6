import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Nginx } from './nginx.ts';
import type { Row } from './row.ts';
import { runProcess } from './run-process.ts';

export interface DnsBench {
  readonly nginx: Nginx;
  readonly program: string;
  readonly dir: string;
  readonly rounds: number;
  log(text: string): void;
}

const NAMES = 5_000;
const LATENCY_MS = 50;
const CONCURRENCY = 256;
const LIMIT_MS = 120_000;

/**
 * Distinct names through a name server with a latency, one URL for each; the best round counts. Beside it stands the
 * same list with every address given, which shows what a new host costs without DNS.
 */
export async function measureDns(bench: DnsBench): Promise<Row[]> {
  const names = await startNameServer(LATENCY_MS);
  try {
    const list = join(bench.dir, 'names.txt');
    const { pathname, port } = new URL(bench.nginx.url);
    const urls = Array.from({ length: NAMES }, (_, n) => `http://n${n}.bench.test:${port}${pathname}\n`);
    await writeFile(list, urls.join(''));
    let bestMs = Number.POSITIVE_INFINITY;
    let bestGivenMs = Number.POSITIVE_INFINITY;
    for (let round = 1; round <= bench.rounds; round += 1) {
      const before = await names.queries();
      const wallMs = await fetchOnce(bench, list, ['--dns-server', names.address]);
      const queries = (await names.queries()) - before;
      if (queries < NAMES) throw new Error(`fanout asked ${queries} times for ${NAMES} names`);
      const givenMs = await fetchOnce(bench, list, ['--resolve', `*:${port}:127.0.0.1`]);
      bench.log(`round ${round}: ${rate(wallMs)} with ${queries} queries, ${rate(givenMs)} with none`);
      bestMs = Math.min(bestMs, wallMs);
      bestGivenMs = Math.min(bestGivenMs, givenMs);
    }
    return [
      {
        what: `${NAMES.toLocaleString('en')} names, ${LATENCY_MS}ms of DNS, -c ${CONCURRENCY}`,
        figure: rate(bestMs),
        beside: `addresses given ${rate(bestGivenMs)}`,
        value: (NAMES * 1000) / bestMs,
        target: { is: 'at least', value: 1_500, unit: 'hosts/s' },
      },
    ];
  } finally {
    names.close();
  }
}

async function fetchOnce({ program, dir }: DnsBench, list: string, dns: readonly string[]): Promise<number> {
  const output = join(dir, 'names-results.txt');
  const flags = ['-c', `${CONCURRENCY}`, ...dns, '-o', output, '--no-progress'];
  const { exitCode, stderr, wallMs } = await runProcess(
    [process.execPath, program, 'fetch', list, ...flags],
    {
      limitMs: LIMIT_MS,
    },
  );
  const good = (await readFile(output, 'utf8')).split('\n').filter((line) => line.startsWith('OK ')).length;
  if (exitCode !== 0 || good !== NAMES) {
    throw new Error(`fanout ended with ${exitCode} and ${good} good results: ${stderr.slice(0, 500)}`);
  }
  return wallMs;
}

function rate(wallMs: number): string {
  return `${Math.round((NAMES * 1000) / wallMs).toLocaleString('en')} hosts/s`;
}

async function startNameServer(latencyMs: number) {
  const script = fileURLToPath(new URL('name-server-process.ts', import.meta.url));
  const child = fork(script, [`${latencyMs}`]);
  const [port] = await once(child, 'message');
  return {
    address: `127.0.0.1:${port}`,
    queries: async (): Promise<number> => {
      child.send('queries');
      const [count] = await once(child, 'message');
      return Number(count);
    },
    close: () => child.disconnect(),
  };
}
