import { spawnSync } from 'node:child_process';
import { BIN, type CliOptions, type CliRun, startProcess } from './run-cli.ts';

export interface PtyOptions extends CliOptions {
  /** Width of the terminal in columns (100). */
  readonly columns?: number;
  /** A file that takes standard output, so that standard error alone is a terminal. */
  readonly stdoutTo?: string;
}

/** Whether this machine has the `script` of util-linux, which lends a terminal without a native module. */
export const hasPty = spawnSync('script', ['--version']).stdout?.includes('util-linux') === true;

/**
 * Starts the program in a terminal of its own. Both outputs come in `stdout`, as a screen gets them (`\r\n`, escape
 * sequences); standard input is the keyboard and stays open: `child.stdin.write('\x03')` is Ctrl-C.
 */
export function startPty(args: readonly string[], options: PtyOptions = {}): CliRun {
  const program = [process.execPath, ...(options.nodeFlags ?? []), options.bin ?? BIN, ...args].map(quoted);
  const redirect = options.stdoutTo === undefined ? '' : ` > ${quoted(options.stdoutTo)}`;
  const line = `stty cols ${options.columns ?? 100} rows 30; exec ${program.join(' ')}${redirect}`;
  return startProcess('script', ['-qec', line, '/dev/null'], {
    ...options,
    stdin: options.stdin ?? 'open',
    env: { TERM: 'xterm-256color', SHELL: '/bin/sh', ...options.env },
  });
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
