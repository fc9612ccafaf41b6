import { getSystemErrorMap } from 'node:util';
import { OutputError } from './errors.ts';

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
