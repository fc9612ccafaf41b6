import type { FailureKind } from '../model/failure.ts';

/** fanout itself ended an attempt: the time was up, the run is being ended, or what came breaks a rule of ours. */
export class AttemptError extends Error {
  override readonly name = 'AttemptError';
  readonly kind: FailureKind;
  readonly code: string | undefined;

  constructor(kind: FailureKind, code: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}
