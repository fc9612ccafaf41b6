import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Transcript } from './transcript.ts';

/** The built program. */
export const BIN = fileURLToPath(new URL('../../bin/fanout.js', import.meta.url));

const KILL_AFTER_MS = 45_000;

// A test that failed half-way leaves its program behind, and the timers here end with this process.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface CliOptions {
  /** Standard input: text or bytes (sent, then ended), a stream, or `open` to write to `child.stdin` later. Empty by default. */
  readonly stdin?: string | Uint8Array | Readable | 'open';
  /** Variables on top of a small clean environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The process is killed, and the run rejected, after this time (45 s). */
  readonly killAfterMs?: number;
  /** Another script to run instead of the program. */
  readonly bin?: string;
  /** Node's own flags, such as `--max-old-space-size=64`. */
  readonly nodeFlags?: readonly string[];
}

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface CliRun {
  /** For signals and for `child.stdin`. */
  readonly child: ChildProcess;
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  /** Resolves at the end, with whatever exit code; rejects when the process had to be killed. */
  readonly done: Promise<CliResult>;
}

/** Runs the program to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).done;
}

/** Starts the program, for a test that talks to it while it runs. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliRun {
  const command = [...(options.nodeFlags ?? []), options.bin ?? BIN, ...args];
  return startProcess(process.execPath, command, options);
}

/** Starts any command under the same terms: clean environment, collected output, a time after which it is killed. */
export function startProcess(file: string, args: readonly string[], options: CliOptions = {}): CliRun {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...cleanEnv(), ...options.env },
    stdio: 'pipe',
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  const stdout = Transcript.of(child.stdout);
  const stderr = Transcript.of(child.stderr);
  feed(child, options.stdin ?? '');
  const killAfterMs = options.killAfterMs ?? KILL_AFTER_MS;
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    child.kill('SIGKILL');
    child.stdout.destroy(); // a grandchild may hold the pipe open
    child.stderr.destroy();
  }, killAfterMs);
  const done = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const result = { code, signal, stdout: stdout.text, stderr: stderr.text };
      if (!killed) return resolve(result);
      const said = JSON.stringify(result, null, 1);
      reject(new Error(`Killed ${JSON.stringify([file, ...args])} after ${killAfterMs} ms: ${said}`));
    });
  });
  done.catch(() => {}); // reported to whoever awaits it; a test that ends early does not
  return { child, stdout, stderr, done };
}

function feed(child: ChildProcess, stdin: NonNullable<CliOptions['stdin']>): void {
  if (child.stdin === null) return;
  child.stdin.on('error', () => {}); // EPIPE of a program that ended first
  if (stdin === 'open') return;
  if (typeof stdin === 'string' || stdin instanceof Uint8Array) child.stdin.end(stdin);
  else stdin.pipe(child.stdin);
}

/** Only what a program needs to run: no CI, NO_COLOR, proxy or FANOUT_ variable of the machine leaks into a test. */
function cleanEnv(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'SystemRoot'];
  const entries = kept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // For the same tests over a run in several threads.
  const threads = process.env.FANOUT_TEST_THREADS;
  return Object.fromEntries(threads === undefined ? entries : [...entries, ['FANOUT_THREADS', threads]]);
}
