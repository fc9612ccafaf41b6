import { rm, writeFile } from 'node:fs/promises';
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
  readonly flags?: readonly string[];
  /** What the wall time with a number of threads is divided by that with one, at most. */
  readonly targets?: Readonly<Record<string, number>>;
}

const COUNTS = ['1', '2', '4', 'auto'] as const;

/** Several threads beside one, with the origin on the same machine: the best round of each in turns, by CPU and by wall time. */
export async function measureThreads(bench: ThreadsBench): Promise<Row[]> {
  const nginx = await startTlsNginx();
  const { pathname, port } = new URL(nginx.url);
  const secure = `:${nginx.tlsPort}${pathname}`;
  const plain = `:${port}${pathname}`;
  const at = (path: string) => (n: number) => `${nginx.origin}/${path}/${n}`;
  const save = join(bench.dir, 'threads-saved');
  const lists: readonly List[] = [
    {
      what: '2,000 TLS hosts',
      urls: urlsOf(2_000, (n) => `https://${host(n)}${secure}`),
      targets: { 2: 0.75 },
    },
    {
      what: '20,000 URLs of 8 TLS hosts',
      urls: urlsOf(20_000, (n) => `https://${host(n % 8)}${secure}?${n}`),
    },
    {
      what: '30,000 URLs of one host',
      urls: urlsOf(30_000, (n) => `http://${host(0)}${plain}?${n}`),
      targets: { 4: 1 },
    },
    {
      what: '800 gzip bodies of 900 kB',
      urls: urlsOf(800, at('gzip')),
      flags: ['--contains', 'no such text'],
    },
    {
      what: '800 brotli bodies of 900 kB',
      urls: urlsOf(800, at('br')),
      flags: ['--contains', 'no such text'],
    },
    {
      what: '800 bodies of 900 kB, --matches',
      urls: urlsOf(800, at('text')),
      flags: ['--matches', 'line [0-9]+ of (a|no) book'],
    },
    { what: '5,000 bodies of 1 kB saved', urls: urlsOf(5_000, at('small')), flags: ['--save-dir', save] },
  ];
  try {
    const rows: Row[] = [];
    for (const list of lists) rows.push(...(await besideOneThread(bench, list, save)));
    return rows;
  } finally {
    await nginx.close();
  }
}

async function besideOneThread(bench: ThreadsBench, list: List, save: string): Promise<Row[]> {
  const { program, dir, rounds, log } = bench;
  const { what, urls, flags: own = [], targets = {} } = list;
  const file = join(dir, 'threads.txt');
  await writeFile(file, urls.map((url) => `${url}\n`).join(''));
  const flags = ['-k', '-c', '64', '--no-progress', '-o', join(dir, 'threads-results.txt'), ...own];
  const best = new Map(COUNTS.map((count) => [count, { wallMs: Infinity, cpuMs: Infinity }]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [count, known] of best) {
      await rm(save, { recursive: true, force: true });
      const run = await timed([process.execPath, program, 'fetch', file, ...flags, '--threads', count]);
      // Bodies without the text are failures, which cost the same.
      if (run.exitCode !== 0 && run.exitCode !== 1) throw new Error(`fanout ended with ${run.exitCode}`);
      known.wallMs = Math.min(known.wallMs, run.wallMs);
      known.cpuMs = Math.min(known.cpuMs, run.cpuMs);
      log(`round ${round}: ${what}, ${count}: ${seconds(run.wallMs)}, CPU ${seconds(run.cpuMs)}`);
    }
  }
  const one = best.get('1');
  if (one === undefined) return [];
  return COUNTS.slice(1).map((count) => {
    const { wallMs, cpuMs } = best.get(count) ?? one;
    const row = {
      what: `${what}, --threads ${count}`,
      figure: `${seconds(wallMs)}, CPU ${seconds(cpuMs)}`,
      beside: `one ${seconds(one.wallMs)}, CPU ${seconds(one.cpuMs)}`,
      value: wallMs / one.wallMs,
    };
    const target = targets[count];
    return target === undefined ? row : { ...row, target: { is: 'at most', value: target } };
  });
}

function urlsOf(count: number, url: (index: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, index) => url(index));
}

function host(index: number): string {
  return `127.0.${1 + (index >> 8)}.${index & 255}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}
