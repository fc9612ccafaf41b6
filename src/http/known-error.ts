import type { FailureKind } from '../model/failure.ts';

/** An error whose kind is known where it is made, since a code alone does not tell it. */
export abstract class KnownError extends Error {
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}
