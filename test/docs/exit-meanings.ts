import type { EXIT } from '../../src/cli/exit-code.ts';

/** The meaning of each exit code, for the manual and the man page. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'every URL is OK, or known to be broken (--baseline)',
  failed: 'at least one URL failed, or was not fetched because the run was stopped',
  usage: 'wrong usage or configuration; an input that cannot be read; an empty list (unless --allow-empty)',
  output: 'an output, the journal or the bodies could not be written',
  accounting: 'the counts do not add up, which is a bug',
  SIGINT:
    'interrupted (SIGINT), after the work under way was finished: 10 s at most, and a second signal stops at once',
  SIGTERM: 'terminated (SIGTERM), after the same',
};
