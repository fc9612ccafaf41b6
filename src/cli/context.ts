import { type Paint, plain } from '../output/format.ts';

/** Writes a text whose reader may have seen enough before its end, as in `fanout --help | head`. */
export function writeText(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  stream.write(text);
}

/**
 * The colours for a stream: `--color` first, then FORCE_COLOR and NO_COLOR, then whether it is a terminal.
 * Chalk's own detection is not asked: it reads the arguments of the process and knows no NO_COLOR. It is loaded on use.
 */
export async function paintFor(
  when: 'auto' | 'always' | 'never',
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Paint> {
  if (!isColourful(when, isTerminal, environment)) return plain;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { ok: chalk.green, fail: chalk.red, warn: chalk.yellow, dim: chalk.dim, strong: chalk.bold };
}

function isColourful(
  when: 'auto' | 'always' | 'never',
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (when !== 'auto') return when === 'always';
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: terminal } = environment;
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  if (no !== undefined && no !== '') return false;
  return isTerminal && terminal !== 'dumb';
}

/** Takes messages for people, and writes each as a line on standard error. */
export function createWarn(process: NodeJS.Process, isSilent = false): (text: string) => void {
  return (text) => {
    if (!isSilent) process.stderr.write(`fanout: ${text}\n`);
  };
}
