import { getSystemErrorMap } from 'node:util';
import type { FailureKind } from '../model/failure.ts';
import { printable } from '../model/printable.ts';

/** Why the body of an answer cannot be kept, which makes its URL a failure. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** The failure `write`, from an error of the file system. `name` is that of the file or directory. */
export function writeError(name: string, cause: unknown): BodyError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return new BodyError('write', code, `Cannot write "${printable(name)}": ${reasonOf(cause)}`);
}

/** The words of the system alone, without the code, the call and the path that Node adds. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const errno = 'errno' in cause && typeof cause.errno === 'number' ? cause.errno : 0;
  return getSystemErrorMap().get(errno)?.[1] ?? cause.message;
}
