import { existsSync } from 'node:fs';
import type { Command } from './contenders.ts';
import { runProcess } from './run-process.ts';

export interface TimedReport {
  readonly exitCode: number | null;
  readonly wallMs: number;
  /** User and system time of the process in ms. */
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

const GNU_TIME = '/usr/bin/time';
const LIMIT_MS = 600_000;

/** Runs a command to its end, and says how much of the processor and of memory it took. */
export async function timed(command: Command): Promise<TimedReport> {
  if (!existsSync(GNU_TIME)) throw new Error(`${GNU_TIME} is missing: apt-get install time`);
  const { exitCode, wallMs, stderr } = await runProcess([GNU_TIME, '-f', '%U %S %M', ...command], {
    limitMs: LIMIT_MS,
  });
  const [user = Number.NaN, system = Number.NaN, kilobytes = Number.NaN] = (
    stderr.trimEnd().split('\n').at(-1) ?? ''
  )
    .split(' ')
    .map(Number);
  return { exitCode, wallMs, cpuMs: (user + system) * 1000, peakRssBytes: kilobytes * 1024 };
}
