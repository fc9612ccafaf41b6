import { AccountingError, InputError, OutputError, UsageError } from '../model/errors.ts';

/** What the program says to the shell. Part of the contract: a code here never changes its meaning. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  output: 3,
  accounting: 70,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** The exit code for an error that ended the program; `undefined` for one that is a bug. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof UsageError || error instanceof InputError) return EXIT.usage;
  if (error instanceof OutputError) return EXIT.output;
  if (error instanceof AccountingError) return EXIT.accounting;
  return undefined;
}
