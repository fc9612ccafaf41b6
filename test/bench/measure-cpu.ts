import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from './contenders.ts';
import { timed } from './cpu-time.ts';
import type { Nginx } from './nginx.ts';
import type { Row } from './row.ts';

export interface CpuBench {
  readonly nginx: Nginx;
  readonly program: string;
  readonly dir: string;
  readonly urls: number;
  readonly rounds: number;
  log(text: string): void;
}

/** A list of URLs of one origin: CPU beside a bare loop of 64 undici clients, in turns. The best round of each counts. */
export async function measureCpu({ nginx, program, dir, urls, rounds, log }: CpuBench): Promise<Row[]> {
  const list = join(dir, 'cpu.txt');
  await writeFile(list, Array.from({ length: urls }, (_, index) => `${nginx.url}?${index}\n`).join(''));
  const loop = fileURLToPath(new URL('bare-loop.js', import.meta.url));
  const output = ['-o', join(dir, 'cpu-results.txt'), '--no-progress'];
  const commands: Readonly<Record<'own' | 'bare', Command>> = {
    own: [process.execPath, program, 'fetch', list, '-c', '64', ...output],
    bare: [process.execPath, loop, nginx.url, `${urls}`],
  };
  const best = { own: Number.POSITIVE_INFINITY, bare: Number.POSITIVE_INFINITY };
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of ['own', 'bare'] as const) {
      const { exitCode, cpuMs } = await timed(commands[name]);
      if (exitCode !== 0) throw new Error(`${commands[name].join(' ')} ended with ${exitCode}`);
      best[name] = Math.min(best[name], cpuMs);
    }
    log(`round ${round}: CPU for each URL, fanout ${micros(best.own)}, bare loop ${micros(best.bare)}`);
  }
  return [
    {
      what: `CPU, ${urls.toLocaleString('en')} URLs of one origin`,
      figure: micros(best.own),
      beside: `64 undici clients ${micros(best.bare)}`,
      value: best.own / best.bare,
      target: { is: 'at most', value: 1.2 },
    },
  ];

  function micros(cpuMs: number): string {
    return `${((cpuMs * 1000) / urls).toFixed(1)}µs`;
  }
}
