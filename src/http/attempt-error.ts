import { KnownError } from './known-error.ts';

/** fanout itself ended an attempt: the time was up, the run is being ended, or what came breaks a rule of ours. */
export class AttemptError extends KnownError {
  override readonly name = 'AttemptError';
}
