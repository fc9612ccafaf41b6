/** Every way in which a URL can fail. Part of the record format: a name here never changes its meaning. */
export const FAILURE_KINDS = [
  'invalid',
  'dns',
  'connect',
  'tls',
  'timeout',
  'reset',
  'protocol',
  'status',
  'redirect',
  'size',
  'expectation',
  'blocked',
  'circuit',
  'denied',
  'aborted',
  'write',
  'internal',
] as const;

export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Why a URL failed. `code` is the code of the library that reported it; `message` is for people. */
export interface Failure {
  readonly kind: FailureKind;
  readonly code?: string;
  readonly message: string;
}
