import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';

export interface ProcessOptions {
  /** Text for standard input, taken piece by piece as the process reads it. */
  readonly stdin?: Iterable<string>;
  /** The process is killed after this time. */
  readonly limitMs: number;
}

export interface ProcessReport {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From before the start to the exit. */
  readonly wallMs: number;
  /** Largest resident memory that was seen, in bytes. The kernel keeps the peak, so only the last moments can be missed. */
  readonly peakRssBytes: number;
  /** Most files and sockets that were seen open. */
  readonly peakDescriptors: number;
}

const LOOK_EVERY_MS = 50;

/** Runs a whole process and measures it from outside, by the clock and by what Linux shows of it in /proc. */
export async function runProcess(
  command: readonly [string, ...string[]],
  options: ProcessOptions,
): Promise<ProcessReport> {
  const [program, ...args] = command;
  const text = { stdout: '', stderr: '' };
  let peakRssBytes = 0;
  let peakDescriptors = 0;
  const started = performance.now();
  const child = spawn(program, args, { stdio: 'pipe' });
  const exited = once(child, 'exit').then(() => performance.now() - started);
  const closed = once(child, 'close');
  child.stdout.on('data', (chunk: Buffer) => {
    text.stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text.stderr += chunk;
  });
  const looking = setInterval(() => {
    peakRssBytes = Math.max(peakRssBytes, peakRssOf(child));
    peakDescriptors = Math.max(peakDescriptors, descriptorsOf(child));
  }, LOOK_EVERY_MS);
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs);
  try {
    const [wallMs] = await Promise.all([exited, closed, feed(child.stdin, options.stdin ?? [])]);
    return { exitCode: child.exitCode, ...text, wallMs, peakRssBytes, peakDescriptors };
  } finally {
    clearInterval(looking);
    clearTimeout(limit);
  }
}

async function feed(stdin: Writable, pieces: Iterable<string>): Promise<void> {
  const gone = new Promise<void>((resolve) => stdin.once('error', () => resolve()).once('close', resolve));
  for (const piece of pieces) {
    if (stdin.destroyed) return;
    if (!stdin.write(piece)) {
      await Promise.race([new Promise<void>((resolve) => stdin.once('drain', resolve)), gone]);
    }
  }
  stdin.end();
}

function peakRssOf(child: ChildProcess): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0; // the process has just ended
  }
}

function descriptorsOf(child: ChildProcess): number {
  try {
    return readdirSync(`/proc/${child.pid}/fd`).length;
  } catch {
    return 0; // the process has just ended
  }
}
