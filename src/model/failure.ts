/** The kinds of failure of a URL. They are part of the record format, so a name never changes its meaning. */
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
  'down',
  'denied',
  'aborted',
  'write',
  'internal',
] as const;

export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Why a URL failed. `code` comes from Node or the library that reported the failure; `message` is for people. */
export interface Failure {
  readonly kind: FailureKind;
  readonly code?: string;
  readonly message: string;
  /** Of kind `internal`: where in the code it happened. Not part of the record. */
  readonly stack?: string;
}
