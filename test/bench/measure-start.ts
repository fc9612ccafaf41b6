import type { Command } from './contenders.ts';
import type { Nginx } from './nginx.ts';
import type { Row } from './row.ts';
import { runProcess } from './run-process.ts';

export interface StartBench {
  readonly nginx: Nginx;
  readonly program: string;
  readonly rounds: number;
  log(text: string): void;
}

const LIMIT_MS = 30_000;

/** How long the shortest runs take, beside a Node that does nothing. */
export async function measureStart(bench: StartBench): Promise<Row[]> {
  const commands: readonly Command[] = [
    [process.execPath, '-e', '0'],
    [process.execPath, bench.program, '--version'],
    [process.execPath, bench.program, 'fetch', bench.nginx.url],
  ];
  const best = commands.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const [index, command] of commands.entries()) {
      const { exitCode, wallMs } = await runProcess(command, { limitMs: LIMIT_MS });
      if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}`);
      best[index] = Math.min(best[index] ?? wallMs, wallMs);
    }
  }
  const [node = Number.NaN, version = Number.NaN, oneUrl = Number.NaN] = best;
  const beside = `node -e 0 ${milliseconds(node)}`;
  bench.log(`start-up: --version ${milliseconds(version)}, one URL ${milliseconds(oneUrl)}, ${beside}`);
  return [
    {
      what: 'fanout --version',
      figure: milliseconds(version),
      beside,
      value: version / node,
      target: { is: 'at most', value: 1.5 },
    },
    {
      what: 'one URL',
      figure: milliseconds(oneUrl),
      beside,
      value: oneUrl / node,
      target: { is: 'at most', value: 2.2 },
    },
  ];
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(0)}ms`;
}
