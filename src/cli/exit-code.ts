import {
  AccountingError,
  BrokerUnavailableError,
  InputError,
  OutputError,
  UsageError,
} from '../model/errors.ts';
import type { Summary } from '../model/summary.ts';

/** Exit codes of the program. They are part of its interface: a code never changes its meaning. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  output: 3,
  unavailable: 69,
  accounting: 70,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** Returns the exit code for an error that ended the program, or `undefined` for an error that is a bug. */
export function toExitCode(error: unknown): number | undefined {
  if (error instanceof UsageError || error instanceof InputError) return EXIT.usage;
  if (error instanceof OutputError) return EXIT.output;
  if (error instanceof BrokerUnavailableError) return EXIT.unavailable;
  if (error instanceof AccountingError) return EXIT.accounting;
  return undefined;
}

/** Returns the exit code of a run that no signal ended: 1 if a URL was not fetched or has a failure that counts. */
export function summaryExitCode(summary: Summary): number {
  const { notFetched, isListComplete } = summary;
  return countFailures(summary) > 0 || notFetched > 0 || !isListComplete ? EXIT.failed : EXIT.ok;
}

/** The number of failures that fail the run: neither known nor flaky. */
export function countFailures({ failed, known, flaky }: Pick<Summary, 'failed' | 'known' | 'flaky'>): number {
  return failed - known - flaky;
}
