import type { Table } from '../config/option.ts';
import { toConfigFile } from '../config/option-sources.ts';
import { eventText, type RunLog } from '../model/run-event.ts';
import { type Paint, plain } from '../output/format.ts';
import { escapeJson } from '../output/jsonl.ts';
import { EXIT } from './exit-code.ts';

/** Writes a text and ignores errors: the reader may close the pipe early, as in `fanout --help | head`. */
export function writeText(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  stream.write(text);
}

/** `--print-config`: writes the options in effect as a configuration file, with secrets masked. Returns the exit code. */
export function printConfig(
  table: Table,
  values: object,
  { stdout }: Pick<NodeJS.Process, 'stdout'>,
): number {
  writeText(stdout, toConfigFile(table, values, { mask: true }));
  return EXIT.ok;
}

/** What each line of `--log json` has besides time, level and message. */
export interface LogContext {
  readonly run?: string | undefined;
  /** `feed`, `work`, `collect`, `fetch`, or the name of another cluster command. */
  readonly role: string;
  readonly worker?: string | undefined;
}

/** Streams whose messages are lines of JSON. */
const jsonLogs = new WeakMap<object, LogContext>();

/** From now on, all messages on this stream are lines of JSON with this context; or text again if there is none. */
export function setLogFormat(stderr: NodeJS.WriteStream, context: LogContext | undefined): void {
  if (context === undefined) jsonLogs.delete(stderr);
  else jsonLogs.set(stderr, context);
}

/** Whether the messages on this stream are lines of JSON: nothing else must be written there. */
export function logsJson(stderr: NodeJS.WriteStream): boolean {
  return jsonLogs.has(stderr);
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** What a line of JSON says of a message beside its text. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line of `--log json`, with its newline. The fields cannot replace those that every line has. */
export function logLine(
  level: LogLevel,
  message: string,
  {
    context,
    fields,
    nowMs,
  }: { readonly context: LogContext; readonly fields?: LogFields; readonly nowMs: number },
): string {
  const time = new Date(nowMs).toISOString();
  const { run, role, worker } = context;
  const common = { time, level, message, run, role, worker };
  return `${escapeJson(JSON.stringify({ ...common, ...fields, ...common }))}\n`;
}

/** What a command says on standard error, apart from its summary and progress: one line each, which starts with its kind. */
export interface Messages {
  /** Something failed, and the exit code shows it. */
  readonly error: (message: string, fields?: LogFields) => void;
  /** The run goes on, but perhaps not as expected. */
  readonly warn: (message: string, fields?: LogFields) => void;
  /** For information. */
  readonly note: (message: string, fields?: LogFields) => void;
  /** A line of `--verbose`, as it is. */
  readonly log: (line: string, fields?: LogFields) => void;
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
  const writer =
    (level: LogLevel, prefix: string) =>
    (message: string, fields: LogFields = {}) => {
      if (isSilent) return;
      const context = jsonLogs.get(stderr);
      if (context !== undefined) {
        stderr.write(logLine(level, message, { context, fields, nowMs: Date.now() }));
        return;
      }
      bar?.clear();
      stderr.write(`${prefix}${message}\n`);
      bar?.redraw();
    };
  return {
    error: writer('error', errorText('')),
    warn: writer('warn', 'warning: '),
    note: writer('info', 'note: '),
    log: writer('debug', ''),
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
  return { write: (event) => log(eventText(event), { event }), hasRequests: verbose > 1 };
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
