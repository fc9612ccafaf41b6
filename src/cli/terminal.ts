import { eventText, type RunLog } from '../model/run-event.ts';
import { type Paint, plain } from '../output/format.ts';

/** Writes a text and ignores errors: the reader may close the pipe early, as in `fanout --help | head`. */
export function writeText(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  stream.write(text);
}

/** What a command says on standard error, apart from its summary and progress: one line each, which starts with its kind. */
export interface Messages {
  /** Something failed, and the exit code shows it. */
  readonly error: (message: string) => void;
  /** The run goes on, but perhaps not as expected. */
  readonly warn: (message: string) => void;
  /** For information. */
  readonly note: (message: string) => void;
  /** A line of `--verbose`, as it is. */
  readonly log: (line: string) => void;
}

interface MessageOptions {
  /** Write nothing. */
  readonly isSilent?: boolean;
  /** A progress bar on the same terminal, which gives way to each message. */
  readonly bar?: { readonly clear: () => void; readonly redraw: () => void } | undefined;
}

/** Creates what writes the messages of a command on standard error. */
export function createMessages(
  { stderr }: Pick<NodeJS.Process, 'stderr'>,
  { isSilent = false, bar }: MessageOptions = {},
): Messages {
  const log = (line: string) => {
    if (isSilent) return;
    bar?.clear();
    stderr.write(`${line}\n`);
    bar?.redraw();
  };
  return {
    error: (message) => log(errorText(message)),
    warn: (message) => log(`warning: ${message}`),
    note: (message) => log(`note: ${message}`),
    log,
  };
}

/** The message of an error that ends the program. */
export function errorText(message: string): string {
  return `error: ${message}`;
}

/** `--verbose`: writes events of the run on standard error. */
export function createLog(
  { verbose, silent }: { readonly verbose: number; readonly silent: boolean },
  { log }: Messages,
): RunLog | undefined {
  if (verbose === 0 || silent) return undefined;
  return { write: (event) => log(eventText(event)), hasRequests: verbose > 1 };
}

/**
 * Creates the colours for a stream: `--color` decides first, then FORCE_COLOR and NO_COLOR, then whether it is a terminal.
 * Chalk's own detection is not used, because it reads the arguments of the process and ignores NO_COLOR. Chalk is loaded on use.
 */
export async function createPaint(
  when: 'auto' | 'always' | 'never',
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Paint> {
  if (!hasColors(when, isTerminal, environment)) return plain;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { ok: chalk.green, fail: chalk.red, warn: chalk.yellow, dim: chalk.dim, strong: chalk.bold };
}

function hasColors(
  when: 'auto' | 'always' | 'never',
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (when !== 'auto') return when === 'always';
  const { FORCE_COLOR: forceColor, NO_COLOR: noColor, TERM: terminal } = environment;
  if (forceColor !== undefined && forceColor !== '') return forceColor !== '0' && forceColor !== 'false';
  if (noColor !== undefined && noColor !== '') return false;
  return isTerminal && terminal !== 'dumb';
}
