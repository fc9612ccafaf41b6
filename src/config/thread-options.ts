import { UsageError } from '../model/errors.ts';
import { option, type Resolved } from './option.ts';
import { wholeNumber } from './parsers/whole-number.ts';

/** Options of the program alone: how a run on one machine is divided. */
export const threadOptions = {
  threads: option({
    flags: '--threads <n>',
    group: 'Workers',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: 1,
    help: 'fetch in so many threads, each with its part of the hosts and of the workers',
  }),
};

export type ThreadOptions = Resolved<typeof threadOptions>;

/** Throws a `UsageError` when threads are asked for together with a broker. */
export function refuseThreads({ values }: { readonly values: Readonly<Record<string, unknown>> }): void {
  if (values.broker === undefined || values.threads === 1) return;
  throw new UsageError(
    'Cannot use --threads with --broker: each process of such a run has one; start fanout work once for each core',
  );
}
