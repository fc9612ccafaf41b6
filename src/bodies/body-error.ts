import { errorCode } from '../model/error-code.ts';
import type { FailureKind } from '../model/failure.ts';
import { systemReason } from '../model/output-error.ts';
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
  const code = errorCode(cause);
  return new BodyError('write', code, `Cannot write "${printable(name)}": ${systemReason(cause)}`);
}
