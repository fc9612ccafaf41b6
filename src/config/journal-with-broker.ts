import { UsageError } from '../model/errors.ts';

/** What takes the place of a flag of the journal in a run over a broker. */
export const IN_PLACE_OF_JOURNAL: Readonly<Record<string, string>> = {
  '--journal':
    'the collector keeps all results in a file already, which --store names; the same command goes on from it',
  '--keep-failed':
    'failures stand in the file of --store; to fetch them again, begin another run with the list of --failed',
};

/** Throws a `UsageError` when a journal is asked for together with a broker. */
export function refuseJournal({ values }: { readonly values: Readonly<Record<string, unknown>> }): void {
  if (values.broker === undefined) return;
  const flag = values.journal !== undefined ? '--journal' : values.keepFailed ? '--keep-failed' : undefined;
  if (flag === undefined) return;
  throw new UsageError(`Cannot use ${flag} with --broker: ${IN_PLACE_OF_JOURNAL[flag]}`);
}
