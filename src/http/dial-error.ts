import type { FailureKind } from '../model/failure.ts';

/** A connection could not be made. The phase that failed names the kind, which a code alone does not tell. */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}
