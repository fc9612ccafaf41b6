import { closeSync, openSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { onTestFinished } from 'vitest';
import { runCommandLine } from '../../src/cli/main.ts';
import type { SignalName } from '../../src/cli/signals.ts';
import { type CliOptions, type CliResult, runCli } from '../origin/run-cli.ts';
import { Transcript } from '../origin/transcript.ts';

interface Options extends Pick<CliOptions, 'env'> {
  /** Standard input; empty by default. */
  readonly stdin?: string | Buffer;
}

interface StartOptions extends Pick<CliOptions, 'env'> {
  /** Standard input: the same, or a stream. */
  readonly stdin?: string | Buffer | Readable;
}

/** A command line that runs in the process of the test. */
export interface InProcessRun {
  /** In place of the process id: no process and no other run has it. */
  readonly pid: number;
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  /** Resolves at the end, with whatever exit code; rejects with an error that is a bug. */
  readonly done: Promise<CliResult>;
  /** Sends a signal. Throws if the run would not handle it. */
  kill(name: SignalName): void;
}

/**
 * Runs a command line in the process of the test, in a tenth of the time that a new process takes.
 * For the limits see `startInProcess()`.
 */
export async function runInProcess(args: readonly string[], options: Options = {}): Promise<CliResult> {
  // Threads are started from the built program only.
  if (process.env.FANOUT_TEST_THREADS !== undefined) return runCli(args, options);
  return start(args, options).done;
}

/**
 * Starts a command line in the process of the test, for a test that waits for what it writes, or sends it a signal. A run that
 * is left when the test has finished is ended. Standard output is a device. Not for SIGKILL, pipes, threads, flags of V8 and the
 * working directory: see `startCli()`.
 */
export function startInProcess(args: readonly string[], options: StartOptions = {}): InProcessRun {
  const run = start(args, options);
  let isOver = false;
  run.done
    .catch(() => {})
    .finally(() => {
      isOver = true;
    });
  onTestFinished(async () => {
    // The first signal asks, the second aborts, and the third gives up what is not yet written.
    for (let signals = 0; !isOver && signals < 3; signals += 1) run.kill('SIGTERM');
    await run.done.catch(() => {});
  });
  return run;
}

let starts = 0;

function start(args: readonly string[], { stdin = '', env = {} }: StartOptions): InProcessRun {
  starts += 1;
  const pid = 10_000_000 + starts; // above the largest process id of Linux
  const [stdout, stderr] = [new Transcript(), new Transcript()];
  const device = openSync('/dev/null', 'w');
  const listeners = new Set<(name: SignalName) => void>();
  let endBy: (name: SignalName) => void = () => {};
  const killed = new Promise<SignalName>((resolve) => {
    endBy = resolve;
  });
  const world: NodeJS.Process = Object.create(process, {
    pid: { value: pid },
    env: { value: env },
    stdin: { value: stdin instanceof Readable ? stdin : Readable.from([Buffer.from(stdin)]) },
    // What is written to a device goes through its stream.
    stdout: { value: Object.assign(new TextSink(stdout), { fd: device }) },
    stderr: { value: new TextSink(stderr) },
    // SIGINT and SIGTERM have the same listeners, as in the program.
    on: { value: (_: SignalName, listener: (name: SignalName) => void) => listeners.add(listener) },
    off: { value: (_: SignalName, listener: (name: SignalName) => void) => listeners.delete(listener) },
    kill: { value: (_: number, name: SignalName) => endBy(name) },
  });
  const release = keepStackTraces();
  const ended = runCommandLine(args, world, '1.2.3').finally(() => {
    closeSync(device);
    release();
  });
  const result = (code: number | null, signal: NodeJS.Signals | null): CliResult => ({
    code,
    signal,
    stdout: stdout.text,
    stderr: stderr.text,
  });
  const done = Promise.race([
    ended.then((code) => result(code, null)),
    killed.then((name) => result(null, name)),
  ]).finally(() => {
    stdout.end();
    stderr.end();
  });
  done.catch(() => {}); // reported to whoever awaits it; a test that ends early does not
  const kill = (name: SignalName) => {
    if (listeners.size === 0) throw new Error(`The run does not handle ${name}: ${args.join(' ')}`);
    for (const listener of [...listeners]) listener(name);
  };
  return { pid, stdout, stderr, done, kill };
}

let runs = 0;
let stackTraceLimit = 0;

/** `fanout fetch` switches stack traces off. Returns what switches them on again, once no other run is left. */
function keepStackTraces(): () => void {
  if (runs === 0) stackTraceLimit = Error.stackTraceLimit;
  runs += 1;
  return () => {
    runs -= 1;
    if (runs === 0) Error.stackTraceLimit = stackTraceLimit;
  };
}

class TextSink extends Writable {
  readonly #transcript: Transcript;
  readonly #decoder = new StringDecoder('utf8');

  constructor(transcript: Transcript) {
    super();
    this.#transcript = transcript;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#transcript.add(this.#decoder.write(chunk));
    done();
  }
}
