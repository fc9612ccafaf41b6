import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

/** The program as it was at one moment. */
export interface Sample {
  /** Since its start. */
  readonly seconds: number;
  readonly rssBytes: number;
  readonly descriptors: number;
  /** Time for which the event loop was kept from its timers in the second before, in ms. */
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
}

export interface SampledRun {
  readonly samples: readonly Sample[];
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly wallMs: number;
}

const PROBE = fileURLToPath(new URL('lag-probe.js', import.meta.url));
const STDERR_CHARACTERS = 1_000_000;

/** Runs the program over a list on its standard input, and takes a sample each second. It is killed after `limitMs`. */
export async function sampledRun(
  args: readonly string[],
  list: Iterable<string>,
  limitMs: number,
): Promise<SampledRun> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', PROBE, ...args], {
    stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
  });
  const { stdin, stderr, pid } = child;
  if (stdin === null || stderr === null || pid === undefined) throw new Error('the program was not started');
  const samples: Sample[] = [];
  let text = '';
  stderr.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(-STDERR_CHARACTERS);
  });
  child.on('message', ({ p99, max }: { p99: number; max: number }) => {
    const seconds = (performance.now() - started) / 1000;
    samples.push({ seconds, ...residents(pid), lagP99Ms: p99, lagMaxMs: max });
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
  try {
    // A program that ends before its list is judged by its exit code.
    const feeding = pipeline(Readable.from(list), stdin).catch(() => {});
    await Promise.all([once(child, 'close'), feeding]);
    return { samples, exitCode: child.exitCode, stderr: text, wallMs: performance.now() - started };
  } finally {
    clearTimeout(limit);
  }
}

function residents(pid: number): { rssBytes: number; descriptors: number } {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { rssBytes: Number(kilobytes ?? 0) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return { rssBytes: 0, descriptors: 0 }; // it has just ended
  }
}
