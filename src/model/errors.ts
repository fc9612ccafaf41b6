import { getSystemErrorMap } from 'node:util';

/** The command line, the environment, the configuration or an argument of the library is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An input cannot be read, or holds no URL at all. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** An output cannot be written, so the run cannot go on. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** The counts of a run do not add up: a bug, and never to be hidden. */
export class AccountingError extends Error {
  override readonly name = 'AccountingError';
}

/** `Cannot write to "results.jsonl": no space left on device`. */
export function outputError(name: string, cause: unknown, action = 'write to'): OutputError {
  return new OutputError(`Cannot ${action} ${JSON.stringify(name)}: ${systemReason(cause)}`, { cause });
}

/** The words of the system alone, without the code, the call and the path that Node adds. */
export function systemReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const errno = 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : 0;
  return getSystemErrorMap().get(errno)?.[1] ?? cause.message;
}

/** The code that Node gives an error of the system or of its own, such as `ENOENT`; `undefined` when there is none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
