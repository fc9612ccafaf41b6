import { UsageError } from '../model/errors.ts';

/** The error of a journal that cannot be used: `Cannot use "x" as the journal: it is …; it must be …`. */
export function journalFault(path: string, why: string, wish = WISH): UsageError {
  return new UsageError(`Cannot use ${JSON.stringify(path)} as the journal: ${why}; ${wish}`);
}

const WISH = 'it must be the journal of an earlier run, or a new file';
