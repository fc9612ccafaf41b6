import { getSystemErrorMap } from 'node:util';
import { excerpt } from './printable.ts';

/** The command line, the environment, the configuration or an argument of the library is invalid. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An input cannot be read, or contains no URL. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** An output cannot be written, which ends the run. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** The broker of a run on many machines could not be reached in time. */
export class BrokerUnavailableError extends Error {
  override readonly name = 'BrokerUnavailableError';
}

/** The counts of a run do not add up. */
export class AccountingError extends Error {
  override readonly name = 'AccountingError';
}

/** An error such as `cannot write to "results.jsonl": no space left on device`. */
export function toOutputError(name: string, cause: unknown, action = 'write to'): OutputError {
  return new OutputError(`cannot ${action} "${excerpt(name, 2000)}": ${systemReason(cause)}`, { cause });
}

/** The message of the system, without the code, the system call and the path that Node adds. */
export function systemReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const errno = 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : 0;
  return getSystemErrorMap().get(errno)?.[1] ?? cause.message;
}

/** The `code` of a Node error, such as `ENOENT`; `undefined` if it has none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
