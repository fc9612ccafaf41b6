import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { timed } from './cpu-time.ts';
import type { Row } from './row.ts';
import { startTlsNginx } from './tls-nginx.ts';

export interface ThreadsBench {
  readonly program: string;
  readonly dir: string;
  readonly rounds: number;
  log(text: string): void;
}

interface List {
  readonly what: string;
  readonly urls: readonly string[];
  /** How much faster two threads have to be. */
  readonly target?: number;
}

/** Two threads beside one, with the origin on the same machine: the best and the median round of each in turns. */
export async function measureThreads(bench: ThreadsBench): Promise<Row[]> {
  const nginx = await startTlsNginx();
  const { pathname, port } = new URL(nginx.url);
  const secure = `:${nginx.tlsPort}${pathname}`;
  const plain = `:${port}${pathname}`;
  const lists: readonly List[] = [
    { what: '6,000 TLS hosts', urls: urlsOf(6_000, (n) => `https://${host(n)}${secure}`), target: 1.15 },
    {
      what: '80,000 URLs of 8 TLS hosts',
      urls: urlsOf(80_000, (n) => `https://${host(n % 8)}${secure}?${n}`),
      target: 1.15,
    },
    { what: '100,000 URLs of 8 hosts', urls: urlsOf(100_000, (n) => `http://${host(n % 8)}${plain}?${n}`) },
    { what: '100,000 URLs of one host', urls: urlsOf(100_000, (n) => `http://${host(0)}${plain}?${n}`) },
  ];
  try {
    const rows: Row[] = [];
    for (const list of lists) rows.push(await besideOneThread(bench, list));
    return rows;
  } finally {
    await nginx.close();
  }
}

async function besideOneThread({ program, dir, rounds, log }: ThreadsBench, list: List): Promise<Row> {
  const file = join(dir, 'threads.txt');
  await writeFile(file, list.urls.map((url) => `${url}\n`).join(''));
  const flags = ['-k', '-c', '64', '--no-progress', '-o', join(dir, 'threads-results.txt')];
  const walls: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 1; round <= rounds; round += 1) {
    for (const threads of [1, 2] as const) {
      const run = await timed([
        process.execPath,
        program,
        'fetch',
        file,
        ...flags,
        '--threads',
        `${threads}`,
      ]);
      if (run.exitCode !== 0) throw new Error(`fanout ended with ${run.exitCode}`);
      walls[threads].push(run.wallMs);
      log(`round ${round}: ${list.what}, ${threads}: ${seconds(run.wallMs)}, CPU ${seconds(run.cpuMs)}`);
    }
  }
  const row = {
    what: `${list.what}: two threads`,
    figure: `${seconds(best(walls[2]))}, median ${seconds(median(walls[2]))}`,
    beside: `one ${seconds(best(walls[1]))}, median ${seconds(median(walls[1]))}`,
    value: best(walls[1]) / best(walls[2]),
  };
  return list.target === undefined ? row : { ...row, target: { is: 'at least', value: list.target } };
}

function urlsOf(count: number, url: (index: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, index) => url(index));
}

function host(index: number): string {
  return `127.0.${1 + (index >> 8)}.${index & 255}`;
}

function best(walls: readonly number[]): number {
  return Math.min(...walls);
}

function median(walls: readonly number[]): number {
  return walls.toSorted((a, b) => a - b)[walls.length >> 1] ?? Number.NaN;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}
