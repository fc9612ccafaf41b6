import { KnownError } from './known-error.ts';

/** A connection could not be made. The phase that failed names the kind. */
export class DialError extends KnownError {
  override readonly name = 'DialError';
}
