import { type Paint, plain } from '../output/format.ts';

/** Writes a text and ignores errors: the reader may close the pipe early, as in `fanout --help | head`. */
export function writeText(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  stream.write(text);
}

interface WarnOptions {
  /** Write nothing. */
  readonly isSilent?: boolean;
  /** A progress bar on the same terminal, which gives way to each message. */
  readonly bar?: { readonly clear: () => void; readonly redraw: () => void } | undefined;
}

/** Returns a function that writes each message as one line on standard error, after the name of the program. */
export function createWarn(process: NodeJS.Process, options: WarnOptions = {}): (message: string) => void {
  const notify = createNotify(process, options);
  return (message) => notify(`fanout: ${message}`);
}

/** As `createWarn`, without the name of the program. */
export function createNotify(
  process: NodeJS.Process,
  { isSilent = false, bar }: WarnOptions = {},
): (message: string) => void {
  return (message) => {
    if (isSilent) return;
    bar?.clear();
    process.stderr.write(`${message}\n`);
    bar?.redraw();
  };
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
